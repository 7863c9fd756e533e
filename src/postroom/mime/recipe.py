"""Cutting attachments out of a raw message, and putting the message back together byte for byte.

A raw message with an attachment holds the same bytes twice: decoded, as the attachment, and encoded, in the
message. What is left when the encoded bytes are cut out is the *skeleton*; the *recipe* says where each
attachment belongs in it and how it was encoded. An attachment is cut only if encoding it again gives exactly
what was there.
"""

from __future__ import annotations

import binascii
import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import lcm
from typing import Any, Literal

import pybase64

from postroom.model import Body, ParsedAttachment

MINIMUM_BYTES = 1024
"""Attachments smaller than this stay in the message: cutting them saves less than it costs."""

WINDOW_BYTES = 256 * 1024
_LONGEST_LINE = 10_000
"""Base64 in longer lines than this (RFC 2045 6.8 allows 76) is cut only when it is one line."""

_USUAL_LINE = 76
"""What nearly everybody writes (RFC 2045 6.8), and a library writes at once."""

FetchPieces = Callable[[bytes], Iterable[bytes]]
"""Gives the decoded bytes of the attachment with this SHA-256, in pieces of any size."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """An attachment that was cut out, and how its bytes were written in the message."""

    at: int
    """Where it belongs: an offset in the skeleton."""
    sha256: bytes
    encoding: Literal["identity", "base64"]
    line_length: int = 0
    """Characters in a line of base64; 0 when all is one line."""
    eol: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How to make the message again from its skeleton: cuts in the order of their places."""

    cuts: tuple[Cut, ...]

    def to_json(self) -> list[list[Any]]:
        """Plain lists, for a jsonb column."""
        return [[cut.at, cut.sha256.hex(), cut.encoding, cut.line_length, cut.eol] for cut in self.cuts]

    @classmethod
    def from_json(cls, value: Sequence[Sequence[Any]]) -> Recipe:
        names = ("at", "sha256", "encoding", "line_length", "eol")
        fields = [dict(zip(names, entry, strict=True)) for entry in value]
        return cls(cuts=tuple(Cut(**{**each, "sha256": bytes.fromhex(each["sha256"])}) for each in fields))


@dataclass(frozen=True, slots=True, kw_only=True)
class Skeleton:
    """What stays of a message: the stretches of it that were not cut out."""

    body: Body
    kept: tuple[tuple[int, int], ...]

    def __len__(self) -> int:
        return sum(end - start for start, end in self.kept)

    def __bytes__(self) -> bytes:
        return b"".join(self.body[start:end] for start, end in self.kept)

    def pieces(self) -> Iterator[bytes]:
        for start, end in self.kept:
            yield from _windows(self.body, start, end, WINDOW_BYTES)


# Cutting ----------------------------------------------------------------------------------------------------


def cut(
    body: Body,
    attachments: Sequence[ParsedAttachment],
    *,
    minimum_bytes: int = MINIMUM_BYTES,
    proves: bool = True,
) -> tuple[Recipe | None, Skeleton]:
    """The recipe and the skeleton of a message; no recipe and the whole message where nothing can be cut.

    Of attachments that lie in each other the outermost that can be cut is. Every cut has been proved: the
    encoder that will rebuild it gave the bytes that are there. Who rebuilds the message anyway can do without
    (`proves=False`): then only the lengths agree.
    """
    cuts: list[Cut] = []
    kept: list[tuple[int, int]] = []
    position = removed = 0
    for attachment in sorted(attachments, key=lambda each: (each.start, -each.end)):
        if attachment.start < position or attachment.size_bytes < minimum_bytes:
            continue
        found = _cut_one(body, attachment, removed, proves=proves)
        if found is None:
            continue
        one, start, end = found
        cuts.append(one)
        kept.append((position, start))
        position, removed = end, removed + end - start
    kept.append((position, len(body)))
    skeleton = Skeleton(body=body, kept=tuple((start, end) for start, end in kept if start < end))
    return (Recipe(cuts=tuple(cuts)) if cuts else None), skeleton


def _cut_one(
    body: Body, attachment: ParsedAttachment, removed: int, *, proves: bool
) -> tuple[Cut, int, int] | None:
    if attachment.encoding == "identity":
        start, end = attachment.start, attachment.end
        one = Cut(at=start - removed, sha256=attachment.sha256, encoding="identity")
    elif attachment.encoding == "base64":
        # The blank lines around the base64 stay in the skeleton: one thing less to remember.
        start, end = _without_blank_edges(body, attachment.start, attachment.end)
        line_length, eol = _line_shape(body, start, end)
        one = Cut(
            at=start - removed, sha256=attachment.sha256, encoding="base64", line_length=line_length, eol=eol
        )
    else:
        # Quoted-printable and uuencode have many spellings of the same bytes.
        return None
    if not _can_be(body, attachment, one, start, end):
        return None
    return (one, start, end) if not proves or _is_exact(body, attachment, one, start, end) else None


def _can_be(body: Body, attachment: ParsedAttachment, one: Cut, start: int, end: int) -> bool:
    """Whether the attachment, encoded again, is as long as what lies between `start` and `end`."""
    if (
        not 0 <= start < end <= len(body)
        or one.line_length > _LONGEST_LINE
        or (one.eol and not one.line_length)
    ):
        return False
    length = attachment.size_bytes
    if one.encoding == "base64":
        length = (length + 2) // 3 * 4
        length += (length - 1) // one.line_length * len(one.eol) if one.line_length else 0
    return length == end - start


def _is_exact(body: Body, attachment: ParsedAttachment, one: Cut, start: int, end: int) -> bool:
    """Whether the attachment, encoded again, is what lies between `start` and `end`."""
    digest = None if attachment.data is not None else hashlib.sha256()
    pieces = [attachment.data] if attachment.data is not None else _decoded(body, one, start, end)
    position = start
    try:
        for window in _encoded(_hashing(pieces, digest), one):
            if body[position : position + len(window)] != window:
                return False
            position += len(window)
    except binascii.Error:
        return False
    return position == end and (digest is None or digest.digest() == attachment.sha256)


def _hashing(pieces: Iterable[bytes], digest: Any) -> Iterator[bytes]:
    for piece in pieces:
        if digest is not None:
            digest.update(piece)
        yield piece


def _without_blank_edges(body: Body, start: int, end: int) -> tuple[int, int]:
    head = body[start : min(end, start + 1024)]
    start += len(head) - len(head.lstrip(b"\r\n"))
    tail = body[max(start, end - 1024) : end]
    return start, end - (len(tail) - len(tail.rstrip(b"\r\n")))


def _line_shape(body: Body, start: int, end: int) -> tuple[int, str]:
    """The length of the first line and what ends it."""
    first = body.find(b"\n", start, end)
    if first < 0:
        return 0, ""
    if first > start and body[first - 1 : first] == b"\r":
        return first - 1 - start, "\r\n"
    return first - start, "\n"


def _windows(body: Body, start: int, end: int, size: int) -> Iterator[bytes]:
    for position in range(start, end, size):
        yield body[position : min(position + size, end)]


def _decoded(body: Body, one: Cut, start: int, end: int) -> Iterator[bytes]:
    if one.encoding == "identity":
        yield from _windows(body, start, end, WINDOW_BYTES)
        return
    eol = one.eol.encode()
    lines, line = _rows_in_window(one), one.line_length + len(eol)
    for window in _windows(body, start, end, lines * line if eol else WINDOW_BYTES):
        yield pybase64.b64decode(window.replace(eol, b"") if eol else window, validate=True)


# Rebuilding -------------------------------------------------------------------------------------------------


def rebuild(skeleton: bytes | Iterable[bytes], recipe: Recipe | None, fetch: FetchPieces) -> Iterator[bytes]:
    """The exact bytes of the message, in pieces."""
    places = Places(recipe)
    for piece in [skeleton] if isinstance(skeleton, bytes) else skeleton:
        yield from _filled(places.feed(piece), fetch)
    yield from _filled(places.close(), fetch)


def _filled(items: Iterable[bytes | Cut], fetch: FetchPieces) -> Iterator[bytes]:
    for item in items:
        if isinstance(item, bytes):
            yield item
        else:
            yield from _encoded(fetch(item.sha256), item)


def verified(
    sha256: bytes, skeleton: bytes | Iterable[bytes], recipe: Recipe | None, fetch: FetchPieces
) -> bool:
    """Whether the message made again has this SHA-256."""
    digest = hashlib.sha256()
    for piece in rebuild(skeleton, recipe, fetch):
        digest.update(piece)
    return digest.digest() == sha256


def _encoded(pieces: Iterable[bytes], one: Cut) -> Iterator[bytes]:
    encoder = Encoder(one)
    for piece in pieces:
        yield from encoder.feed(piece)
    yield from encoder.close()


class Places:
    """Finds where the cuts belong in a skeleton that comes in pieces.

    It reads nothing itself: a caller who must wait for bytes can use it as well as one who need not.
    """

    def __init__(self, recipe: Recipe | None) -> None:
        self._waiting = deque(recipe.cuts if recipe else ())
        self._position = 0

    def feed(self, piece: bytes) -> Iterator[bytes | Cut]:
        """The piece, with the cuts that belong in it at their places."""
        end, offset = self._position + len(piece), 0
        while self._waiting and self._waiting[0].at < end:
            one = self._waiting.popleft()
            yield piece[offset : one.at - self._position]
            yield one
            offset = one.at - self._position
        yield piece[offset:]
        self._position = end

    def close(self) -> Iterator[Cut]:
        """The cuts that come after the last byte."""
        yield from self._waiting


class Encoder:
    """Writes the bytes of one attachment as the message had them, a window at a time."""

    def __init__(self, one: Cut) -> None:
        self.sha256 = one.sha256
        self._cut = one
        self._eol = one.eol.encode()
        self._held = bytearray()
        self._begun = False
        self._window = _rows_in_window(one) * one.line_length * 3 // 4 or WINDOW_BYTES * 3 // 4

    def feed(self, piece: bytes) -> Iterator[bytes]:
        if self._cut.encoding == "identity":
            yield piece
            return
        self._held += piece
        # One window is always held back: only `close` knows that a line is the last.
        while len(self._held) > self._window:
            yield self._lines(self._window)

    def close(self) -> Iterator[bytes]:
        if self._held:
            yield self._lines(len(self._held))

    def _lines(self, size: int) -> bytes:
        text = _in_lines(bytes(self._held[:size]), self._cut.line_length, self._eol)
        del self._held[:size]
        before = self._eol if self._begun else b""
        self._begun = True
        return before + text


def _in_lines(data: bytes, length: int, eol: bytes) -> bytes:
    if length == _USUAL_LINE:
        text = pybase64.encodebytes(data)[:-1]
        return text if eol == b"\n" else text.replace(b"\n", eol)
    text = pybase64.b64encode(data)
    return eol.join([text[at : at + length] for at in range(0, len(text), length)]) if length else text


def _rows_in_window(one: Cut) -> int:
    """How many lines make a window: whole lines that are whole groups of four characters as well."""
    if not one.line_length:
        return 0
    step = lcm(one.line_length, 4)
    return max(1, WINDOW_BYTES // step) * step // one.line_length
