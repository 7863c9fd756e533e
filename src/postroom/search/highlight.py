"""Snippets: the stretch of a text that shows why it was found, with the words marked."""

from __future__ import annotations

import re
from collections.abc import Sequence

from postroom.search.fold import fold
from postroom.search.nodes import Match
from postroom.search.tokens import is_unspaced

_WORD = re.compile(r"[^\W_]+")
MAX_CHARACTERS = 200_000
"""So much of a text is looked through."""


def snippet(
    text: str, terms: Sequence[Match], *, width: int = 160, mark: tuple[str, str] = ("\x02", "\x03")
) -> str:
    """About `width` characters around the most matches, white space folded, matches between the two marks."""
    text = " ".join(text[:MAX_CHARACTERS].split())
    spans = _spans(text, terms)
    start = _best_start(spans, width)
    begin = 0 if start < width // 4 else _word_start(text, start - width // 4)
    end = len(text) if begin + width >= len(text) else _word_end(text, begin + width)
    pieces, position = (["…"] if begin else []), begin
    for left, right in spans:
        if left >= begin and right <= end:
            pieces += [text[position:left], mark[0], text[left:right], mark[1]]
            position = right
    pieces.append(text[position:end])
    return "".join(pieces) + ("…" if end < len(text) else "")


def _spans(text: str, terms: Sequence[Match]) -> list[tuple[int, int]]:
    """Where the words stand, in order, without overlaps."""
    wanted = [(term.parts, term.is_prefix) for term in terms]
    whole = {word for words, is_open in wanted for word in (words[:-1] if is_open else words)}
    starts = tuple(words[-1] for words, is_open in wanted if is_open and words)
    unspaced = [re.escape(word) for word in whole if is_unspaced(word)]
    if not whole and not starts:
        return []
    found = []
    for match in _WORD.finditer(text):
        folded = fold(match[0])
        if folded in whole or (starts and folded.startswith(starts)):
            found.append(match.span())
    if unspaced:
        found += [match.span() for match in re.finditer("|".join(unspaced), text, re.IGNORECASE)]
    return _without_overlaps(sorted(set(found)))


def _without_overlaps(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    kept: list[tuple[int, int]] = []
    for span in spans:
        if not kept or span[0] >= kept[-1][1]:
            kept.append(span)
    return kept


def _best_start(spans: list[tuple[int, int]], width: int) -> int:
    """The match with the most others behind it within the width."""
    best, most, right = 0, 0, 0
    for left in range(len(spans)):
        while right < len(spans) and spans[right][1] - spans[left][0] <= width * 3 // 4:
            right += 1
        if right - left > most:
            best, most = spans[left][0], right - left
    return best


def _word_start(text: str, position: int) -> int:
    space = text.find(" ", position, position + 30)
    return space + 1 if space >= 0 else position


def _word_end(text: str, position: int) -> int:
    space = text.rfind(" ", max(0, position - 30), position)
    return space if space >= 0 else position
