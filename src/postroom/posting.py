"""Post: letters into the outbox and out of it, as long as that can be."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from postroom.blobs import Blobs
from postroom.compose.addresses import checked, domain_of
from postroom.compose.letter import Letter, Stamp, Written
from postroom.compose.write import write
from postroom.errors import UsageError
from postroom.mime.recipe import Recipe
from postroom.model import AccountId, DraftId, MessageId, OutboxId
from postroom.store import audit, draft_copies, drafts, messages, senders, sends
from postroom.store.database import TenantTx
from postroom.store.drafts import DraftContent
from postroom.store.sends import NewSend, SendState


async def post(
    tx: TenantTx,
    blobs: Blobs,
    account_id: AccountId,
    letter: Letter,
    stamp: Stamp,
    *,
    not_before: int,
    idempotency_key: str | None = None,
) -> tuple[OutboxId, bool]:
    """Give a letter to the outbox; its row, and whether it is new. Raises UsageError for a letter to nobody."""
    await senders.get(tx, account_id)
    _check(letter)
    written = write(letter, stamp)
    if not written.recipients:
        raise UsageError(reason="The message is for nobody; name somebody in to, cc or bcc.")
    new = NewSend(
        message_id=written.message_id,
        sender=written.sender,
        recipients=written.recipients,
        subject=letter.subject,
        raw_blob=await _kept(tx, blobs, written),
        size_bytes=len(written.raw),
        needs_smtputf8=written.needs_smtputf8,
        needs_8bitmime=written.needs_8bitmime,
    )
    outbox_id, is_new = await sends.enqueue(
        tx, account_id, new, not_before=not_before, idempotency_key=idempotency_key
    )
    if is_new:
        after = {
            "account_id": str(account_id),
            "recipients": len(written.recipients),
            "not_before": not_before,
        }
        await audit.append(tx, "outbox.enqueue", "outbox", outbox_id, after=after)
    return outbox_id, is_new


async def save_draft(
    tx: TenantTx,
    blobs: Blobs,
    account_id: AccountId,
    letter: Letter,
    stamp: Stamp,
    *,
    replaces: tuple[DraftId, int] | None = None,
) -> DraftId:
    """Keep what is not finished yet, anew or in place of a version of a draft. Raises DraftChanged for an older one."""
    _check(letter)
    written = write(letter, stamp, shows_bcc=True)
    content = DraftContent(
        subject=letter.subject,
        recipients=written.recipients,
        raw_blob=await _kept(tx, blobs, written),
        size_bytes=len(written.raw),
    )
    if replaces is None:
        draft_id = await drafts.create(tx, account_id, content)
    else:
        draft_id, version = replaces
        await drafts.replace(tx, draft_id, content, version=version)
    await draft_copies.want(tx, draft_id)
    return draft_id


async def post_draft(
    tx: TenantTx, blobs: Blobs, row: dict[str, Any], letter: Letter, stamp: Stamp, *, not_before: int
) -> OutboxId:
    """A draft becomes a message of the outbox, in one transaction: never both, never neither.

    `row` and `letter` are the draft as it was read. Raises DraftChanged when it is another by now.
    """
    outbox_id, _ = await post(tx, blobs, AccountId(row["account_id"]), letter, stamp, not_before=not_before)
    await drafts.hand_over(tx, DraftId(row["id"]), outbox_id, version=row["version"])
    await draft_copies.want(tx, DraftId(row["id"]))
    return outbox_id


async def discard_draft(tx: TenantTx, draft_id: DraftId) -> bool:
    """Throw a draft away, also on the account's server. False: there is none, or it was sent."""
    is_there = await drafts.delete(tx, draft_id)
    if is_there:
        await draft_copies.want(tx, draft_id)
    return is_there


async def cancel(tx: TenantTx, outbox_id: OutboxId) -> DraftId | None:
    """Take a message back; what was a draft is one again. Raises UsageError when it is too late."""
    row = await sends.get(tx, outbox_id)
    if not await sends.cancel(tx, outbox_id):
        raise UsageError(reason=f"Message {outbox_id} cannot be taken back: {_too_late(row['state'])}.")
    draft_id = await drafts.take_back(tx, outbox_id)
    if draft_id is not None:
        await draft_copies.want(tx, draft_id)
    await audit.append(tx, "outbox.cancel", "outbox", outbox_id)
    return draft_id


async def settle(tx: TenantTx, outbox_id: OutboxId, *, was_sent: bool) -> SendState:
    """Say how an open question ended. Raises UsageError when the message is none."""
    row = await sends.get(tx, outbox_id)
    note = None if was_sent else "somebody said that it was not sent"
    state = await sends.settle(tx, outbox_id, was_sent=was_sent, error=note)
    if state is None:
        reason = (
            f"Message {outbox_id} is {row['state']}, so there is nothing to settle: postroom outbox show."
        )
        raise UsageError(reason=reason)
    if was_sent:
        sender = await senders.find(tx, AccountId(row["account_id"]))
        wants_copy = sender is not None and sender.sent_copy == "append"
        await sends.accepted(tx, outbox_id, "somebody said that it was sent", wants_copy=wants_copy)
    await audit.append(tx, "outbox.settle", "outbox", outbox_id, after={"was_sent": was_sent})
    return state


async def original(tx: TenantTx, blobs: Blobs, message_id: MessageId) -> bytes:
    """The exact bytes of a stored message. Raises NotFound."""
    row = await messages.get(tx, message_id)
    recipe = Recipe.from_json(row["raw_recipe"]) if row["raw_recipe"] else None
    pieces = blobs.message(tx, bytes(row["content_hash"]), bytes(row["raw_blob"]), recipe)
    return b"".join([piece async for piece in pieces])


def stamp_for(address: str, chance: UUID, date: datetime) -> Stamp:
    """A Message-ID that nobody has used and nobody can guess, in the domain of the sender."""
    return Stamp(message_id=f"{chance.hex}@{domain_of(address)}", date=date)


def _check(letter: Letter) -> None:
    """Whoever made the letter: nothing but addresses reaches the envelope. Raises UsageError."""
    for each in (letter.from_, *letter.to, *letter.cc, *letter.bcc, *letter.reply_to):
        checked(each)


async def _kept(tx: TenantTx, blobs: Blobs, written: Written) -> bytes:
    sha256 = hashlib.sha256(written.raw).digest()
    await blobs.put(tx, sha256, written.raw)
    return sha256


def _too_late(state: str) -> str:
    return {
        "running": "it is being sent at this moment",
        "done": "it was sent",
        "failed": "it was refused, and will not be tried again",
        "unknown": "it may have been sent; say what you know with postroom outbox settle",
        "cancelled": "it was taken back before",
    }.get(state, f"it is {state}")


def now() -> datetime:
    """The date of a letter that is written at this moment."""
    return datetime.now(UTC)
