"""Changes of mail: flags, moves, copies, deletions. Here they are done at once; their server is told by the next sync."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter, Request, Response

from postroom.api import answers, shapes
from postroom.api import shapes_changes as wanted
from postroom.api.accounts import writable
from postroom.api.auth import Writer
from postroom.api.messages import tag_of
from postroom.api.problems import bad
from postroom.model import AccountId, FolderId, MessageId
from postroom.store import changes, folders, intents, messages, removal
from postroom.store.database import TenantTx
from postroom.store.intent_places import Changed

router = APIRouter(tags=["messages"])
_FLAGS = {"is_read": "\\Seen", "is_flagged": "\\Flagged", "is_answered": "\\Answered", "is_draft": "\\Draft"}


@router.patch("/v1/messages/{message_id}", response_model=shapes.Changed, openapi_extra=answers.IF_MATCH)
async def mark_message(request: Request, caller: Writer, message_id: UUID, body: wanted.Marks) -> Response:
    """Set and take away flags and keywords, in all folders of the message. Takes If-Match."""
    async with caller.tx() as tx:
        await _held(request, tx, message_id)
        return await _answer(request, tx, message_id, await _marked(tx, [message_id], body))


@router.post("/v1/messages/{message_id}/move", response_model=shapes.Changed, openapi_extra=answers.IF_MATCH)
async def move_message(request: Request, caller: Writer, message_id: UUID, body: wanted.Move) -> Response:
    """Into another folder of its account. Takes If-Match."""
    async with caller.tx() as tx:
        await _held(request, tx, message_id)
        return await _answer(request, tx, message_id, await _moved(tx, [message_id], body))


@router.post("/v1/messages/{message_id}/copy", response_model=shapes.Changed, openapi_extra=answers.IF_MATCH)
async def copy_message(request: Request, caller: Writer, message_id: UUID, body: wanted.Copy) -> Response:
    """Into another folder of its account as well."""
    async with caller.tx() as tx:
        await _held(request, tx, message_id)
        await _target(tx, body.folder_id)
        done = await intents.copy(tx, [MessageId(message_id)], FolderId(body.folder_id))
        return await _answer(request, tx, message_id, done)


@router.delete("/v1/messages/{message_id}", response_model=shapes.Changed, openapi_extra=answers.IF_MATCH)
async def delete_message(request: Request, caller: Writer, message_id: UUID) -> Response:
    """Out of every list and search; on its server it goes to Trash. It can be restored until it is purged."""
    async with caller.tx() as tx:
        await _held(request, tx, message_id)
        return await _answer(request, tx, message_id, await intents.delete(tx, [MessageId(message_id)]))


@router.post(
    "/v1/messages/{message_id}/restore", response_model=shapes.Changed, openapi_extra=answers.IF_MATCH
)
async def restore_message(request: Request, caller: Writer, message_id: UUID) -> Response:
    """Back to where it lay, here and on its server."""
    async with caller.tx() as tx:
        await _held(request, tx, message_id)
        return await _answer(request, tx, message_id, await intents.undelete(tx, [MessageId(message_id)]))


@router.post("/v1/messages/batch", response_model=shapes.ChangedMany)
async def change_messages(request: Request, caller: Writer, body: wanted.Batch) -> Response:
    """The same for up to 1,000 messages, in one transaction: all of it, or on a refusal nothing. Ids that are not there are
    named in `not_found`, and stop nothing."""
    ids = [MessageId(each) for each in dict.fromkeys(body.ids)]
    async with caller.tx() as tx:
        by_account = await removal.by_account(tx, ids)
        for account_id in by_account:
            await writable(tx, account_id)
        there = {each for several in by_account.values() for each in several}
        done = await _batch(tx, [each for each in ids if each in there], body)
    answer = {
        "changed": done.messages,
        "not_found": [each for each in ids if each not in there],
        "pending": len(done.intents),
    }
    return answers.json(request, answer)


async def _batch(tx: TenantTx, ids: list[MessageId], body: wanted.Batch) -> Changed:
    match body.action:
        case "mark":
            return await _marked(tx, ids, body)
        case "delete":
            return await intents.delete(tx, ids)
        case "restore":
            return await intents.undelete(tx, ids)
        case "move" | "copy":
            if body.folder_id is None:
                raise bad("Name the folder.", "folder_id")
            if body.action == "move":
                return await _moved(
                    tx, ids, wanted.Move(folder_id=body.folder_id, from_folder_id=body.from_folder_id)
                )
            await _target(tx, body.folder_id)
            return await intents.copy(tx, ids, FolderId(body.folder_id))


async def _held(request: Request, tx: TenantTx, message_id: UUID) -> None:
    """The message is there, may be changed, and is what the caller thinks it is, until the transaction ends."""
    row = await messages.view(tx, MessageId(message_id))
    await writable(tx, AccountId(row["account_id"]))
    if "if-match" in request.headers:
        await changes.hold(tx, AccountId(row["account_id"]))
        answers.must_match(request, tag_of(await messages.view(tx, MessageId(message_id))))


async def _marked(tx: TenantTx, ids: list[UUID] | list[MessageId], body: wanted.Marks) -> Changed:
    said = {word: getattr(body, name) for name, word in _FLAGS.items()}
    add = [word for word, value in said.items() if value is True] + body.add_keywords
    remove = [word for word, value in said.items() if value is False] + body.remove_keywords
    if not add and not remove:
        raise bad("Say what to set or to take away.")
    if any(each.startswith("\\") for each in (*body.add_keywords, *body.remove_keywords)):
        raise bad("A keyword has no backslash; flags have fields of their own.", "add_keywords")
    return await intents.mark(tx, [MessageId(each) for each in ids], add=add, remove=remove)


async def _moved(tx: TenantTx, ids: list[UUID] | list[MessageId], body: wanted.Move) -> Changed:
    await _target(tx, body.folder_id)
    source = body.from_folder_id and FolderId(body.from_folder_id)
    target = FolderId(body.folder_id)
    return await intents.move(tx, [MessageId(each) for each in ids], target, from_folder_id=source)


async def _target(tx: TenantTx, folder_id: UUID) -> None:
    await folders.by_id(tx, FolderId(folder_id))


async def _answer(request: Request, tx: TenantTx, message_id: UUID, done: Changed) -> Response:
    row = await messages.view(tx, MessageId(message_id))
    body = {
        "id": row["id"],
        "folder_id": row["folder_id"],
        "is_read": row["is_read"],
        "is_flagged": row["is_flagged"],
        "is_draft": row["is_draft"],
        "is_deleted": row["is_deleted"],
        "folders": row["folders"] or [],
        "is_changed": bool(done.messages),
        "pending": len(done.intents),
    }
    return answers.json(request, body, etag=tag_of(row))
