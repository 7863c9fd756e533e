"""Words: what a text is cut into, alike for a message and for a query.

A word is a run of letters and digits, folded; everything else separates. Scripts that put no space between
words are cut into overlapping pairs: `東京都` is `東京 京都 都`, each at the place of its first character. A
query for `東京都` is the phrase of its pairs, one for `都` a prefix: so any part of a sentence is found.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from postroom.search.fold import UNSPACED, fold_words

WORD_LENGTH: Final = 64
"""Longer words (hashes, encoded data) are cut to this many characters, in messages and in queries."""

_RUNS: Final = re.compile(f"{UNSPACED.pattern}|[^{UNSPACED.pattern[1:-2]}]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """One word of a query, and its place in the phrase it belongs to."""

    text: str
    place: int = 0
    is_prefix: bool = False


def words(text: str) -> list[str]:
    """The words of a text to be found, each at the place of its index."""
    folded, has_unspaced = fold_words(text)
    found = _with_pairs(folded) if has_unspaced else folded.split()
    if found and max(map(len, found)) > WORD_LENGTH:
        return [word[:WORD_LENGTH] for word in found]
    return found


def runs(text: str) -> tuple[str, ...]:
    """The text as somebody who looks for it means it: folded words, scripts without spaces uncut."""
    folded, has_unspaced = fold_words(text)
    if not has_unspaced:
        return tuple(folded.split())
    return tuple(run for piece in folded.split() for run in _RUNS.findall(piece))


def phrase(runs: Sequence[str], *, is_prefix: bool = False) -> tuple[Word, ...]:
    """The words that must stand one after the other for these runs to be in a text."""
    found: list[Word] = []
    place = 0
    for run in runs:
        found += _run_words(run, place)
        place += len(run) if is_unspaced(run) else 1
    if is_prefix and found:
        last = found[-1]
        found[-1] = Word(text=last.text, place=last.place, is_prefix=True)
    return tuple(found)


def is_unspaced(run: str) -> bool:
    return UNSPACED.match(run) is not None


def _run_words(run: str, place: int) -> list[Word]:
    if not is_unspaced(run):
        return [Word(text=run[:WORD_LENGTH], place=place)]
    if len(run) == 1:
        return [Word(text=run, place=place, is_prefix=True)]
    # The last pair, a single character, is left out: in the text the sentence may go on.
    return [Word(text=pair, place=place + index) for index, pair in enumerate(_pairs(run)[:-1])]


def _with_pairs(folded: str) -> list[str]:
    found: list[str] = []
    for piece in folded.split():
        if piece.isascii():
            found.append(piece)
            continue
        for run in _RUNS.findall(piece):
            found += _pairs(run) if is_unspaced(run) else [run]
    return found


def _pairs(run: str) -> list[str]:
    """Each character with the one after it; the last alone."""
    return [run[index : index + 2] for index in range(len(run))]
