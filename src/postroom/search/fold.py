"""Folding: one spelling for what readers take for the same letter, on every server and in every locale.

`ÄRGER` and `ärger` become `arger`, `ﬁle` becomes `file`, `ｱ` becomes `ア`. Folding twice changes nothing.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

_LETTERS: Final = str.maketrans(
    {
        "æ": "ae",
        "œ": "oe",
        "ø": "o",
        "đ": "d",
        "ð": "d",
        "þ": "th",
        "ł": "l",
        "ħ": "h",
        "ŧ": "t",
        "ı": "i",
        "ŋ": "n",
        "ĸ": "k",
    }
)
"""Letters that readers write without their stroke, and Unicode does not take apart. (`ß` is for casefold.)"""

_ASCII: Final = bytes(range(128))
_ASCII_WORDS: Final = {code: chr(code).lower() if chr(code).isalnum() else " " for code in range(128)}
_RARE: Final = 8
"""One character in so many, or fewer, beyond ASCII: typographic quotes, umlauts, emoji in a Latin text."""

_UNSPACED_RANGES: Final = (
    "\u0e00-\u0eff"  # Thai, Lao
    "\u1000-\u109f\ua9e0-\ua9ff\uaa60-\uaa7f"  # Myanmar
    "\u1780-\u17ff"  # Khmer
    "\u3005-\u3007\u3021-\u3029\u3041-\u309f\u30a1-\u30ff\u31f0-\u31ff"  # Hiragana, Katakana
    "\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0003ffff"  # Han
    "\uac00-\ud7a3"  # Hangul syllables
)
UNSPACED: Final = re.compile(f"[{_UNSPACED_RANGES}]+")
"""A run of a script that puts no space between words, or (Hangul) glues endings to them. Of folded text."""

_WRAPPED: Final = re.compile("(?<=[\u3005-\u9fff])\r?\n(?=[\u3005-\u9fff])")
"""A line end inside a Chinese or Japanese sentence, which stands for nothing."""


class _Table(dict[int, str]):
    """The fold of each character met so far: what `str.translate` wants."""

    def __init__(self, *, only_words: bool) -> None:
        super().__init__()
        self._only_words = only_words

    def __missing__(self, code: int) -> str:
        folded = _fold_character(chr(code))
        if self._only_words:
            folded = "".join(character if _is_of_word(character) else " " for character in folded)
        self[code] = folded
        return folded


def _fold_character(character: str) -> str:
    before, folded = "", character
    while folded != before:
        before = folded
        folded = unicodedata.normalize("NFKD", folded.casefold()).translate(_LETTERS)
        folded = "".join(filter(_is_kept, folded))
    return unicodedata.normalize("NFC", folded)


def _is_kept(character: str) -> bool:
    """Whether this is more than an accent, a point, or something nobody sees."""
    category = unicodedata.category(character)
    if category == "Cf":
        # Zero width space ends a word (Thai, Khmer); soft hyphens and joiners do not.
        return character == "\u200b"
    if category in ("Me", "Cs") or "\ufe00" <= character <= "\ufe0f":
        return False
    # Unicode's combining classes: 10 to 35 are the points of Hebrew and Arabic, from 200 on accents above and
    # below, 1 strokes. What tells letters apart in the scripts of India and Japan (7, 8, 9, others) stays.
    combining = unicodedata.combining(character)
    return not (combining == 1 or 10 <= combining <= 35 or combining >= 200)


def _is_of_word(character: str) -> bool:
    return character.isalnum() or unicodedata.category(character) in ("Mn", "Mc")


_VALUES: Final = _Table(only_words=False)
_WORDS: Final = _Table(only_words=True)


def fold(text: str) -> str:
    """`text` in lower case without accents; punctuation and spaces stay."""
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFC", text.translate(_VALUES))


def fold_words(text: str) -> tuple[str, bool]:
    """The folded words of `text` with spaces between them, and whether some run of them is `UNSPACED`."""
    nearly_ascii = text if text.isascii() else _without_rare_characters(text)
    if nearly_ascii.isascii():
        return nearly_ascii.translate(_ASCII_WORDS), False
    folded = unicodedata.normalize("NFC", _WRAPPED.sub("", text).translate(_WORDS))
    return folded, UNSPACED.search(folded) is not None


def _without_rare_characters(text: str) -> str:
    """A Latin text with its few characters beyond ASCII folded: ten times faster than to look up all."""
    beyond = text.encode("utf-8", "surrogatepass").translate(None, _ASCII).decode("utf-8", "surrogatepass")
    if len(beyond) * _RARE > len(text):
        return text
    for character in set(beyond):
        text = text.replace(character, _WORDS[ord(character)])
    return text


def fold_characters(text: str) -> list[str]:
    """The fold of each character as part of a word: one or more characters, a space, or nothing."""
    return [_WORDS[code] for code in map(ord, text)]
