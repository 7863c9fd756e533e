"""Drafts: rows in, values out. What they say is in their bytes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson

from postroom.errors import DraftChanged, NotFound
from postroom.ids import new_id, now_ms
from postroom.model import AccountId, DraftId, OutboxId
from postroom.sql import queries
from postroom.store.database import TenantTx

QUERIES = queries("drafts")


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftContent:
    """What is kept of a draft; its bytes are in the blobs already."""

    subject: str
    recipients: Sequence[str]
    raw_blob: bytes
    size_bytes: int


async def create(tx: TenantTx, account_id: AccountId, content: DraftContent) -> DraftId:
    """A new draft."""
    draft_id = DraftId(new_id())
    await tx.run(QUERIES.insert, id=draft_id, account_id=account_id, now=now_ms(), **columns(content))
    return draft_id


async def get(tx: TenantTx, draft_id: DraftId) -> dict[str, Any]:
    """The draft's row. Raises NotFound, also for one that was sent."""
    rows = await tx.rows(QUERIES.get, draft_id=draft_id)
    if not rows or rows[0]["outbox_id"] is not None:
        raise NotFound(what="draft", name=str(draft_id), mend="See them: postroom draft list.")
    return rows[0]


async def replace(tx: TenantTx, draft_id: DraftId, content: DraftContent, *, version: int) -> None:
    """The draft as it is now. Raises DraftChanged when somebody else was faster."""
    if not await tx.run(
        QUERIES.replace, draft_id=draft_id, version=version, now=now_ms(), **columns(content)
    ):
        raise DraftChanged(draft=draft_id)


async def of_account(tx: TenantTx, account_id: AccountId, *, limit: int = 50) -> list[dict[str, Any]]:
    """The drafts of an account, the last touched first."""
    return await tx.rows(QUERIES.of_account, account_id=account_id, limit=limit)


async def starting_with(tx: TenantTx, prefix: str) -> list[DraftId]:
    """At most two drafts whose id starts with these hexadecimal digits."""
    digits = prefix.replace("-", "").lower()
    lowest, highest = UUID(digits.ljust(32, "0")), UUID(digits.ljust(32, "f"))
    return [
        DraftId(row["id"]) for row in await tx.rows(QUERIES.starting_with, lowest=lowest, highest=highest)
    ]


async def hand_over(tx: TenantTx, draft_id: DraftId, outbox_id: OutboxId, *, version: int) -> None:
    """It is the outbox's from now on. Raises DraftChanged when somebody else was faster."""
    if not await tx.run(
        QUERIES.hand_over, draft_id=draft_id, version=version, outbox_id=outbox_id, now=now_ms()
    ):
        raise DraftChanged(draft=draft_id)


async def take_back(tx: TenantTx, outbox_id: OutboxId) -> DraftId | None:
    """What was cancelled is a draft again, if it was one."""
    rows = await tx.rows(QUERIES.take_back, outbox_id=outbox_id, now=now_ms())
    return DraftId(rows[0]["id"]) if rows else None


async def delete(tx: TenantTx, draft_id: DraftId) -> bool:
    """False: there is none, or it was sent."""
    return bool(await tx.run(QUERIES.delete, draft_id=draft_id, now=now_ms()))


def columns(content: DraftContent) -> dict[str, Any]:
    """What the row says of it."""
    return {
        "subject": content.subject,
        "recipients": orjson.dumps(list(content.recipients)).decode(),
        "raw_blob": content.raw_blob,
        "size_bytes": content.size_bytes,
    }
