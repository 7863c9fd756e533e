"""Sends: the messages of the outbox. Which state follows which is said in queries/sends.sql."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from postroom.errors import NotFound
from postroom.ids import new_id, now_ms
from postroom.model import AccountId, OutboxId
from postroom.sql import queries
from postroom.store.database import TenantTx

QUERIES = queries("sends")
OUTBOX = queries("outbox")
SendState = Literal["pending", "running", "done", "failed", "unknown", "cancelled"]
RecipientState = Literal["waiting", "accepted", "refused", "unknown"]
_LAST_ID = UUID(int=2**128 - 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSend:
    """A message about to be given to the outbox; its bytes are kept already."""

    message_id: str
    sender: str
    recipients: Sequence[str]
    subject: str
    raw_blob: bytes
    size_bytes: int
    needs_smtputf8: bool
    needs_8bitmime: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """A message that this worker may try to send."""

    id: OutboxId
    attempts: int
    """With this one."""
    created_at: int
    message_id: str
    sender: str
    raw_blob: bytes
    size_bytes: int
    needs_smtputf8: bool
    needs_8bitmime: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the server said to one recipient."""

    address: str
    state: RecipientState
    code: int | None = None
    reply: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """A message that is to be put into the Sent folder."""

    outbox_id: OutboxId
    message_id: str
    raw_blob: bytes
    sent_at: int
    attempts: int


async def enqueue(
    tx: TenantTx, account_id: AccountId, new: NewSend, *, not_before: int, idempotency_key: str | None = None
) -> tuple[OutboxId, bool]:
    """Give a message to the outbox: its row, and whether it is new. The same key twice is one row."""
    outbox_id = OutboxId(new_id())
    rows: list[dict[str, Any]] = []
    while not rows:  # nothing: another transaction wrote the key while this one looked
        rows = await tx.rows(
            OUTBOX.enqueue,
            id=outbox_id,
            account_id=account_id,
            kind="send",
            payload="{}",
            idempotency_key=idempotency_key,
            not_before=not_before,
            at=now_ms(),
        )
    if rows[0]["id"] != outbox_id:
        return OutboxId(rows[0]["id"]), False
    await tx.run(
        QUERIES.insert,
        outbox_id=outbox_id,
        account_id=account_id,
        message_id=new.message_id,
        sender=new.sender,
        subject=new.subject,
        raw_blob=new.raw_blob,
        size_bytes=new.size_bytes,
        needs_smtputf8=new.needs_smtputf8,
        needs_8bitmime=new.needs_8bitmime,
    )
    await tx.run(QUERIES.insert_recipients, outbox_id=outbox_id, addresses=list(new.recipients))
    return outbox_id, True


async def claim(tx: TenantTx, account_id: AccountId, *, lease_seconds: float) -> Claimed | None:
    """The message that waits longest, for this worker alone until the lease runs out."""
    now = now_ms()
    lease_until = now + int(lease_seconds * 1000)
    rows = await tx.rows(QUERIES.claim, account_id=account_id, at=now, now=now, lease_until=lease_until)
    return Claimed(**rows[0]) if rows else None


async def start(tx: TenantTx, claimed: Claimed) -> bool:
    """Say, before DATA, that from now on nobody knows. False: it must not be sent (any more)."""
    found = await tx.run(QUERIES.start, outbox_id=claimed.id, attempts=claimed.attempts, now=now_ms())
    return bool(found)


async def goes_on(tx: TenantTx, outbox_id: OutboxId) -> None:
    """Between DATA and its answer: to be said more often than the time after which it counts as lost."""
    await tx.run(QUERIES.goes_on, outbox_id=outbox_id, now=now_ms())


async def answered(tx: TenantTx, outbox_id: OutboxId, answers: Sequence[Answer]) -> None:
    """Write down what the server said to each."""
    if answers:
        await tx.run(
            QUERIES.answered,
            outbox_id=outbox_id,
            addresses=[each.address for each in answers],
            states=[each.state for each in answers],
            codes=[each.code for each in answers],
            replies=[each.reply for each in answers],
        )


async def conclude(
    tx: TenantTx, claimed: Claimed, state: SendState, *, error: str | None, not_before: int
) -> bool:
    """What came of the attempt. False: it was settled by somebody else meanwhile."""
    found = await tx.run(
        QUERIES.conclude,
        outbox_id=claimed.id,
        attempts=claimed.attempts,
        state=state,
        last_error=error,
        not_before=not_before,
        now=now_ms(),
    )
    return bool(found)


async def accepted(tx: TenantTx, outbox_id: OutboxId, reply: str, *, wants_copy: bool) -> None:
    """The server has the message, for some recipients at least."""
    copy_state = "wanted" if wants_copy else "none"
    await tx.run(
        QUERIES.accepted, outbox_id=outbox_id, server_reply=reply, copy_state=copy_state, now=now_ms()
    )


async def lost(tx: TenantTx, account_id: AccountId, *, before: int, error: str) -> list[OutboxId]:
    """What was on its way when its worker was last heard of, too long ago, is unknown from now on."""
    rows = await tx.rows(QUERIES.lost, account_id=account_id, before=before, last_error=error, now=now_ms())
    return [OutboxId(row["id"]) for row in rows]


async def found_in_mailbox(tx: TenantTx, account_id: AccountId) -> list[OutboxId]:
    """The open questions that the mailbox answers: it holds the message."""
    rows = await tx.rows(QUERIES.open_questions, account_id=account_id)
    return [OutboxId(row["id"]) for row in rows if row["is_found"]]


async def settle(tx: TenantTx, outbox_id: OutboxId, *, was_sent: bool, error: str | None) -> SendState | None:
    """Answer an open question; the state that follows, or None when it was not open (any more).

    What was not sent waits to be sent; so do recipients that the server had put off.
    """
    if (await get(tx, outbox_id))["state"] != "unknown":
        return None
    settled = "accepted" if was_sent else "waiting"
    await tx.run(QUERIES.settle_recipients, outbox_id=outbox_id, state=settled)
    state: SendState = "pending" if await waiting_recipients(tx, outbox_id) else "done"
    found = await tx.run(QUERIES.settle, outbox_id=outbox_id, state=state, last_error=error, now=now_ms())
    return state if found else None


async def cancel(tx: TenantTx, outbox_id: OutboxId) -> bool:
    """Take it back. False: it is too late."""
    return bool(await tx.run(QUERIES.cancel, outbox_id=outbox_id, now=now_ms()))


async def waiting_recipients(tx: TenantTx, outbox_id: OutboxId) -> list[str]:
    """To whom it is still to be sent, in their order."""
    return [row["address"] for row in await tx.rows(QUERIES.waiting_recipients, outbox_id=outbox_id)]


async def accepted_count(tx: TenantTx, outbox_id: OutboxId) -> int:
    """For how many recipients the server took it."""
    return (await tx.rows(QUERIES.accepted_count, outbox_id=outbox_id))[0]["accepted"]


async def get(tx: TenantTx, outbox_id: OutboxId) -> dict[str, Any]:
    """Everything about one message of the outbox. Raises NotFound."""
    rows = await tx.rows(QUERIES.get, outbox_id=outbox_id)
    if not rows:
        raise NotFound(
            what="message of the outbox", name=str(outbox_id), mend="See them: postroom outbox list."
        )
    return rows[0]


async def recipients_of(tx: TenantTx, outbox_id: OutboxId) -> list[dict[str, Any]]:
    """Each recipient with what was said and reported, in their order."""
    return await tx.rows(QUERIES.recipients_of, outbox_id=outbox_id)


async def of_account(
    tx: TenantTx, account_id: AccountId, *, limit: int = 50, before_id: UUID = _LAST_ID
) -> list[dict[str, Any]]:
    """What the account sent and is to send, newest first."""
    return await tx.rows(QUERIES.of_account, account_id=account_id, limit=limit, before_id=before_id)


async def starting_with(tx: TenantTx, prefix: str) -> list[OutboxId]:
    """At most two rows whose id starts with these hexadecimal digits."""
    digits = prefix.replace("-", "").lower()
    lowest, highest = UUID(digits.ljust(32, "0")), UUID(digits.ljust(32, "f"))
    rows = await tx.rows(QUERIES.starting_with, lowest=lowest, highest=highest)
    return [OutboxId(row["outbox_id"]) for row in rows]


async def next_copy(tx: TenantTx, account_id: AccountId, *, lease_seconds: float) -> Copy | None:
    """A message to put into the Sent folder, for this worker alone until the lease runs out."""
    now = now_ms()
    lease_until = now + int(lease_seconds * 1000)
    rows = await tx.rows(QUERIES.copies, account_id=account_id, at=now, lease_until=lease_until)
    if not rows:
        return None
    row = rows[0]
    return Copy(
        outbox_id=OutboxId(row["outbox_id"]),
        message_id=row["message_id"],
        raw_blob=bytes(row["raw_blob"]),
        sent_at=row["sent_at"],
        attempts=row["copy_attempts"],
    )


async def copied(
    tx: TenantTx,
    outbox_id: OutboxId,
    state: Literal["wanted", "made", "failed"],
    *,
    uidvalidity: int | None = None,
    uid: int | None = None,
    error: str | None = None,
    not_before: int | None = None,
) -> None:
    """What came of the copy."""
    await tx.run(
        QUERIES.copied,
        outbox_id=outbox_id,
        copy_state=state,
        copy_error=error,
        uidvalidity=uidvalidity,
        uid=uid,
        not_before=not_before,
    )
