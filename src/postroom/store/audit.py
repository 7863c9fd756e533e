"""Audit: who did what, in the transaction that did it. Never the text of a mail."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import orjson

from postroom.ids import new_id
from postroom.model import MessageId
from postroom.sql import queries
from postroom.store.audit_chain import Chain, Fault, Head
from postroom.store.database import TenantTx

QUERIES = queries("audit")
END = (2**63 - 1, UUID(int=2**128 - 1))
"""Behind the newest entry: time and id."""
BEGINNING = (-(2**63), UUID(int=0))
"""Before the first place of a chain, and before whatever was put in there."""
_PAGE = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who does it, as far as the transaction's own user does not tell."""

    user_id: UUID | None = None
    api_key_id: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """What the trail of a tenant is found to be."""

    entries: int
    heads: dict[str, Head]
    """By month. Whoever keeps them elsewhere can tell a trail that was made anew as a whole."""
    faults: list[Fault]


async def append(
    tx: TenantTx,
    action: str,
    object_type: str,
    object_id: UUID | None = None,
    *,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
    actor: Actor | None = None,
    user_id: UUID | None = None,
    api_key_id: UUID | None = None,
) -> None:
    """`append(tx, "account.connect", "account", account_id, after={"hostname": …})`

    It holds the end of the tenant's trail until the transaction ends. So it comes last: after `changes.next_modseq`.
    """
    about = {
        "object_type": object_type,
        "object_id": object_id,
        "before": before,
        "after": after,
        "user_id": (actor and actor.user_id) or user_id or tx.acting_user_id,
        "api_key_id": (actor and actor.api_key_id) or api_key_id or tx.api_key_id,
    }
    await tx.run(QUERIES.append, id=new_id(), action=action, about=orjson.dumps(about).decode())


async def append_messages(
    tx: TenantTx,
    action: str,
    message_ids: Sequence[MessageId],
    *,
    before: dict[str, Any] | None = None,
    after: dict[str, Any],
    actor: Actor | None = None,
) -> None:
    """One message is the object of its entry; many are listed in one; of none there is none."""
    if len(message_ids) == 1:
        await append(tx, action, "message", message_ids[0], before=before, after=after, actor=actor)
    elif message_ids:
        listed = {"messages": [str(each) for each in message_ids]}
        await append(tx, action, "messages", before=before, after=after | listed, actor=actor)


async def newest(
    tx: TenantTx,
    *,
    limit: int,
    before: tuple[int, UUID] = END,
    of: tuple[str, UUID] | None = None,
) -> list[dict[str, Any]]:
    """Entries, newest first: those older than a time and id, all or `of` one thing (its type and id)."""
    position = {"before_at": before[0], "before_id": before[1], "limit": limit}
    if of is None:
        return await tx.rows(QUERIES.newest, **position)
    return await tx.rows(QUERIES.of_object, object_type=of[0], object_id=of[1], **position)


async def months(tx: TenantTx) -> list[date]:
    """The first days of the months that there may be a trail of, oldest first."""
    return [row["month"] for row in await tx.rows(QUERIES.months)]


async def chain(
    tx: TenantTx, month: date, *, after: tuple[int, UUID] = BEGINNING
) -> AsyncIterator[dict[str, Any]]:
    """The entries of a month in their order, from behind a place and id on, every value as its text."""
    since, before = _bounds(month)
    while rows := await tx.rows(
        QUERIES.chain, since=since, before=before, after_place=after[0], after_id=after[1], limit=_PAGE
    ):
        for row in rows:
            yield row
        after = (rows[-1]["place"], rows[-1]["id"])


async def head(tx: TenantTx, month: date) -> Head:
    """Where the chain of a month should end; the beginning when nobody has written one."""
    rows = await tx.rows(QUERIES.head, month=month)
    return Head(place=rows[0]["place"], hash=bytes(rows[0]["hash"])) if rows else Head()


async def verify(tx: TenantTx) -> Verified:
    """Follow every chain of the tenant. Others may go on writing."""
    entries, heads, faults = 0, dict[str, Head](), list[Fault]()
    for month in await months(tx):
        walked = Chain(tx.tenant_id, f"{month:%Y-%m}")
        position = BEGINNING
        while True:
            before = walked.entries
            async for entry in chain(tx, month, after=position):
                walked.follow(entry)
                position = (entry["place"], entry["id"])
            end = await head(tx, month)
            if end.place <= walked.end.place or walked.entries == before:
                break  # else somebody has written meanwhile
        walked.finish(end)
        entries += walked.entries
        faults += walked.faults
        if end.place:
            heads[f"{month:%Y-%m}"] = end
    return Verified(entries=entries, heads=heads, faults=faults)


def _bounds(month: date) -> tuple[int, int]:
    """A month in milliseconds, its end not included."""
    begin = datetime(month.year, month.month, 1, tzinfo=UTC)
    end = datetime(month.year + month.month // 12, month.month % 12 + 1, 1, tzinfo=UTC)
    return int(begin.timestamp() * 1000), int(end.timestamp() * 1000)
