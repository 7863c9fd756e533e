"""Drafts: messages that are still being written."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID, uuid4

from fastapi import APIRouter, Query, Request, Response

from postroom import posting
from postroom.api import answers
from postroom.api import shapes_letters as shapes
from postroom.api.accounts import writable
from postroom.api.auth import Caller, Reader, Sender, Writer
from postroom.api.letters import changed, due_at, letter_of
from postroom.api.problems import not_found
from postroom.api.sends import read_back
from postroom.compose.letter import Letter
from postroom.compose.read import read
from postroom.model import AccountId, DraftId
from postroom.store import drafts
from postroom.store.database import TenantTx

router = APIRouter(tags=["drafts"])


@router.get("/v1/drafts", response_model=shapes.Drafts)
async def list_drafts(
    request: Request, caller: Reader, account_id: UUID, limit: Annotated[int, Query(ge=1, le=200)] = 50
) -> Response:
    """The drafts of an account, the last touched first."""
    async with caller.tx() as tx:
        rows = await drafts.of_account(tx, AccountId(account_id), limit=limit)
    return answers.json(request, {"items": [_listed(row | {"account_id": account_id}) for row in rows]})


@router.post("/v1/drafts", response_model=shapes.Draft, status_code=201)
async def create_draft(request: Request, caller: Writer, body: shapes.NewDraft) -> Response:
    """Begin a message; nothing is sent until it is asked for."""
    account_id = AccountId(body.account_id)
    async with caller.tx() as tx:
        account = await writable(tx, account_id)
        letter = await letter_of(tx, caller.context.blobs, account, body)
    async with caller.tenant_tx() as tx:
        draft_id = await posting.save_draft(tx, caller.context.blobs, account_id, letter, _stamp(letter))
        row, letter = await _read(tx, caller, draft_id)  # as it was written
    headers = {"Location": f"/v1/drafts/{draft_id}"}
    return answers.json(request, _shown(row, letter), status=201, etag=_tag(row), headers=headers)


@router.get("/v1/drafts/{draft_id}", response_model=shapes.Draft)
async def get_draft(request: Request, caller: Reader, draft_id: UUID) -> Response:
    """One draft; its ETag goes into If-Match of a change."""
    async with caller.tx() as tx:
        row, letter = await _read(tx, caller, DraftId(draft_id))
    return answers.json(request, _shown(row, letter), etag=_tag(row))


@router.patch("/v1/drafts/{draft_id}", response_model=shapes.Draft, openapi_extra=answers.IF_MATCH)
async def change_draft(
    request: Request, caller: Writer, draft_id: UUID, body: shapes.DraftChange
) -> Response:
    """Takes If-Match: 412 where somebody else changed it meanwhile."""
    blobs = caller.context.blobs
    async with caller.tx() as tx:
        row, letter = await _read(tx, caller, DraftId(draft_id))
        await writable(tx, AccountId(row["account_id"]))
        answers.must_match(request, _tag(row))
        letter = await changed(tx, blobs, letter, body)
    async with caller.tenant_tx() as tx:
        version = (DraftId(draft_id), row["version"])
        await posting.save_draft(
            tx, blobs, AccountId(row["account_id"]), letter, _stamp(letter), replaces=version
        )
        row, letter = await _read(tx, caller, DraftId(draft_id))
    return answers.json(request, _shown(row, letter), etag=_tag(row))


@router.delete("/v1/drafts/{draft_id}", status_code=204, openapi_extra=answers.IF_MATCH)
async def delete_draft(request: Request, caller: Writer, draft_id: UUID) -> Response:
    """Throw a draft away."""
    async with caller.tx() as tx:
        row = await drafts.get(tx, DraftId(draft_id))
        await writable(tx, AccountId(row["account_id"]))
        answers.must_match(request, _tag(row))
        if not await posting.discard_draft(tx, DraftId(draft_id)):
            raise not_found("draft")
    return answers.nothing(request)


@router.post(
    "/v1/drafts/{draft_id}/send",
    response_model=shapes.Sent,
    status_code=202,
    tags=["sends"],
    openapi_extra=answers.IF_MATCH,
)
async def send_draft(request: Request, caller: Sender, draft_id: UUID, body: shapes.When) -> Response:
    """It goes into the outbox; a worker sends it. Until then it can be cancelled, and is a draft again."""
    blobs = caller.context.blobs
    due, date = due_at(body)
    async with caller.tx() as tx:
        row, letter = await _read(tx, caller, DraftId(draft_id))
        await writable(tx, AccountId(row["account_id"]))
        answers.must_match(request, _tag(row))
    async with caller.tenant_tx() as tx:
        stamp = posting.stamp_for(letter.from_.address, uuid4(), date)
        outbox_id = await posting.post_draft(tx, blobs, row, letter, stamp, not_before=due)
        sent = await read_back(tx, outbox_id)
    headers = {"Location": f"/v1/sends/{outbox_id}"}
    return answers.json(request, sent, status=202, headers=headers)


async def _read(tx: TenantTx, caller: Caller, draft_id: DraftId) -> tuple[dict[str, Any], Letter]:
    row = await drafts.get(tx, draft_id)
    return row, read(await caller.context.blobs.read_all(tx, bytes(row["raw_blob"])))


def _stamp(letter: Letter) -> Any:
    return posting.stamp_for(letter.from_.address, uuid4(), posting.now())


def _tag(row: dict[str, Any]) -> str:
    return f'"{row["version"]}-{row["id"].hex[-12:]}"'


def _listed(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": row["id"],
        "account_id": row["account_id"],
        "version": row["version"],
        "subject": row["subject"],
        "recipients": row["recipients"],
        "size_bytes": row["size_bytes"],
        "created_at": answers.time_of(row["created_at"]),
        "updated_at": answers.time_of(row["updated_at"]),
    }


def _shown(row: dict[str, Any], letter: Letter) -> dict[str, Any]:
    return {
        **_listed(row),
        **{name: [_typed(each) for each in getattr(letter, name)] for name in ("to", "cc", "bcc")},
        "text": letter.text,
        "html": letter.html,
        "attachments": [
            {
                "filename": each.filename,
                "mime_type": each.mime_type,
                "size_bytes": len(each.data),
                "content_id": each.content_id,
            }
            for each in letter.files
        ],
        "in_reply_to": letter.in_reply_to,
    }


def _typed(address: Any) -> str:
    return f"{address.name} <{address.address}>" if address.name else address.address
