"""Folders: rows in, values out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import fields
from typing import Any

from postroom.errors import NotFound
from postroom.ids import new_id, now_ms
from postroom.model import AccountId, Folder, FolderId, FolderState, FolderType, Ledger, SourceFolder
from postroom.sql import queries
from postroom.store.database import TenantTx

QUERIES = queries("folders")
_COLUMNS = [each.name for each in fields(Folder)]


async def of_account(tx: TenantTx, account_id: AccountId) -> list[Folder]:
    """The living folders by name."""
    return [_folder(row) for row in await tx.rows(QUERIES.of_account, account_id=account_id)]


async def by_id(tx: TenantTx, folder_id: FolderId) -> Folder:
    """The living folder. Raises NotFound."""
    found = await get(tx, folder_id)
    if found.is_deleted:
        raise NotFound(what="folder", name=found.name, mend="It was deleted.")
    return found


async def get(tx: TenantTx, folder_id: FolderId) -> Folder:
    """A folder, living or not. Raises NotFound."""
    rows = await tx.rows(QUERIES.get, folder_id=folder_id)
    if not rows:
        raise NotFound(what="folder", name=str(folder_id), mend="See them: postroom folder list.")
    return _folder(rows[0])


async def by_type(tx: TenantTx, account_id: AccountId, type_: FolderType) -> Folder | None:
    """The folder of this use, where the account has one."""
    rows = await tx.rows(QUERIES.by_type, account_id=account_id, type=type_)
    return _folder(min(rows, key=lambda row: (not row["is_selectable"], row["name"]))) if rows else None


async def below(tx: TenantTx, account_id: AccountId, name: str) -> list[Folder]:
    """The living folders below a name."""
    return [_folder(row) for row in await tx.rows(QUERIES.below, account_id=account_id, name=name)]


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


async def set_pending(
    tx: TenantTx, folder_id: FolderId, *, uidvalidity: int, listed_count: int | None, uids: Iterable[int]
) -> None:
    """Write down what is about to be fetched: a run that ends in the middle leaves it as pending."""
    await tx.run(
        QUERIES.set_pending,
        folder_id=folder_id,
        uidvalidity=uidvalidity,
        listed_count=listed_count,
        pending=multirange(uids),
        at=now_ms(),
    )


async def pending(tx: TenantTx, folder_id: FolderId) -> list[range]:
    """What was about to be fetched when the last look began, also what has come since."""
    rows = await tx.rows(QUERIES.pending, folder_id=folder_id)
    return [range(row["first"], row["behind"]) for row in rows]


async def rename(tx: TenantTx, folder_id: FolderId, now: SourceFolder) -> None:
    """The same folder under another name."""
    await tx.run(
        QUERIES.rename,
        folder_id=folder_id,
        name=now.name,
        wire_name=now.wire_name,
        type=now.type,
        at=now_ms(),
    )


async def rename_to(tx: TenantTx, folder_id: FolderId, name: str) -> None:
    """Another name here; how the server spells it stays until it is told."""
    await tx.run(QUERIES.rename_to, folder_id=folder_id, name=name, at=now_ms())


async def spell(tx: TenantTx, folder_id: FolderId, wire_name: str) -> None:
    """How the server spells its name."""
    await tx.run(QUERIES.spell, folder_id=folder_id, wire_name=wire_name, at=now_ms())


async def put_away(tx: TenantTx, folder_id: FolderId) -> None:
    """Deleted here; the server may have it still."""
    await tx.run(QUERIES.put_away, folder_id=folder_id, at=now_ms())


async def bring_back(tx: TenantTx, folder_id: FolderId) -> bool:
    """Undo `put_away`. False: another folder has the name by now."""
    return bool(await tx.run(QUERIES.bring_back, folder_id=folder_id, at=now_ms()))


async def look_at_all(tx: TenantTx, folder_id: FolderId) -> None:
    """The next look at this folder believes no count of changes."""
    await tx.run(QUERIES.look_at_all, folder_id=folder_id, at=now_ms())


async def count_listed(tx: TenantTx, folder_id: FolderId, more: int) -> None:
    """So many more, or fewer, does the server list than at the last look."""
    await tx.run(QUERIES.count_listed, folder_id=folder_id, more=more, at=now_ms())


async def let_go(tx: TenantTx, folder_id: FolderId) -> None:
    """The server no longer has it."""
    await tx.run(QUERIES.let_go, folder_id=folder_id, at=now_ms())


async def ledger(tx: TenantTx, account_id: AccountId) -> list[Ledger]:
    """The account of every UID, folder by folder, those that the server let go at the end."""
    return [_ledger(row) for row in await tx.rows(QUERIES.ledger, account_id=account_id)]


async def set_state(
    tx: TenantTx, folder_id: FolderId, state: FolderState, *, sync_token: str, listed_count: int | None = None
) -> None:
    """Remember what the server said when we agreed with it: the cursor of the next sync, and nothing pending."""
    await tx.run(
        QUERIES.set_state,
        folder_id=folder_id,
        uidvalidity=state.uidvalidity,
        uidnext=state.uidnext,
        highestmodseq=state.highestmodseq,
        mailbox_id=state.mailbox_id,
        listed_count=state.exists if listed_count is None else listed_count,
        sync_token=sync_token,
        at=now_ms(),
    )


async def recount(tx: TenantTx, account_id: AccountId) -> None:
    """Count anew what lies in the folders, where rows were changed behind the program's back."""
    await tx.rows(QUERIES.recount, account_id=account_id)


def multirange(uids: Iterable[int]) -> str:
    """UIDs as an int8multirange, runs written as ranges: `{[1,151),[160,161)}`."""
    runs: list[list[int]] = []
    for uid in sorted(set(uids)):
        if runs and runs[-1][1] == uid:
            runs[-1][1] = uid + 1
        else:
            runs.append([uid, uid + 1])
    return "{" + ",".join(f"[{first},{behind})" for first, behind in runs) + "}"


def _ledger(row: dict[str, Any]) -> Ledger:
    return Ledger(**{each.name: row[each.name] for each in fields(Ledger)})


def _folder(row: dict[str, Any]) -> Folder:
    return Folder(**{name: row[name] for name in _COLUMNS})
