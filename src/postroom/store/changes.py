"""Changes: the feed that every client lives from, in the order of commits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from postroom.errors import NotFound
from postroom.ids import now_ms
from postroom.model import AccountId
from postroom.sql import queries
from postroom.store.database import TenantTx

QUERIES = queries("changes")
ChangeKind = Literal["created", "updated", "deleted"]
ObjectType = Literal["account", "folder", "message", "thread", "match", "webhook"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    modseq: int
    kind: ChangeKind
    object_type: ObjectType
    object_ids: tuple[UUID, ...]
    at: int


async def next_modseq(tx: TenantTx, account_id: AccountId) -> int:
    """Take the next number of the account, and with it the right to write until the transaction ends.

    Raises NotFound, also for an account that the user may only read.
    """
    rows = await tx.rows(QUERIES.next_modseq, account_id=account_id)
    if not rows:
        mend = "It was removed, or it is shared to be read only."
        raise NotFound(what="account to write in with the id", name=str(account_id), mend=mend)
    return rows[0]["modseq"]


async def append(
    tx: TenantTx,
    account_id: AccountId,
    modseq: int,
    kind: ChangeKind,
    object_type: ObjectType,
    object_ids: Sequence[UUID],
) -> None:
    """Say what changed, in the transaction that changes it. Nothing changed, nothing said."""
    if object_ids:
        await tx.run(
            QUERIES.append,
            account_id=account_id,
            modseq=modseq,
            kind=kind,
            object_type=object_type,
            object_ids=list(object_ids),
            at=now_ms(),
        )


async def since(tx: TenantTx, account_id: AccountId, modseq: int, *, limit: int = 1000) -> list[Change]:
    """What changed after this number."""
    rows = await tx.rows(QUERIES.since, account_id=account_id, modseq=modseq, limit=limit)
    return [Change(**{**row, "object_ids": tuple(row["object_ids"])}) for row in rows]


async def heads(tx: TenantTx) -> dict[AccountId, int]:
    """How far the feed of each account has come."""
    return {AccountId(row["id"]): row["modseq"] for row in await tx.rows(QUERIES.heads)}


async def hold(tx: TenantTx, account_id: AccountId) -> None:
    """Keep others from writing in the account until the transaction ends."""
    await tx.rows(QUERIES.hold, account_id=account_id)
