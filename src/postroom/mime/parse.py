"""Parse: what a message says. Total: any bytes give a ParsedMessage, and what was wrong is a defect of it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from postroom.mime import bodies, charsets, structure
from postroom.mime.addresses import parse_addresses
from postroom.mime.dates import parse_date
from postroom.mime.headers import Fields, decode_words, first, split_fields, text_of, unfolded
from postroom.mime.structure import Part
from postroom.model import Address, Body, ParsedAttachment, ParsedMessage

HELD_BYTES = 4 * 1024 * 1024
"""A part larger than this is not held: its bytes are read in pieces when they are wanted."""

_BRACKETED = re.compile(r"<\s*([^<>]{1,2000}?)\s*>")
_SHOWN_MEDIA = ("image/", "audio/", "video/")


@dataclass(slots=True)
class _Content:
    texts: list[str] = field(default_factory=list)
    htmls: list[str] = field(default_factory=list)
    attachments: list[ParsedAttachment] = field(default_factory=list)
    defects: list[str] = field(default_factory=list)


def parse(body: Body) -> ParsedMessage:
    """Everything that the product wants to know of a message. Never raises."""
    root, leaves, defects = structure.scan(body)
    content = _Content(defects=defects)
    for leaf in leaves:
        _take(body, leaf, content)
    fields = root.fields
    text = "\n".join(content.texts) if content.texts else None
    html = "\n".join(content.htmls) if content.htmls else None
    date_header = _text(fields, "date")
    sent_at = parse_date(date_header) if date_header else None
    if root.garbage_lines and fields and not _is_from_line(body):
        content.defects.append(f"header: {root.garbage_lines} lines are not fields")
    if sent_at is None:
        content.defects.append("date: not a date" if date_header else "date: there is none")
    message_id = _message_id(fields)
    if message_id is None:
        content.defects.append("message-id: there is none that can be used")
    return ParsedMessage(
        message_id=message_id,
        in_reply_to=_ids(fields, "in-reply-to"),
        references=_ids(fields, "references"),
        from_=_all_addresses(fields, "from"),
        to=_all_addresses(fields, "to"),
        cc=_all_addresses(fields, "cc"),
        bcc=_all_addresses(fields, "bcc"),
        reply_to=_all_addresses(fields, "reply-to"),
        subject=_text(fields, "subject") or "",
        date_header=date_header,
        sent_at=sent_at,
        received_at=_received(fields),
        list_id=_list_id(fields),
        headers=tuple((name, text_of(value)) for name, value in fields),
        text=text,
        html=html,
        preview=bodies.preview_of(text, html),
        attachments=tuple(content.attachments),
        defects=tuple(dict.fromkeys(content.defects)),
    )


def decoded_pieces(body: Body, attachment: ParsedAttachment) -> Iterator[bytes]:
    """The decoded bytes of a part in pieces of up to a megabyte, for parts that are too large to hold."""
    if attachment.data is not None:
        return iter((attachment.data,))
    return bodies.decoded_windows(body, attachment.start, attachment.end, attachment.encoding)


def _take(body: Body, part: Part, content: _Content) -> None:
    if _is_text(part):
        if part.end - part.start <= HELD_BYTES:
            _take_text(body, part, content)
            return
        content.defects.append("text: too long to be shown, kept as an attachment")
    content.attachments.append(_attachment(body, part))


def _is_text(part: Part) -> bool:
    """Whether the part is what the sender wrote (after RFC 8621 4.1.4)."""
    if part.mime_type not in ("text/plain", "text/html") or part.disposition == "attachment":
        return False
    return part.index == 0 or (part.parent_type != "multipart/related" and part.filename is None)


def _take_text(body: Body, part: Part, content: _Content) -> None:
    raw = body[part.start : part.end]
    data = bodies.decoded(raw, part.encoding)
    text, defect = charsets.decode(data, part.parameters.get("charset"))
    if defect:
        content.defects.append(defect)
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if part.mime_type == "text/html":
        content.htmls.append(text)
        return
    if part.parameters.get("format", "").lower() == "flowed":
        text = bodies.unflowed(text, delete_space=part.parameters.get("delsp", "").lower() == "yes")
    if bodies.holds_uuencoded(raw):
        content.defects.append("uuencode: a file stands in the text")
    content.texts.append(text)


def _attachment(body: Body, part: Part) -> ParsedAttachment:
    data: bytes | None = None
    if part.end - part.start <= HELD_BYTES:
        data = bodies.decoded(body[part.start : part.end], part.encoding)
        size, digest = len(data), hashlib.sha256(data).digest()
    else:
        size, hashed = 0, hashlib.sha256()
        for piece in bodies.decoded_windows(body, part.start, part.end, part.encoding):
            size += len(piece)
            hashed.update(piece)
        digest = hashed.digest()
    content_id = first(part.fields, "content-id")
    is_inline = part.disposition != "attachment" and (
        part.disposition == "inline" or (content_id is not None and part.parent_type == "multipart/related")
    )
    return ParsedAttachment(
        filename=_filename(body, part),
        mime_type=charsets.clean(part.mime_type),
        content_id=unfolded(content_id).strip("<> ") or None if content_id else None,
        is_inline=is_inline
        and (part.mime_type.startswith(_SHOWN_MEDIA) or part.mime_type.startswith("text/")),
        size_bytes=size,
        sha256=digest,
        start=part.start,
        end=part.end,
        encoding=part.encoding,
        data=data,
    )


def _filename(body: Body, part: Part) -> str | None:
    if part.filename:
        return charsets.clean(" ".join(part.filename.split())) or None
    if part.mime_type == "message/rfc822":
        fields, _ = split_fields(body[part.start : min(part.end, part.start + 65536)].split(b"\n\n", 1)[0])
        return f"{_text(fields, 'subject') or 'message'}.eml".replace("/", "-")
    return None


def _text(fields: Fields, name: str) -> str | None:
    raw = first(fields, name)
    return None if raw is None else text_of(raw)


def _all_addresses(fields: Fields, name: str) -> tuple[Address, ...]:
    """A field that stands twice (RFC 5322 3.6 forbids it) is read twice: nobody is dropped."""
    values = [value for each, value in fields if each.lower() == name]
    return tuple(address for value in values for address in parse_addresses(value))


def _message_id(fields: Fields) -> str | None:
    raw = first(fields, "message-id")
    if raw is None:
        return None
    text = unfolded(raw)
    found = _BRACKETED.search(text)
    value = found[1] if found else text.strip("<> \t")
    value = "".join(value.split())
    return value if value and len(value) <= 2000 else None


def _ids(fields: Fields, name: str) -> tuple[str, ...]:
    """The ids between angle brackets, in their order, each once (RFC 5322 3.6.4)."""
    raw = first(fields, name)
    if raw is None:
        return ()
    return tuple(dict.fromkeys("".join(found.split()) for found in _BRACKETED.findall(unfolded(raw))))


def _received(fields: Fields) -> datetime | None:
    raw = first(fields, "received")
    return parse_date(unfolded(raw).rpartition(";")[2]) if raw is not None else None


def _list_id(fields: Fields) -> str | None:
    """RFC 2919 2: List-Id: an optional phrase, then the identifier between angle brackets."""
    raw = first(fields, "list-id")
    if raw is None:
        return None
    text = decode_words(unfolded(raw))
    found = _BRACKETED.search(text)
    value = (found[1] if found else text).strip().lower()
    return charsets.clean(value[:500]) or None


def _is_from_line(body: Body) -> bool:
    return body[0:5] == b"From " or body[0:6] == b">From "


def headers_only(head: bytes) -> list[tuple[str, str]]:
    """The fields at the beginning of a message in their order, decoded."""
    root, _, _ = structure.scan(head)
    return [(name, text_of(value)) for name, value in root.fields]
