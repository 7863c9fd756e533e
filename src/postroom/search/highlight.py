"""Snippets: the piece of a text that shows best why it was found, with the found words marked.

The text is folded a chunk at a time, and the first chunk with all terms is taken, so that a page of results
costs little even where the texts are long.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate, islice
from typing import Final

from postroom.search.fold import UNSPACED, fold_characters, fold_words
from postroom.search.nodes import Match
from postroom.search.tokens import is_unspaced

SCANNED_CHARACTERS: Final = 200_000
_CHUNK: Final = 4_000
_MOST_HITS: Final = 100
_ELLIPSIS: Final = "…"
_LETTER: Final = f"[^\\s{UNSPACED.pattern[1:-2]}]"
"""A character of a folded word of a script with spaces."""


@dataclass(frozen=True, slots=True)
class _Hit:
    start: int
    end: int
    term: int


def snippet(
    text: str, terms: Sequence[Match], *, width: int = 160, mark: tuple[str, str] = ("\x02", "\x03")
) -> str:
    """About `width` characters of `text` around the most terms, each between the marks; else its beginning.

    White space is folded, "…" stands where text was left out. The marks themselves are taken out of the text,
    so that each opening one in the result has its closing one.
    """
    text = unicodedata.normalize("NFC", text[:SCANNED_CHARACTERS])
    for sign in mark:
        text = text.replace(sign, "")
    hits = _best_hits(text, terms) if terms else []
    start, end = _window(text, hits, width)
    inside = [hit for hit in _apart(hits) if start <= hit.start and hit.end <= end]
    return _marked(text, start, end, inside, mark)


def _best_hits(text: str, terms: Sequence[Match]) -> list[_Hit]:
    """The hits of the first chunk that has all terms, or of the one that has most of them."""
    best: list[_Hit] = []
    most = 0
    for start, end in _chunks(text):
        hits = _hits(text[start:end], start, terms)
        found = len({hit.term for hit in hits})
        if found > most:
            best, most = hits, found
        if most == len(terms):
            break
    return best


def _chunks(text: str) -> Iterator[tuple[int, int]]:
    """Where to cut the text: after white space where there is some."""
    start = 0
    while start < len(text):
        end = min(start + _CHUNK, len(text))
        if end < len(text):
            end = max(text.rfind(" ", start, end), text.rfind("\n", start, end)) + 1 or end
        yield start, end
        start = end


def _hits(chunk: str, start: int, terms: Sequence[Match]) -> list[_Hit]:
    """Where the terms are in a chunk that begins at `start`."""
    folded, _ = fold_words(chunk)
    here = [number for number, term in enumerate(terms) if all(part in folded for part in term.parts)]
    if not here:
        return []
    folded, offsets = _aligned(chunk, folded)
    hits: list[_Hit] = []
    for number in here:
        for found in islice(_pattern(terms[number]).finditer(folded), _MOST_HITS):
            first = bisect_right(offsets, found.start()) - 1
            last = bisect_right(offsets, found.end() - 1) - 1
            hits.append(_Hit(start + first, start + last + 1, number))
    return sorted(hits, key=lambda hit: (hit.start, -hit.end))


def _aligned(chunk: str, folded: str) -> tuple[str, Sequence[int]]:
    """The chunk folded, and where in it the fold of each character begins."""
    if chunk.isascii():
        return folded, range(len(chunk))
    pieces = fold_characters(chunk)
    return "".join(pieces), list(accumulate(map(len, pieces), initial=0))


@lru_cache
def _pattern(term: Match) -> re.Pattern[str]:
    """The term as it stands in a folded text, where whatever is no letter or digit has become a space."""
    *others, last = term.parts
    parts = [_part(part, is_prefix=False) for part in others] + [_part(last, is_prefix=term.is_prefix)]
    return re.compile(r"\s*".join(parts))


def _part(part: str, *, is_prefix: bool) -> str:
    if is_unspaced(part):
        return r"\s?".join(part)  # a sentence may be wrapped anywhere
    end = f"{_LETTER}*" if is_prefix else f"(?!{_LETTER})"
    return f"(?<!{_LETTER}){re.escape(part)}{end}"


def _apart(hits: Sequence[_Hit]) -> list[_Hit]:
    """The hits without those that another one overlaps."""
    apart: list[_Hit] = []
    for hit in hits:
        if not apart or hit.start >= apart[-1].end:
            apart.append(hit)
    return apart


def _window(text: str, hits: Sequence[_Hit], width: int) -> tuple[int, int]:
    """From where to where: whole words if it can be, a little before the first hit."""
    first = _densest(hits, width)
    before = 0 if first is None else max(0, first.start - width // 4)
    start = max(0, min(before, len(text) - width))
    end = min(len(text), start + width)
    if first is not None:
        end = max(end, min(first.end, start + 2 * width))
    return _word_start(text, start, first), _word_end(text, start, end, first)


def _densest(hits: Sequence[_Hit], width: int) -> _Hit | None:
    """The first hit of the window with most different terms."""

    def terms_from(hit: _Hit) -> int:
        limit = hit.start + width * 3 // 4
        return len({other.term for other in hits if hit.start <= other.start and other.end <= limit})

    return max(hits[:_MOST_HITS], key=terms_from, default=None)


def _word_start(text: str, start: int, first: _Hit | None) -> int:
    if start == 0 or text[start - 1].isspace():
        return start
    limit = start + 20 if first is None else min(first.start, start + 20)
    space = re.compile(r"\s+").search(text, start, limit)
    return space.end() if space else start


def _word_end(text: str, start: int, end: int, first: _Hit | None) -> int:
    if end == len(text) or text[end].isspace():
        return end
    least = max(end - 20, start if first is None else first.end)
    spaces = [found.start() for found in re.compile(r"\s+").finditer(text, least, end)]
    return spaces[-1] if spaces else end


def _marked(text: str, start: int, end: int, hits: Sequence[_Hit], mark: tuple[str, str]) -> str:
    pieces: list[str] = []
    at = start
    for hit in hits:
        pieces += [text[at : hit.start], mark[0], text[hit.start : hit.end], mark[1]]
        at = hit.end
    shown = " ".join("".join([*pieces, text[at:end]]).split())
    before = _ELLIPSIS if text[:start].strip() else ""
    after = _ELLIPSIS if text[end:].strip() else ""
    return before + shown + after
