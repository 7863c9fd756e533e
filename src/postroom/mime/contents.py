"""Contents: which parts are the text that the sender wrote, which the page, and which are attachments."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

from postroom.mime import bodies, charsets, identifiers, structure, transfer
from postroom.mime.defects import Defects
from postroom.mime.headers import decoded, read_fields
from postroom.mime.structure import Part
from postroom.model import Body, ParsedAttachment

HELD_BYTES = 4 * 1024 * 1024
"""A part larger than this is not held: its bytes are read in pieces when they are wanted."""
ALL_HELD_BYTES = 32 * 1024 * 1024
"""The same for all attachments of a message together, and for all its texts."""
MAX_NAME_CHARACTERS = 1000

_SHOWN_MEDIA = ("image/", "audio/", "video/", "text/")
_MESSAGES = ("message/rfc822", "message/global", "message/news")
_NAME_BYTES = 64 * 1024


class _Shown(NamedTuple):
    text: str
    is_page: bool
    alternative: int


class Contents:
    """Collects the leaves of a message."""

    def __init__(self, body: Body, defects: Defects) -> None:
        self.attachments: list[ParsedAttachment] = []
        self._body = body
        self._defects = defects
        self._shown: list[_Shown] = []
        self._held_text = 0
        self._held_data = 0

    def take(self, part: Part) -> None:
        """Take one leaf for what it is."""
        size = part.end - part.start
        if _is_shown(part):
            if size <= HELD_BYTES and self._held_text + size <= ALL_HELD_BYTES:
                self._held_text += size
                self._take_text(part)
                return
            self._defects.add("text-too-long")
        self.attachments.append(self._attachment(part))

    def text(self) -> str | None:
        """What a reader of plain text sees, in its order; None where no part is plain text.

        A page that is nobody's alternative belongs to it: HTML with a mailing list's footer behind it.
        """
        plain = [each for each in self._shown if not each.is_page]
        if not plain:
            return None
        told = {each.alternative for each in plain if each.alternative and not each.text.isspace()}
        texts: list[str] = []
        characters_left = bodies.HTML_CHARACTERS
        for each in self._shown:
            if not each.is_page:
                texts.append(each.text)
            elif each.alternative not in told and characters_left > 0:
                texts.append(bodies.html_to_text(each.text, characters_left))
                characters_left -= len(each.text)
        return _joined(texts)

    def html(self) -> str | None:
        """All pages in their order; None where there is none."""
        pages = [each.text for each in self._shown if each.is_page]
        return _joined(pages) if pages else None

    def _take_text(self, part: Part) -> None:
        text = self._decoded_text(part)
        if part.mime_type == "text/plain" and part.parameters.get("format", "").lower() == "flowed":
            deletes_space = part.parameters.get("delsp", "").lower() == "yes"
            text = bodies.unflowed(text, deletes_space=deletes_space)
        self._shown.append(_Shown(text, part.mime_type == "text/html", part.alternative))

    def _decoded_text(self, part: Part) -> str:
        # Each step lets go of what the one before it made, so that a large text is held twice at most.
        data = transfer.decoded(self._body[part.start : part.end], part.encoding)
        if part.mime_type == "text/plain" and bodies.holds_uuencoded(data):
            self._defects.add("uuencoded-text")
        has_nul = b"\x00" in data
        if b"\r" in data and not has_nul:  # UTF-16 has NUL; in every other charset these bytes are line ends
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        declared = part.parameters.get("charset")
        text, defect = charsets.decode(data, declared)
        del data
        if defect:
            self._defects.add(defect, f"the text is not in {declared[:80]!r}" if declared else "")
        if has_nul:
            if "\ufffd" in text:
                self._defects.add("nul")
            text = text.replace("\r\n", "\n").replace("\r", "\n")
        return text

    def _attachment(self, part: Part) -> ParsedAttachment:
        data, size, digest = self._data(part)
        content_id = identifiers.content_id(part.header.first("content-id"))
        is_inline = part.disposition != "attachment" and (
            part.disposition == "inline"
            or (content_id is not None and part.parent_type == "multipart/related")
        )
        return ParsedAttachment(
            filename=self._filename(part),
            mime_type=part.mime_type,
            content_id=content_id,
            is_inline=is_inline and part.mime_type.startswith(_SHOWN_MEDIA),
            size_bytes=size,
            sha256=digest,
            start=part.start,
            end=part.end,
            encoding=part.encoding,
            data=data,
        )

    def _data(self, part: Part) -> tuple[bytes | None, int, bytes]:
        size = part.end - part.start
        if size <= HELD_BYTES and self._held_data + size <= ALL_HELD_BYTES:
            data = transfer.decoded(self._body[part.start : part.end], part.encoding)
            self._held_data += len(data)
            return data, len(data), hashlib.sha256(data).digest()
        size, hashed = 0, hashlib.sha256()
        for piece in transfer.decoded_windows(self._body, part.start, part.end, part.encoding):
            size += len(piece)
            hashed.update(piece)
        return None, size, hashed.digest()

    def _filename(self, part: Part) -> str | None:
        if name := part.filename:
            return _one_line(name)
        if part.mime_type not in _MESSAGES:
            return None
        block = transfer.decoded(
            self._body[part.start : min(part.end, part.start + _NAME_BYTES)], part.encoding
        )
        header, _ = read_fields(structure.header_block(block))
        subject = decoded(header.first("subject") or "")[: MAX_NAME_CHARACTERS - 4]
        return (_one_line(subject) or "message").replace("/", "-") + ".eml"


def _is_shown(part: Part) -> bool:
    """Whether the part is what the sender wrote (after RFC 8621 4.1.4)."""
    if part.mime_type not in ("text/plain", "text/html") or part.disposition == "attachment":
        return False
    return part.index == 0 or (part.parent_type != "multipart/related" and part.filename is None)


def _one_line(name: str) -> str | None:
    return charsets.clean(" ".join(name.split()))[:MAX_NAME_CHARACTERS] or None


def _joined(texts: list[str]) -> str:
    if len(texts) == 1:
        return texts[0]
    pieces: list[str] = []
    for text in texts:
        if pieces and not pieces[-1].endswith("\n"):
            pieces.append("\n")
        if text:
            pieces.append(text)
    return "".join(pieces)
