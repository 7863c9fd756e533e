"""Folders that people make, rename and delete: here at once, and told to the server by the next sync."""

from __future__ import annotations

import re
from dataclasses import dataclass
from uuid import UUID

from postroom.errors import UsageError
from postroom.model import AccountId, Folder, FolderId, FolderType, IntentId, SourceFolder
from postroom.store import audit, changes, folders, intent_rows, quarantine
from postroom.store.audit import Actor
from postroom.store.database import TenantTx
from postroom.store.intent_places import bring, has_server, is_mirrored, lying_in
from postroom.store.intent_rows import Wanted

_UNFIT = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff%*]")
_MOST_BYTES = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderChanged:
    """What a change of a folder came to."""

    folder: Folder
    intents: list[IntentId]
    """What its server is yet to be told of it."""
    messages: int = 0
    """How many messages went to Trash with it."""


async def create(
    tx: TenantTx, account_id: AccountId, name: str, *, actor: Actor | None = None
) -> FolderChanged:
    """Make a folder; levels are joined by `/`. Raises UsageError for a name that cannot be, or is taken."""
    modseq = await changes.next_modseq(tx, account_id)
    await _free(tx, account_id, name)
    folder, intents = await _make(tx, account_id, name, "custom", modseq)
    await _trail(tx, "folder.create", folder.id, None, name, actor)
    return FolderChanged(folder=folder, intents=intents)


async def rename(
    tx: TenantTx, folder_id: FolderId, name: str, *, actor: Actor | None = None
) -> FolderChanged:
    """Give a folder another name, and all that is below it. Raises NotFound, and UsageError as `create` does."""
    account_id = (await folders.get(tx, folder_id)).account_id
    modseq = await changes.next_modseq(tx, account_id)
    folder = await _changeable(tx, folder_id)
    if name == folder.name:
        return FolderChanged(folder=folder, intents=[])
    if name.startswith(f"{folder.name}/"):
        raise UsageError(reason=f"{folder.name} cannot go below itself.")
    await _free(tx, account_id, name)
    mirrored = await is_mirrored(tx, folder)
    touched = await rename_tree(tx, folder, name)
    wanted = [Wanted(kind="rename_folder", folder_id=folder.id, name=name, old_name=folder.name)]
    intents = await intent_rows.append(tx, account_id, wanted if mirrored else [])
    await changes.append(tx, account_id, modseq, "updated", "folder", touched)
    await _trail(tx, "folder.rename", folder.id, folder.name, name, actor)
    return FolderChanged(folder=await folders.get(tx, folder.id), intents=intents)


async def rename_tree(tx: TenantTx, folder: Folder, name: str) -> list[FolderId]:
    """The folder, all below it, and what of them is in quarantine go by another name here.

    Raises UsageError where one of the names is taken; nothing is renamed then.
    """
    below = [] if folder.is_deleted else await folders.below(tx, folder.account_id, folder.name)
    new = {each.id: name + each.name[len(folder.name) :] for each in (folder, *below)}
    others = {each.name for each in await folders.of_account(tx, folder.account_id) if each.id not in new}
    if taken := sorted(others.intersection(new.values())):
        raise UsageError(reason=f"There is a folder {taken[0]} already.")
    for each in (folder, *below):
        await folders.rename_to(tx, each.id, new[each.id])
        await quarantine.rename_folder(tx, folder.account_id, each.name, new[each.id])
    return list(new)


async def delete(tx: TenantTx, folder_id: FolderId, *, actor: Actor | None = None) -> FolderChanged:
    """Delete a folder; what lies in it goes to Trash before.

    Raises NotFound, and UsageError for INBOX, Trash and what has folders below it.
    """
    account_id = (await folders.get(tx, folder_id)).account_id
    await changes.next_modseq(tx, account_id)
    folder = await _changeable(tx, folder_id)
    if folder.type == "trash":
        raise UsageError(reason=f"{folder.name} is where deleted messages go, and stays.")
    if lower := await folders.below(tx, account_id, folder.name):
        raise UsageError(
            reason=f"{folder.name} has folders below it, such as {lower[0].name}. Delete those first."
        )
    intents: list[IntentId] = []
    inside = await lying_in(tx, folder.id)
    if inside:
        moved = await bring(tx, "move", inside, (await trash(tx, account_id)).id, from_folder_id=folder.id)
        intents += moved.intents
    modseq = await changes.next_modseq(tx, account_id)
    await folders.put_away(tx, folder.id)
    wanted = [Wanted(kind="delete_folder", folder_id=folder.id, old_name=folder.name)]
    intents += await intent_rows.append(tx, account_id, wanted if await is_mirrored(tx, folder) else [])
    await changes.append(tx, account_id, modseq, "deleted", "folder", [folder.id])
    await _trail(tx, "folder.delete", folder.id, folder.name, None, actor)
    return FolderChanged(folder=await folders.get(tx, folder.id), intents=intents, messages=len(inside))


async def trash(tx: TenantTx, account_id: AccountId) -> Folder:
    """Where deleted messages of the account go; made where there is none. The caller holds the account."""
    return await of_use(tx, account_id, "trash", "Trash")


async def of_use(tx: TenantTx, account_id: AccountId, type_: FolderType, name: str) -> Folder:
    """The folder of this use, made under this name where there is none. The caller holds the account."""
    found = await folders.by_type(tx, account_id, type_)
    if found is not None and (not await has_server(tx, account_id) or await is_mirrored(tx, found)):
        return found
    modseq = await changes.next_modseq(tx, account_id)
    return (await _make(tx, account_id, name, type_, modseq))[0]


async def _make(
    tx: TenantTx, account_id: AccountId, name: str, type_: FolderType, modseq: int
) -> tuple[Folder, list[IntentId]]:
    folder = (await folders.ensure(tx, account_id, [SourceFolder(name=name, type=type_)]))[name]
    wanted = [Wanted(kind="create_folder", folder_id=folder.id, name=name)]
    intents = await intent_rows.append(tx, account_id, wanted if await has_server(tx, account_id) else [])
    await changes.append(tx, account_id, modseq, "created", "folder", [folder.id])
    return folder, intents


async def _changeable(tx: TenantTx, folder_id: FolderId) -> Folder:
    folder = await folders.by_id(tx, folder_id)
    if folder.type == "inbox" or folder.name == "INBOX":
        raise UsageError(reason=f"{folder.name} is where mail comes in, and stays.")
    return folder


async def _free(tx: TenantTx, account_id: AccountId, name: str) -> None:
    """Raises UsageError for a name that no server would take, or that a folder has already."""
    levels = name.split("/")
    if _UNFIT.search(name) or not all(each.strip() == each and each for each in levels):
        raise UsageError(
            reason=f"{name!r} is no name for a folder: it has levels joined by /, each with something in it, and no"
            " control characters, % or *."
        )
    if len(name.encode()) > _MOST_BYTES:
        raise UsageError(reason=f"The name of a folder has {_MOST_BYTES} bytes at most.")
    taken = {each.name for each in await folders.of_account(tx, account_id)}
    if name in taken or name.upper() == "INBOX":
        raise UsageError(reason=f"There is a folder {name} already.")


async def _trail(
    tx: TenantTx, action: str, folder_id: UUID, before: str | None, after: str | None, actor: Actor | None
) -> None:
    await audit.append(
        tx,
        action,
        "folder",
        folder_id,
        before=None if before is None else {"name": before},
        after=None if after is None else {"name": after},
        actor=actor,
    )
