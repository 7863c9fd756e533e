"""Words for mail that nobody reads: 60,000 of them, and lines in which they are as common as words are."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import accumulate
from random import Random

SIZE = 60_000
LINES = 60_000

# The first ranks are words that people use, so that stop words, stems and accents are met as in real mail.
_COMMON = """
the of to and a in is it you that he was for on are with as his they be at one have this from or had
by hot but some what there we can out other were all your when up use word how said an each she
which do their time if will way about many then them would write like so these her long make thing
see him two has look more day could go come did my sound no most number who over know water than
call first people may down side been now find any new work part take get place made live where after
back little only round man year came show every good me give our under name very through just form
much great think say help low line before turn cause same mean differ move right boy old too does
tell sentence set three want air well also play small end put home read hand port large spell add
even land here must big high such follow act why ask men change went light kind off need house
picture try us again animal point mother world near build self earth father meeting project report
invoice order delivery payment contract customer question answer draft version deadline budget
review schedule agenda minutes attached please regards thanks update issue release server backup
network password account ticket travel hotel flight booking office printer garden harbour bridge
engine window kitchen letter number message
"""
_FOREIGN = """
Ärger Größe Straße über für können möchte Grüße Rechnung Besprechung Lieferung Vertrag Anhang Termin
heute morgen réunion facture livraison bientôt été déjà où à côté fenêtre château élève cœur
français garçon reunión mañana señor año niño también corazón pequeño factura envío gracias después
łódź żaglówka święto wtorek środa dziękuję proszę spotkanie źródło więcej встреча счёт заказ спасибо
завтра письмо вопрос ответ проект город συνάντηση τιμολόγιο ευχαριστώ αύριο θάλασσα 会議 見積書 会议 报价单
اجتماع فاتورة
"""
_ONSETS = [*"bcdfghjklmnprstvwz" * 2, "br", "ch", "cl", "dr", "gr", "pl", "pr", "qu", "sh", "st", "th", "tr"]
_NUCLEI = [*"aeiouy" * 3, "ai", "ea", "ee", "io", "ou"]
_CODAS = [*("",) * 14, "l", "m", "n", "n", "nt", "r", "rd", "s", "st", "t", "ck"]


@cache
def vocabulary(seed: int = 1) -> tuple[str, ...]:
    """The words by rank, the commonest first; no word twice."""
    rng = Random(f"{seed}/vocabulary")
    common = _COMMON.split()
    words = dict.fromkeys(common[:200])
    words |= dict.fromkeys(_mixed(rng, common[200:] + _FOREIGN.split(), 6_000))
    while len(words) < SIZE:
        syllables = 2 if len(words) < 9_000 else rng.choice((2, 3, 3, 4))
        words[_syllables(rng, syllables)] = None
    return tuple(words)


def _mixed(rng: Random, known: Sequence[str], size: int) -> list[str]:
    words = [*known] + [_syllables(rng, 2) for _ in range(size - len(known))]
    rng.shuffle(words)
    return words


def _syllables(rng: Random, count: int) -> str:
    return "".join(rng.choice(_ONSETS) + rng.choice(_NUCLEI) + rng.choice(_CODAS) for _ in range(count))


@cache
def weights() -> tuple[float, ...]:
    """Mandelbrot's form of Zipf's law, summed up from the first rank: 1 / (rank + 2.7)."""
    return tuple(accumulate(1 / (rank + 2.7) for rank in range(SIZE)))


@cache
def lines(seed: int = 1) -> tuple[str, ...]:
    """Lines of about eleven words, each with its newline, drawn by rank."""
    rng = Random(f"{seed}/lines")
    words = rng.choices(vocabulary(seed), cum_weights=weights(), k=LINES * 11)
    made = []
    for at in range(0, len(words), 11):
        line = " ".join(words[at : at + 7 + at % 5])
        made.append(f"{line.capitalize()}.\n" if at % 3 == 0 else f"{line}\n")
    return tuple(made)


def rare(rng: Random, seed: int = 1) -> str:
    """A word from the long tail: in 200,000 messages each is met some ten times."""
    words = vocabulary(seed)
    return words[rng.randrange(8_000, len(words))]
