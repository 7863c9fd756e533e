"""Sends: what was sent and is to be sent. A request puts it into the outbox; a worker sends it, once."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID, uuid4

from fastapi import APIRouter, Header, Request, Response

from postroom import posting
from postroom.api import answers
from postroom.api import shapes_letters as shapes
from postroom.api.accounts import writable
from postroom.api.auth import Reader, Sender
from postroom.api.letters import due_at, letter_of
from postroom.api.messages import Cursor, Limit
from postroom.api.problems import Problem, bad
from postroom.api.shapes import Page
from postroom.errors import UsageError
from postroom.model import AccountId, OutboxId
from postroom.store import sends
from postroom.store.database import TenantTx

router = APIRouter(tags=["sends"])
_LAST = UUID(int=2**128 - 1)


@router.post(
    "/v1/sends",
    response_model=shapes.Sent,
    status_code=202,
    responses={200: {"model": shapes.Sent, "description": "The key was used before: what came of it."}},
)
async def send(
    request: Request,
    caller: Sender,
    body: shapes.NewSend,
    idempotency_key: Annotated[
        str | None, Header(min_length=1, max_length=200, pattern=r"^[\x21-\x7e]+$")
    ] = None,
) -> Response:
    """Put a letter into the outbox. With the header Idempotency-Key the same key twice sends one letter."""
    blobs, account_id = caller.context.blobs, AccountId(body.account_id)
    due, date = due_at(body)
    async with caller.tx() as tx:
        account = await writable(tx, account_id)
        letter = await letter_of(tx, blobs, account, body)
        if not (letter.to or letter.cc or letter.bcc):
            raise bad("The letter is for nobody: name somebody in to, cc or bcc.", "to")
    async with caller.tenant_tx() as tx:
        stamp = posting.stamp_for(account.email_address, uuid4(), date)
        outbox_id, is_new = await posting.post(
            tx, blobs, account_id, letter, stamp, not_before=due, idempotency_key=idempotency_key
        )
        sent = await read_back(tx, outbox_id)
    headers = {"Location": f"/v1/sends/{outbox_id}"}
    return answers.json(request, sent, status=202 if is_new else 200, headers=headers)


@router.get("/v1/sends", response_model=Page[shapes.ListedSend])
async def list_sends(
    request: Request, caller: Reader, account_id: UUID, limit: Limit = 50, cursor: Cursor = None
) -> Response:
    """What an account sent and is to send, newest first."""
    about, before = f"sends:{account_id}", _LAST
    if cursor is not None:
        before = UUID(str(caller.open(about, cursor)[0]))
    async with caller.tx() as tx:
        rows = await sends.of_account(tx, AccountId(account_id), limit=limit + 1, before_id=before)
    more = caller.seal(about, [rows[limit - 1]["id"]]) if len(rows) > limit else None
    items = [
        _listed(row | {"account_id": account_id})
        | {"recipients": row["recipients"] or [], "failed_recipients": row["failed_recipients"]}
        for row in rows[:limit]
    ]
    return answers.json(request, {"items": items, "next": more})


@router.get("/v1/sends/{send_id}", response_model=shapes.Sent)
async def get_send(request: Request, caller: Reader, send_id: UUID) -> Response:
    """How it stands, for each recipient."""
    async with caller.tx() as tx:
        return answers.json(request, await read_back(tx, OutboxId(send_id)))


@router.post("/v1/sends/{send_id}/cancel", response_model=shapes.Cancelled)
async def cancel_send(request: Request, caller: Sender, send_id: UUID) -> Response:
    """Take it back. 409 where it is too late."""
    async with caller.tx() as tx:
        row = await sends.get(tx, OutboxId(send_id))
        await writable(tx, AccountId(row["account_id"]))
        try:
            draft_id = await posting.cancel(tx, OutboxId(send_id))
        except UsageError as error:
            raise Problem(409, "too_late", f"It cannot be taken back: it is {row['state']}.") from error
    return answers.json(request, {"id": send_id, "state": "cancelled", "draft_id": draft_id})


async def read_back(tx: TenantTx, outbox_id: OutboxId) -> dict[str, Any]:
    """Everything about one. Raises NotFound."""
    row = await sends.get(tx, outbox_id)
    recipients = [
        each | {"reported_at": answers.time_of(each["reported_at"])}
        for each in await sends.recipients_of(tx, outbox_id)
    ]
    return {
        **_listed(row),
        "message_id": row["message_id"],
        "sender": row["sender"],
        "size_bytes": row["size_bytes"],
        "server_reply": row["server_reply"],
        "recipients": recipients,
    }


def _listed(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": row["id"],
        "account_id": row["account_id"],
        "state": row["state"],
        "subject": row["subject"],
        "due_at": answers.time_of(row["not_before"]),
        "attempts": row["attempts"],
        "last_error": row["last_error"],
        "created_at": answers.time_of(row["created_at"]),
        "sent_at": answers.time_of(row["sent_at"]),
    }
