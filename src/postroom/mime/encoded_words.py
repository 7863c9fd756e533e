"""Encoded words: text in header fields that is not ASCII (RFC 2047), as written well and badly."""

from __future__ import annotations

import binascii
import re

from postroom.mime import charsets

_OPENING = re.compile(r"=\?([^?\s]{1,60})\?([bBqQ])\?")
_NOT_BASE64 = bytes(
    set(range(256)) - set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
)


def decode_words(text: str) -> str:
    """The text with its encoded words decoded; what only looks like one stays as it is."""
    if "=?" not in text:
        return text
    pieces = _Pieces()
    position, closing = 0, -1
    opening = _OPENING.search(text)
    while opening:
        start, inside = opening.span()
        if closing < inside:
            closing = text.find("?=", inside)
            if closing < 0:
                break
        following = _OPENING.search(text, inside)
        if following and following.start() < closing:
            opening = following  # this one never ends
            continue
        pieces.literal(text[position:start])
        pieces.word(opening[1], opening[2], text[inside:closing])
        position = closing + 2
        opening = (
            following if following and following.start() >= position else _OPENING.search(text, position)
        )
    pieces.literal(text[position:])
    return charsets.clean(pieces.text())


class _Pieces:
    """Collects literal text and words.

    Neighbouring words of one charset are decoded together, because programs split characters over two of them
    (RFC 2047 5 (3) forbids it).
    """

    def __init__(self) -> None:
        self._done: list[str] = []
        self._data: list[bytes] = []
        self._charset = ""
        self._base64 = ""
        """Base64 of a word that ended in the middle of a group of four: the next word goes on with it."""

    def literal(self, text: str) -> None:
        if self._charset and (not text or text.isspace()):
            return  # RFC 2047 6.2: white space between two encoded words is not shown; see `text` for the end
        self._flush()
        self._done.append(text)

    def word(self, charset: str, encoding: str, encoded: str) -> None:
        charset = charset.partition("*")[0].lower()  # RFC 2231 5: a language may follow
        if charset != self._charset:
            self._flush()
            self._charset = charset
        if encoding in "qQ":
            self._close_base64()
            self._data.append(_q(encoded))
            return
        self._base64 += encoded
        if len(self._base64) % 4 == 0 or self._base64.endswith("="):
            self._close_base64()

    def text(self) -> str:
        self._flush()
        return "".join(self._done)

    def _close_base64(self) -> None:
        if self._base64:
            self._data.append(_b(self._base64))
            self._base64 = ""

    def _flush(self) -> None:
        self._close_base64()
        if self._data:
            text, _ = charsets.decode(b"".join(self._data), self._charset)
            self._done.append(_one_line(text))
        self._data, self._charset = [], ""


def _one_line(text: str) -> str:
    """A header field is one line, whatever was encoded into it."""
    return " ".join(text.splitlines()) if not text.isprintable() else text


def _q(encoded: str) -> bytes:
    # RFC 2047 4.2: with `header`, an underscore is a space
    return binascii.a2b_qp(encoded.encode("utf-8", "surrogatepass"), header=True)


def _b(encoded: str) -> bytes:
    raw = encoded.encode("ascii", "ignore")
    try:
        return binascii.a2b_base64(raw)
    except binascii.Error:
        compact = raw.translate(None, _NOT_BASE64)
        compact = compact[: len(compact) - 1] if len(compact) % 4 == 1 else compact
        return binascii.a2b_base64(compact + b"=" * (-len(compact) % 4))
