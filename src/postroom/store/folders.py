"""Folders: rows in, values out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from postroom.ids import new_id, now_ms
from postroom.model import AccountId, Folder, FolderId, FolderState, SourceFolder
from postroom.sql import queries
from postroom.store.database import TenantTx

QUERIES = queries("folders")
_COLUMNS = [each.name for each in fields(Folder)]


async def of_account(tx: TenantTx, account_id: AccountId) -> list[Folder]:
    """The living folders by name."""
    return [_folder(row) for row in await tx.rows(QUERIES.of_account, account_id=account_id)]


async def wire_names(tx: TenantTx, account_id: AccountId, names: Sequence[str]) -> dict[str, str]:
    """How the server spells these folders; what is not there is left out."""
    rows = await tx.rows(QUERIES.wire_names, account_id=account_id, names=list(names))
    return {row["name"]: row["wire_name"] for row in rows}


async def ensure(tx: TenantTx, account_id: AccountId, wanted: Sequence[SourceFolder]) -> dict[str, Folder]:
    """The folders of these names, made where they are not there."""
    unique = {folder.name: folder for folder in wanted}
    rows = await tx.rows(
        QUERIES.ensure,
        account_id=account_id,
        ids=[new_id() for _ in unique],
        names=list(unique),
        wire_names=[folder.wire_name for folder in unique.values()],
        types=[folder.type for folder in unique.values()],
        selectable=[folder.is_selectable for folder in unique.values()],
        at=now_ms(),
    )
    return {row["name"]: _folder(row) for row in rows}


async def set_state(tx: TenantTx, folder_id: FolderId, state: FolderState, *, sync_token: str) -> None:
    """Remember what the server said when we agreed with it: the cursor of the next sync."""
    await tx.run(
        QUERIES.set_state,
        folder_id=folder_id,
        uidvalidity=state.uidvalidity,
        uidnext=state.uidnext,
        highestmodseq=state.highestmodseq,
        sync_token=sync_token,
        at=now_ms(),
    )


def _folder(row: dict[str, Any]) -> Folder:
    return Folder(**{name: row[name] for name in _COLUMNS})
