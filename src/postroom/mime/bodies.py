"""Bodies: encoded bytes to decoded bytes, texts to what a person reads."""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator

from resiliparse.extract.html2text import extract_plain_text

from postroom.mime.headers import base64_bytes
from postroom.model import Body, TransferEncoding

WINDOW_BYTES = 768 * 1024
PREVIEW_CHARACTERS = 200
HTML_CHARACTERS = 512 * 1024
"""So much of a page is read for its words; the page itself is kept whole."""

_NOT_BASE64 = bytes(
    set(range(256)) - set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=")
)
_UU_BEGIN = re.compile(rb"^begin [0-7]{3,4} \S", re.MULTILINE)
_TAG = re.compile(r"<[^>]{0,2000}>")
_INVISIBLE = str.maketrans("", "", "​‌‍⁠﻿­͏")


def decoded(raw: bytes, encoding: TransferEncoding) -> bytes:
    """The bytes of a part that is held (RFC 2045 6). What is broken gives what can be had of it."""
    if encoding == "base64":
        return _base64(raw.translate(None, _NOT_BASE64))
    if encoding == "quoted-printable":
        return binascii.a2b_qp(raw)
    if encoding == "uuencode":
        return _uudecoded(raw)
    return raw


def decoded_windows(body: Body, start: int, end: int, encoding: TransferEncoding) -> Iterator[bytes]:
    """The same for a part that is too large to hold, in pieces of up to a megabyte."""
    held = b""
    for at in range(start, end, WINDOW_BYTES):
        piece = held + body[at : min(at + WINDOW_BYTES, end)]
        held = b""
        if encoding == "base64":
            piece = piece.translate(None, _NOT_BASE64)
            if at + WINDOW_BYTES < end:
                usable = len(piece) - len(piece) % 4
                piece, held = piece[:usable], piece[usable:]
        elif encoding in ("quoted-printable", "uuencode") and at + WINDOW_BYTES < end:
            usable = piece.rfind(b"\n") + 1 or len(piece)
            piece, held = piece[:usable], piece[usable:]
        yield decoded(piece, encoding)
    if held:
        yield decoded(held, encoding)


def _base64(compact: bytes) -> bytes:
    if b"=" not in compact[:-2] and len(compact) % 4 == 0:
        try:
            return binascii.a2b_base64(compact)
        except binascii.Error:
            return base64_bytes(compact)
    # Padding in the middle: several encodings in a row.
    return b"".join(base64_bytes(piece) for piece in re.split(rb"=+", compact) if piece)


def _uudecoded(raw: bytes) -> bytes:
    pieces = []
    for line in raw.splitlines():
        if line.startswith(b"begin ") or line in (b"end", b"`", b""):
            continue
        try:
            pieces.append(binascii.a2b_uu(line))
        except binascii.Error:
            # The line is longer or shorter than its first character says.
            wanted = ((line[0] - 32 & 63) * 4 + 5) // 3
            try:
                pieces.append(binascii.a2b_uu(line[: wanted + 1]))
            except binascii.Error:
                pieces.append(b"")
    return b"".join(pieces)


def holds_uuencoded(raw: bytes) -> bool:
    return b"begin " in raw and _UU_BEGIN.search(raw) is not None


def unflowed(text: str, *, delete_space: bool) -> str:
    """Paragraphs of RFC 3676 4: a line that ends in a space goes on in the next of the same quote depth."""
    lines: list[str] = []
    depth_before, is_open = 0, False
    for line in text.split("\n"):
        stripped = line.lstrip(">")
        depth = len(line) - len(stripped)
        content = stripped.removeprefix(" ")  # RFC 3676 4.4: space-stuffing
        flows = content.endswith(" ") and content != "-- "  # RFC 3676 4.3: the signature line
        if is_open and depth == depth_before and content != "-- ":
            lines[-1] += content
        else:
            lines.append(">" * depth + (" " if depth else "") + content)
        if flows and delete_space:
            lines[-1] = lines[-1][:-1]
        depth_before, is_open = depth, flows
    return "\n".join(lines)


def html_to_text(html: str, limit: int = HTML_CHARACTERS) -> str:
    """What a reader of the page sees, for previews and words."""
    try:
        return extract_plain_text(html[:limit], main_content=False, alt_texts=True, links=False)
    except (ValueError, RuntimeError):
        return _TAG.sub(" ", html[:limit])


def preview_of(text: str | None, html: str | None) -> str:
    """The first 200 characters, white space folded."""
    source = text if text and not text.isspace() else html_to_text(html, 64 * 1024) if html else ""
    return " ".join(source[:4000].translate(_INVISIBLE).split())[:PREVIEW_CHARACTERS]
