"""Letters: what came in as JSON becomes a letter that can be written."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from postroom.api.problems import bad
from postroom.api.shapes_letters import DraftChange, NewFile, When, Written
from postroom.blobs import Blobs
from postroom.compose.addresses import mailboxes
from postroom.compose.answer import forward, reply
from postroom.compose.letter import File, Letter
from postroom.errors import UsageError
from postroom.mime.parse import parse
from postroom.model import Account, Address, AttachmentId, MessageId
from postroom.posting import original
from postroom.store import attachments, senders
from postroom.store.database import TenantTx

T = TypeVar("T")
_FARTHEST = timedelta(days=366 * 2)


async def letter_of(tx: TenantTx, blobs: Blobs, account: Account, wish: Written) -> Letter:
    """The letter, from this account. Raises Problem, NotFound."""
    sender = await senders.find(tx, account.id)
    from_ = Address(name=(sender and sender.display_name) or "", address=account.email_address)
    if wish.reply_to_message_id and wish.forward_message_id:
        raise bad("A letter answers a message or forwards one, not both.", "forward_message_id")
    text, html = wish.text, wish.html
    if wish.reply_to_message_id:
        raw = await original(tx, blobs, MessageId(wish.reply_to_message_id))
        letter = reply(
            parse(raw), from_=from_, text=text, html=html, to_all=wish.reply_all, quotes=wish.quotes
        )
    elif wish.forward_message_id:
        raw = await original(tx, blobs, MessageId(wish.forward_message_id))
        whole = wish.as_attachment
        letter = forward(parse(raw), raw, from_=from_, to=(), text=text, html=html, as_attachment=whole)
    else:
        letter = Letter(from_=from_, text=text, html=html)
    return replace(
        letter,
        to=people("to", wish.to) or letter.to,
        cc=tuple(dict.fromkeys((*letter.cc, *people("cc", wish.cc)))),
        bcc=people("bcc", wish.bcc),
        subject=letter.subject if wish.subject is None else wish.subject,
        files=(*letter.files, *await files_of(tx, blobs, wish.attachments)),
    )


async def changed(tx: TenantTx, blobs: Blobs, letter: Letter, change: DraftChange) -> Letter:
    """The letter with what was given in the place of what was there."""
    given = change.model_fields_set

    def kept(name: str, value: T | None, old: T) -> T:
        return value if name in given and value is not None else old

    return replace(
        letter,
        to=kept("to", change.to and people("to", change.to), letter.to) if change.to != [] else (),
        cc=kept("cc", change.cc and people("cc", change.cc), letter.cc) if change.cc != [] else (),
        bcc=kept("bcc", change.bcc and people("bcc", change.bcc), letter.bcc) if change.bcc != [] else (),
        subject=kept("subject", change.subject, letter.subject),
        text=change.text if "text" in given else letter.text,
        html=change.html if "html" in given else letter.html,
        files=letter.files
        if change.attachments is None
        else tuple(await files_of(tx, blobs, change.attachments)),
    )


def people(field: str, typed: Sequence[str]) -> tuple[Address, ...]:
    """Addresses as people type them. Raises Problem by the name of the field."""
    try:
        return mailboxes(typed)
    except UsageError as error:
        raise bad(str(error), field) from error


async def files_of(tx: TenantTx, blobs: Blobs, wanted: Sequence[NewFile]) -> list[File]:
    """The files, from the request and from the store. Raises Problem, NotFound."""
    found = []
    for number, each in enumerate(wanted):
        if (each.content is None) == (each.attachment_id is None):
            raise bad("Give content or attachment_id, and not both.", f"attachments.{number}")
        if each.attachment_id is not None:
            row = await attachments.get(tx, AttachmentId(each.attachment_id))
            data = await blobs.read_all(tx, bytes(row["blob_hash"]))
            filename, mime_type = each.filename or row["filename"], row["mime_type"]
        else:
            data, filename = _decoded(each.content or "", number), each.filename
            mime_type = each.mime_type
        found.append(File(filename=filename, mime_type=mime_type, data=data, content_id=each.content_id))
    return found


def due_at(when: When) -> tuple[int, datetime]:
    """When it may go out, in milliseconds, and the date that it bears. Raises Problem."""
    now = datetime.now(UTC)
    moment = now
    if when.send_at is not None:
        try:
            moment = datetime.fromisoformat(when.send_at)
        except ValueError as error:
            raise bad("Write a time with its offset: 2026-12-24T18:00:00+01:00.", "send_at") from error
        if moment.tzinfo is None:
            raise bad("The time has no offset: write 2026-12-24T18:00:00Z.", "send_at")
        if moment - now > _FARTHEST:
            raise bad("That is more than two years ahead.", "send_at")
    date = max(moment, now)
    return int(date.timestamp() * 1000) + when.undo_seconds * 1000, date


def _decoded(content: str, number: int) -> bytes:
    try:
        return base64.b64decode(content, validate=True)
    except (binascii.Error, ValueError) as error:
        raise bad("It is not base64.", f"attachments.{number}.content") from error
