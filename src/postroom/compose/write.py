"""Write: a letter to the bytes of a message (RFC 5322, RFC 2045)."""

from __future__ import annotations

from dataclasses import replace

from postroom.compose import fields, parts
from postroom.compose.addresses import for_wire, same
from postroom.compose.letter import Letter, Stamp, Written
from postroom.mime.bodies import html_to_text
from postroom.model import Address


def write(letter: Letter, stamp: Stamp, *, shows_bcc: bool = False) -> Written:
    """The message. Bcc stands in drafts only: in what is sent it would tell everybody (RFC 5322 3.6.3)."""
    addresses = (letter.from_, *letter.reply_to, *letter.to, *letter.cc, *(letter.bcc if shows_bcc else ()))
    body = _body(letter, stamp.message_id)
    header = [
        fields.date(stamp.date),
        fields.mailboxes("From", [letter.from_]),
        _optional("Reply-To", letter.reply_to),
        _optional("To", letter.to),
        _optional("Cc", letter.cc),
        _optional("Bcc", letter.bcc if shows_bcc else ()),
        fields.text("Subject", letter.subject),
        fields.ids("Message-ID", [stamp.message_id]),
        fields.ids("In-Reply-To", [letter.in_reply_to] if letter.in_reply_to else []),
        fields.ids("References", letter.references),
        b"MIME-Version: 1.0\r\n",
    ]
    recipients = {
        same(each.address): for_wire(each.address) for each in (*letter.to, *letter.cc, *letter.bcc)
    }
    sender = for_wire(letter.from_.address)
    return Written(
        raw=b"".join(header) + body.bytes(),
        message_id=stamp.message_id,
        sender=sender,
        recipients=tuple(recipients.values()),
        needs_smtputf8=not all(
            for_wire(text).isascii()
            for text in (*(each.address for each in addresses), *recipients.values(), sender)
        ),
        needs_8bitmime=body.is_8bit,
    )


def _optional(name: str, addresses: tuple[Address, ...]) -> bytes:
    return fields.mailboxes(name, addresses) if addresses else b""


def _body(letter: Letter, seed: str) -> parts.Part:
    """text, or alternative(text, related(page, images)), in mixed with the attachments."""
    shown = [file for file in letter.files if _is_shown(letter, file.content_id)]
    attached = [replace(file, content_id=None) for file in letter.files if file not in shown]
    text = letter.text
    if text is None:
        text = html_to_text(letter.html) if letter.html else ""
    body = parts.of_text("plain", text)
    if letter.html is not None:
        page = parts.of_text("html", letter.html)
        if shown:
            page = parts.multipart(
                "related", [page, *map(parts.of_file, shown)], seed=seed, parameters=['type="text/html"']
            )
        body = parts.multipart("alternative", [body, page], seed=seed)
    if attached:
        body = parts.multipart("mixed", [body, *map(parts.of_file, attached)], seed=seed)
    return body


def _is_shown(letter: Letter, content_id: str | None) -> bool:
    """Without a page that could show it, an image is an attachment."""
    return letter.html is not None and content_id is not None and parts.is_content_id(content_id)
