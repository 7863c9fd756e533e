"""Quarantine: mail that a source has and could not give. Never skipped in silence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from postroom.ids import new_id, now_ms
from postroom.model import AccountId
from postroom.sql import queries
from postroom.store.database import TenantTx

QUERIES = queries("quarantine")


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """One message in trouble."""

    folder_name: str
    origin: str
    """What names it in its folder: UIDVALIDITY and UID, or a file and a place in it."""
    reason: str
    raw_blob: bytes | None = None
    """SHA-256 of what could be had, kept as a blob."""


async def report(tx: TenantTx, account_id: AccountId, troubles: Sequence[Trouble]) -> None:
    """Keep them; the same trouble again is the same row."""
    unique = {(each.folder_name, each.origin): each for each in troubles}
    if unique:
        await tx.run(
            QUERIES.report,
            account_id=account_id,
            ids=[new_id() for _ in unique],
            folder_names=[each.folder_name for each in unique.values()],
            origins=[each.origin for each in unique.values()],
            reasons=[each.reason for each in unique.values()],
            raw_blobs=[each.raw_blob for each in unique.values()],
            at=now_ms(),
        )


async def resolve(tx: TenantTx, account_id: AccountId, folder_name: str, origins: Sequence[str]) -> None:
    """These could be read after all."""
    await tx.run(
        QUERIES.resolve, account_id=account_id, folder_name=folder_name, origins=list(origins), at=now_ms()
    )


async def origins(tx: TenantTx, account_id: AccountId, folder_name: str) -> set[str]:
    """What of this folder is in trouble."""
    rows = await tx.rows(QUERIES.uids, account_id=account_id, folder_name=folder_name)
    return {row["origin"] for row in rows}


async def open_troubles(tx: TenantTx) -> list[dict[str, Any]]:
    """Everything of the tenant that is still in trouble, oldest first."""
    return await tx.rows(QUERIES.open)
