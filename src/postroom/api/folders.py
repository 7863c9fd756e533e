"""Folders: where mail lies."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response

from postroom.api import answers, shapes
from postroom.api.auth import Reader
from postroom.model import AccountId, Folder, FolderId
from postroom.store import accounts, folders

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
    async with caller.tx() as tx:
        found = await folders.by_id(tx, FolderId(folder_id))
    return answers.json(request, _shown(found))


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
