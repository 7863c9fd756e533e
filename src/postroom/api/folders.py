"""Folders: where mail lies."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response

from postroom.api import answers, shapes
from postroom.api import shapes_changes as wanted
from postroom.api.accounts import writable
from postroom.api.auth import Reader, Writer
from postroom.model import AccountId, Folder, FolderId
from postroom.store import accounts, folder_intents, folders

router = APIRouter(tags=["folders"])


@router.get("/v1/accounts/{account_id}/folders", response_model=shapes.Folders)
async def list_folders(request: Request, caller: Reader, account_id: UUID) -> Response:
    """The folders of an account, by name, with how much is in each."""
    async with caller.tx() as tx:
        account = await accounts.by_id(tx, AccountId(account_id))
        found = await folders.of_account(tx, account.id)
    return answers.json(request, {"items": [_shown(each) for each in found]})


@router.get("/v1/folders/{folder_id}", response_model=shapes.Folder)
async def get_folder(request: Request, caller: Reader, folder_id: UUID) -> Response:
    """One folder, with how much is in it."""
    async with caller.tx() as tx:
        found = await folders.by_id(tx, FolderId(folder_id))
    return answers.json(request, _shown(found))


@router.post("/v1/accounts/{account_id}/folders", response_model=shapes.Folder, status_code=201)
async def create_folder(
    request: Request, caller: Writer, account_id: UUID, body: wanted.FolderName
) -> Response:
    """Here at once; its server is told by the next sync."""
    async with caller.tx() as tx:
        await writable(tx, AccountId(account_id))
        made = await folder_intents.create(tx, AccountId(account_id), body.name)
    headers = {"Location": f"/v1/folders/{made.folder.id}"}
    return answers.json(request, _shown(made.folder), status=201, headers=headers)


@router.patch("/v1/folders/{folder_id}", response_model=shapes.Folder)
async def rename_folder(
    request: Request, caller: Writer, folder_id: UUID, body: wanted.FolderName
) -> Response:
    """Another name, for all that is below it, too."""
    async with caller.tx() as tx:
        folder = await folders.by_id(tx, FolderId(folder_id))
        await writable(tx, folder.account_id)
        await folder_intents.rename(tx, folder.id, body.name)
        now = await folders.by_id(tx, folder.id)
    return answers.json(request, _shown(now))


@router.delete("/v1/folders/{folder_id}", status_code=204)
async def delete_folder(request: Request, caller: Writer, folder_id: UUID) -> Response:
    """What lies in it goes to Trash before."""
    async with caller.tx() as tx:
        folder = await folders.by_id(tx, FolderId(folder_id))
        await writable(tx, folder.account_id)
        await folder_intents.delete(tx, folder.id)
    return answers.nothing(request)


def _shown(folder: Folder) -> dict[str, Any]:
    return {
        "id": folder.id,
        "account_id": folder.account_id,
        "name": folder.name,
        "type": folder.type,
        "unread_count": folder.unread_count,
        "total_count": folder.total_count,
        "is_selectable": folder.is_selectable,
    }
