"""Quarantine: mail that a source has and could not give. Never skipped in silence."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
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
    uidvalidity: int | None = None
    uid: int | None = None
    """What the server calls it; None for what lies in a file."""


async def report(
    tx: TenantTx, account_id: AccountId, troubles: Sequence[Trouble], *, is_gone: bool = False
) -> None:
    """Keep them; the same trouble again is the same row. `is_gone`: the server has let them go by now."""
    unique = {(each.folder_name, each.origin): each for each in troubles}
    if unique:
        await tx.run(
            QUERIES.report,
            account_id=account_id,
            ids=[new_id() for _ in unique],
            folder_names=[each.folder_name for each in unique.values()],
            origins=[each.origin for each in unique.values()],
            uidvalidities=[each.uidvalidity for each in unique.values()],
            uids=[each.uid for each in unique.values()],
            reasons=[each.reason for each in unique.values()],
            raw_blobs=[each.raw_blob for each in unique.values()],
            gone_at=now_ms() if is_gone else None,
            at=now_ms(),
        )


async def resolve(tx: TenantTx, account_id: AccountId, folder_name: str, origins: Sequence[str]) -> None:
    """These could be read after all."""
    await tx.run(
        QUERIES.resolve, account_id=account_id, folder_name=folder_name, origins=list(origins), at=now_ms()
    )


async def resolve_uids(
    tx: TenantTx, account_id: AccountId, folder_name: str, uidvalidity: int, uids: Iterable[int]
) -> None:
    """These could be read after all, or were here already."""
    await tx.run(
        QUERIES.resolve_uids,
        account_id=account_id,
        folder_name=folder_name,
        uidvalidity=uidvalidity,
        uids=list(uids),
        at=now_ms(),
    )


async def let_go(
    tx: TenantTx, account_id: AccountId, folder_name: str, uidvalidity: int | None, uids: Iterable[int]
) -> int:
    """The server lists only these UIDs: what else was in trouble is gone. How many that were."""
    return await tx.run(
        QUERIES.let_go,
        account_id=account_id,
        folder_name=folder_name,
        uidvalidity=uidvalidity,
        uids=list(uids),
        at=now_ms(),
    )


async def rename_folder(tx: TenantTx, account_id: AccountId, folder_name: str, name: str) -> None:
    """Its folder has another name now."""
    await tx.run(
        QUERIES.rename_folder, account_id=account_id, folder_name=folder_name, name=name, at=now_ms()
    )


async def origins(tx: TenantTx, account_id: AccountId, folder_name: str) -> set[str]:
    """What of this folder is in trouble, for people."""
    rows = await tx.rows(QUERIES.uids, account_id=account_id, folder_name=folder_name)
    return {row["origin"] for row in rows}


async def uids(tx: TenantTx, account_id: AccountId, folder_name: str, uidvalidity: int) -> set[int]:
    """What of this folder is in trouble."""
    rows = await tx.rows(QUERIES.uids, account_id=account_id, folder_name=folder_name)
    return {row["uid"] for row in rows if row["uidvalidity"] == uidvalidity}


async def open_troubles(tx: TenantTx) -> list[dict[str, Any]]:
    """Everything of the tenant that is still in trouble, oldest first."""
    return await tx.rows(QUERIES.open)
