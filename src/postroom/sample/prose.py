"""What people write: the scripts of `scripts/*.txt`, read once and filled with days, sums and choices.

A script is a thread. `== subject` opens it, `at: 6.5` says how many months before the end it begins,
`folder:` where it is kept, and each `-- speaker > to ; cc | option` starts a turn (without `>` it is a
reply to all). A paragraph is one line. `{one|two}` is a choice, `{weekday}` a blank; within a thread the same
braces always give the same words.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from random import Random

LANGUAGES = ("en-work", "en-life", "en-club", "de", "fr", "es", "pl", "el", "ru", "ja", "zh", "ar")

_WEEKDAYS = {
    "en": "Monday Tuesday Wednesday Thursday Friday",
    "de": "Montag Dienstag Mittwoch Donnerstag Freitag",
    "fr": "lundi mardi mercredi jeudi vendredi",
    "es": "lunes martes miércoles jueves viernes",
    "pl": "poniedziałek środę czwartek piątek",
    "el": "Δευτέρα Τρίτη Τετάρτη Πέμπτη Παρασκευή",
    "ru": "в_понедельник во_вторник в_среду в_четверг в_пятницу",
    "ja": "月曜日 火曜日 水曜日 木曜日 金曜日",
    "zh": "星期一 星期二 星期三 星期四 星期五",
    "ar": "الأحد الاثنين الثلاثاء الأربعاء الخميس",
}
_ATTRIBUTIONS = {
    "en": "On {date}, {name} wrote:",
    "de": "Am {date} schrieb {name}:",
    "fr": "Le {date}, {name} a écrit :",
    "es": "El {date}, {name} escribió:",
    "pl": "Dnia {date} {name} napisał(a):",
    "el": "Στις {date}, {name} έγραψε:",
    "ru": "{date}, {name} пишет:",
    "ja": "{date}、{name}:",
    "zh": "{date}，{name} 写道：",
    "ar": "{date}، كتب {name}:",
}
_MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]
_BREAK = "<br>\n"
_BRACES = re.compile(r"\{([^{}]*)\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One message of a script. `to` is empty for a reply to all."""

    speaker: str
    to: tuple[str, ...]
    cc: tuple[str, ...]
    options: tuple[str, ...]
    text: str

    def option(self, name: str) -> str:
        """The value of `name:value`, or nothing."""
        return next(
            (value.removeprefix(f"{name}:") for value in self.options if value.startswith(f"{name}:")), ""
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    subject: str
    language: str
    kind: str
    folder: str
    months_ago: float
    charsets: tuple[tuple[str, str], ...]
    turns: tuple[Turn, ...]


@cache
def scripts() -> tuple[Script, ...]:
    """Every script of every language, in a fixed order."""
    return tuple(script for name in LANGUAGES for script in _read(name))


def _read(name: str) -> list[Script]:
    text = files("postroom.sample").joinpath("scripts", f"{name}.txt").read_text("utf-8")
    head, *blocks = re.split(r"^== ", text, flags=re.MULTILINE)
    declared = re.search(r"^charsets: (.+)$", head, flags=re.MULTILINE)
    pairs = (declared[1] if declared else "utf-8/quoted-printable us-ascii/7bit windows-1252/8bit").split()
    charsets = tuple((charset, encoding) for charset, _, encoding in (pair.partition("/") for pair in pairs))
    return [_script(name, charsets, block) for block in blocks]


def _script(name: str, charsets: tuple[tuple[str, str], ...], block: str) -> Script:
    head, *turns = re.split(r"^-- ", block, flags=re.MULTILINE)
    subject, *settings = head.strip().split("\n")
    values = dict(line.split(": ", 1) for line in settings)
    language, _, kind = name.partition("-")
    return Script(
        subject=subject,
        language=language,
        kind=kind or language,
        folder=values.get("folder", "INBOX"),
        months_ago=float(values["at"]),
        charsets=charsets,
        turns=tuple(_turn(turn) for turn in turns),
    )


def _turn(block: str) -> Turn:
    first, text = block.split("\n", 1)
    address, *options = first.split(" | ")
    speaker, _, recipients = address.partition(" > ")
    to, _, cc = recipients.partition(" ; ")
    return Turn(
        speaker=speaker.strip(),
        to=tuple(to.split()),
        cc=tuple(cc.split()),
        options=tuple(options),
        text=text.strip(),
    )


class Blanks:
    """Fills the braces of one thread; the same braces get the same answer every time."""

    def __init__(self, rng: Random, language: str, month: int) -> None:
        self._rng = rng
        self._language = language
        self._month = month
        self._known: dict[str, str] = {}
        self._choices: dict[str, int] = {}

    def fill(self, text: str) -> str:
        return _BRACES.sub(lambda match: self._answer(match[1]), text)

    def _answer(self, inside: str) -> str:
        if "|" in inside:
            options = inside.split("|")
            return options[self._choices.setdefault(inside.lower(), self._rng.randrange(len(options)))]
        if inside not in self._known:
            self._known[inside] = self._word(inside.rstrip("0123456789"))
        return self._known[inside]

    def _word(self, blank: str) -> str:
        makers = {"weekday": self._weekday, "hour": self._hour, "amount": self._amount, "n": self._number}
        return makers[blank]() if blank in makers else _MONTHS[self._month - 2]

    def _weekday(self) -> str:
        names = [name.replace("_", " ") for name in _WEEKDAYS[self._language].split()]
        return self._rng.choice([name for name in names if name not in self._known.values()])

    def _hour(self) -> str:
        hour, minute = self._rng.randrange(8, 20), self._rng.choice(("00", "15", "30", "45"))
        if self._language == "ja":
            return f"{8 + hour // 2}時"
        return str(hour) if self._language == "de" else f"{hour}:{minute}"

    def _amount(self) -> str:
        return money(self._rng.randrange(38000, 940000), self._language)

    def _number(self) -> str:
        return str(self._rng.randrange(12, 99))


@cache
def _templates() -> dict[str, tuple[str, str]]:
    text = files("postroom.sample").joinpath("scripts", "notices.txt").read_text("utf-8")
    blocks = re.split(r"^== ", text, flags=re.MULTILINE)[1:]
    parts = (block.split("\n", 2) for block in blocks)
    return {name: (subject, body.strip("\n")) for name, subject, body in parts}


def template(name: str, **values: object) -> tuple[str, str]:
    """The subject and the text of a notice in `scripts/notices.txt`, its blanks filled."""
    subject, body = _templates()[name]
    return subject.format(**values), body.format(**values)


@cache
def stories() -> tuple[tuple[str, str], ...]:
    """Headline and text of everything the newsletter has ever told."""
    text = files("postroom.sample").joinpath("scripts", "newsletter.txt").read_text("utf-8")
    return tuple(
        (head, story) for head, _, story in (line.partition(" | ") for line in text.strip().split("\n"))
    )


def money(cents: int, language: str = "en") -> str:
    """`£1,234.50`, or `1.234,50 EUR` where people write it so."""
    amount = f"{cents / 100:,.2f}"
    if language == "en":
        return f"£{amount}"
    return amount.translate(str.maketrans(",.", ".,")) + " EUR"


def quoted(text: str, language: str, when: str, name: str, lines: Sequence[str]) -> str:
    """A reply: the new text, the line that says who wrote the old one, and the old lines behind `>`."""
    said = _ATTRIBUTIONS[language].format(date=when, name=name)
    below = "\n".join(f">{line}" if line.startswith(">") else f"> {line}".rstrip() for line in lines)
    return f"{text}\n\n{said}\n{below}"


def page(text: str, image: str = "") -> str:
    """The same text as a modest HTML page; quoted lines become a blockquote."""
    body, quote = [], []
    for paragraph in text.split("\n\n"):
        lines = [escape(line) for line in paragraph.split("\n")]
        quote += [line.removeprefix("&gt;").strip() for line in lines if line.startswith("&gt;")]
        own = [line for line in lines if not line.startswith("&gt;") and line != "-- "]
        body += [f"<p>{_BREAK.join(own)}</p>"] if own else []
    quote_html = f'<blockquote type="cite">{_BREAK.join(quote)}</blockquote>\n' if quote else ""
    picture = (
        f'<p><img src="cid:{image}" width="64" height="40" alt="Northpier Studio"></p>\n' if image else ""
    )
    shown = "\n".join(body)
    top = '<!DOCTYPE html>\n<html><body style="font-family: sans-serif">'
    return f"{top}\n{shown}\n{quote_html}{picture}</body></html>\n"


def escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
