"""Transfer encodings: the encoded bytes of a part to its own bytes, whole or in windows (RFC 2045 6)."""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator
from typing import Protocol

import pybase64

from postroom.model import Body, TransferEncoding

WINDOW_BYTES = 1024 * 1024

_BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="
_NOT_BASE64 = bytes(set(range(256)) - set(_BASE64))
_MOST_PADDINGS = 64
_TRAILING_BLANKS = re.compile(rb"(?<![ \t])[ \t]+(?=\r?\n)")
_SOFT_BREAK_AND_BLANKS = re.compile(rb"=[ \t]+(?=\r?\n)")
_UU_BEGIN = re.compile(rb"^begin [0-7]{3,4} [^\n]*\n", re.MULTILINE)
_SAMPLE_BYTES = 64 * 1024
_STEP_BYTES = 16 * 1024
_MOST_BROKEN_LINES = 1000


class _Decoder(Protocol):
    def feed(self, raw: bytes) -> bytes: ...

    def close(self) -> bytes: ...


def decoded(raw: bytes, encoding: TransferEncoding) -> bytes:
    """The bytes of a part that is held. What is broken gives what can be had of it."""
    if encoding == "identity":
        return raw
    if encoding == "base64" and _is_padded_at_the_end_only(raw):
        try:
            return pybase64.b64decode(raw.translate(None, b"\r\n"), validate=True)
        except binascii.Error:
            pass  # the padding is missing, or there is more than base64
    decoder = _DECODERS[encoding]()
    pieces = [decoder.feed(raw[at : at + _STEP_BYTES]) for at in range(0, len(raw), _STEP_BYTES)]
    return b"".join([*pieces, decoder.close()])


def decoded_windows(
    body: Body, start: int, end: int, encoding: TransferEncoding, size: int = WINDOW_BYTES
) -> Iterator[bytes]:
    """The same bytes for a part that is too large to hold, in pieces of at most `size`."""
    decoder = _DECODERS[encoding]() if encoding != "identity" else None
    for at in range(start, end, size):
        raw = body[at : min(at + size, end)]
        piece = decoder.feed(raw) if decoder else raw
        if piece:
            yield piece
    if decoder and (rest := decoder.close()):
        yield rest


def is_base64(body: Body, start: int, end: int) -> bool:
    """Whether what is labelled base64 looks like it: at most one byte in twenty is of no use there.

    Spaces count: base64 has none, sentences have many.
    """
    sample = body[start : min(end, start + _SAMPLE_BYTES)]
    return len(sample.translate(None, _BASE64 + b"\r\n")) * 20 <= len(sample)


def _is_padded_at_the_end_only(raw: bytes) -> bool:
    first = raw.find(b"=")
    return first < 0 or (len(raw) - first < 1024 and not raw[first:].strip(b"=\r\n \t"))


class _Base64:
    """RFC 2045 6.8: what is not of the alphabet is passed over. Several in a row are decoded in turn."""

    def __init__(self) -> None:
        self._held = b""
        self._paddings = 0

    def feed(self, raw: bytes) -> bytes:
        if self._paddings > _MOST_PADDINGS:
            return b""
        *ended, rest = (self._held + raw.translate(None, _NOT_BASE64)).split(b"=", _MOST_PADDINGS * 2)
        usable = len(rest) - len(rest) % 4
        self._held = rest[usable:]
        pieces = [_group(each) for each in ended if each]
        self._paddings += len(pieces)
        if self._paddings > _MOST_PADDINGS:
            return b"".join(pieces)
        pieces.append(_group(rest[:usable]))
        return b"".join(pieces)

    def close(self) -> bytes:
        return _group(self._held)


def _group(compact: bytes) -> bytes:
    if b"=" in compact:  # more paddings than any sender writes
        return b""
    if len(compact) % 4 == 1:  # six bits of a byte whose others are lost
        compact = compact[:-1]
    return pybase64.b64decode(compact + b"=" * (-len(compact) % 4), validate=True)


class _Lines:
    """Hands on whole lines, so that nothing that belongs together is cut."""

    def __init__(self) -> None:
        self._held = b""

    def feed(self, raw: bytes) -> bytes:
        piece = self._held + raw
        cut = piece.rfind(b"\n") + 1
        if not cut and len(piece) > WINDOW_BYTES:
            cut = len(piece) - 3
            cut -= 2 - piece[cut - 2 : cut].find(b"=") if b"=" in piece[cut - 2 : cut] else 0
        self._held = piece[cut:]
        return self._decode(piece[:cut]) if cut else b""

    def close(self) -> bytes:
        return self._decode(self._held)

    def _decode(self, lines: bytes) -> bytes:
        raise NotImplementedError


class _QuotedPrintable(_Lines):
    """RFC 2045 6.7; binascii leaves alone what is no pair of hexadecimal digits."""

    def _decode(self, lines: bytes) -> bytes:
        if b"= " in lines or b"=\t" in lines:
            lines = _SOFT_BREAK_AND_BLANKS.sub(b"=", lines)
        return binascii.a2b_qp(_without_trailing_blanks(lines))


def _without_trailing_blanks(lines: bytes) -> bytes:
    """RFC 2045 6.7 (3): they were added on the way."""
    for _ in range(3):  # most are single, and `replace` is faster by far than a pattern
        if b" \n" in lines or b" \r\n" in lines:
            lines = lines.replace(b" \r\n", b"\r\n").replace(b" \n", b"\n")
    if any(blank in lines for blank in (b" \n", b" \r\n", b"\t\n", b"\t\r\n")):
        lines = _TRAILING_BLANKS.sub(b"", lines)
    return lines


class _Uuencode(_Lines):
    """The lines between `begin` and `end`, or all of them where there is no `begin`."""

    def __init__(self) -> None:
        super().__init__()
        self._is_first = True
        self._is_over = False
        self._broken_lines = 0

    def _decode(self, lines: bytes) -> bytes:
        if self._is_first and (begin := _UU_BEGIN.search(lines)):
            lines = lines[begin.end() :]
        self._is_first = False
        pieces: list[bytes] = []
        for line in lines.splitlines():
            if self._is_over or line in (b"end", b"`"):  # a line of no bytes is the last
                self._is_over = True
                break
            piece = _uu_line(line) if line else b""
            if piece is None:
                self._broken_lines += 1
                self._is_over = self._broken_lines > _MOST_BROKEN_LINES
            pieces.append(piece or b"")
        return b"".join(pieces)


def _uu_line(line: bytes) -> bytes | None:
    # Some lines are longer than their first character says.
    wanted = ((line[0] - 32 & 63) * 4 + 2) // 3
    for each in (line, line[: wanted + 1]):
        try:
            return binascii.a2b_uu(each)
        except binascii.Error:
            pass
    return None


_DECODERS: dict[TransferEncoding, type[_Decoder]] = {
    "base64": _Base64,
    "quoted-printable": _QuotedPrintable,
    "uuencode": _Uuencode,
}
