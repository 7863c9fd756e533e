"""Parse: what a message says. Total: any bytes give a ParsedMessage, and what was wrong is a defect of it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from postroom.mime import identifiers, transfer
from postroom.mime.addresses import parse_addresses
from postroom.mime.bodies import preview_of
from postroom.mime.contents import Contents
from postroom.mime.dates import parse_date
from postroom.mime.defects import Defects
from postroom.mime.headers import Header, decoded, plain
from postroom.mime.structure import Part, Walk, read_root
from postroom.model import Address, Body, ParsedAttachment, ParsedMessage


def parse(body: Body) -> ParsedMessage:
    """Everything that the product wants to know of a message. Never raises.

    Memory is bounded by what is kept: texts and attachments up to `contents.HELD_BYTES` each.
    """
    defects = Defects()
    root = read_root(body, defects)
    contents = Contents(body, defects)
    for leaf in Walk(body, root, defects).leaves():
        contents.take(leaf)
    text, html = contents.text(), contents.html()
    header, charset = root.header, root.parameters.get("charset")
    message_id = identifiers.message_id(header.first("message-id"))
    if message_id is None:
        defects.add("message-id-missing")
    date_header, sent_at = _date(header, defects)
    fields = _texts(root)
    return ParsedMessage(
        message_id=message_id,
        in_reply_to=identifiers.message_ids(header.first("in-reply-to")),
        references=_references(header, defects),
        from_=_addresses(header, "from", charset),
        to=_addresses(header, "to", charset),
        cc=_addresses(header, "cc", charset),
        bcc=_addresses(header, "bcc", charset),
        reply_to=_addresses(header, "reply-to", charset),
        subject=next((value for name, value in fields if name.lower() == "subject"), ""),
        date_header=date_header,
        sent_at=sent_at,
        received_at=_received(header),
        list_id=identifiers.list_id(header.first("list-id")),
        headers=fields,
        text=text,
        html=html,
        preview=preview_of(text, html),
        attachments=tuple(contents.attachments),
        defects=defects.sentences(),
    )


def headers_only(body: Body) -> tuple[tuple[str, str], ...]:
    """The fields of a message in their order, decoded, without a look at what follows them."""
    root = read_root(body, Defects())
    return _texts(root)


def decoded_pieces(body: Body, attachment: ParsedAttachment) -> Iterator[bytes]:
    """The decoded bytes of a part in pieces of up to a megabyte, for parts that are too large to hold."""
    if attachment.data is not None:
        return iter((attachment.data,))
    return transfer.decoded_windows(body, attachment.start, attachment.end, attachment.encoding)


def _texts(root: Part) -> tuple[tuple[str, str], ...]:
    charset = root.parameters.get("charset")
    return tuple([(name, decoded(value, charset)) for name, value in root.header.fields])


def _addresses(header: Header, name: str, charset: str | None) -> tuple[Address, ...]:
    """A field that stands twice (RFC 5322 3.6 forbids it) is read twice: nobody is dropped."""
    values = header.all(name)
    if len(values) < 2:
        return parse_addresses(values[0], charset) if values else ()
    found = (address for value in values for address in parse_addresses(value, charset))
    return tuple(dict.fromkeys(found))


def _references(header: Header, defects: Defects) -> tuple[str, ...]:
    value = header.first("references")
    if value and len(value) > identifiers.MAX_FIELD_CHARACTERS:
        defects.add("references-too-long")
    return identifiers.message_ids(value)


def _date(header: Header, defects: Defects) -> tuple[str | None, datetime | None]:
    value = header.first("date")
    if not value:
        defects.add("date-missing")
        return None, None
    text = decoded(value)
    moment = parse_date(text)
    if moment is None:
        defects.add("date-invalid", f"{text[:80]!r} is not a date")
    return text, moment


def _received(header: Header) -> datetime | None:
    """RFC 5321 4.4: the date stands behind the last semicolon."""
    value = header.first("received")
    return parse_date(plain(value[-200:]).rpartition(";")[2]) if value else None
