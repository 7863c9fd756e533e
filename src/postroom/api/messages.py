"""Messages: in lists, one by one, as they came."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from postroom.api import answers, pages, shapes
from postroom.api.auth import Reader
from postroom.api.bytes_out import Spool, download
from postroom.api.problems import bad, not_found
from postroom.blobs import Blobs
from postroom.mime.parse import headers_only
from postroom.mime.recipe import Recipe
from postroom.model import MessageId, ThreadId
from postroom.store import messages
from postroom.store.database import TenantTx

router = APIRouter(tags=["messages"])
Limit = Annotated[int, Query(ge=1, le=200, description="Items a page.")]
Cursor = Annotated[str | None, Query(description="The `next` of the page before.", max_length=2000)]
Fields = Annotated[
    str | None, Query(description="Only these fields, separated by commas: `id,subject`.", max_length=1000)
]
SUMMARY = (
    "id thread_id account_id folder_id subject from sent_at received_at preview is_read is_flagged is_draft"
    " has_attachments size_bytes"
).split()
_MORE = (
    "message_id in_reply_to references list_id authors to cc bcc reply_to folders attachments text html blocked"
    " is_deleted sha256 defects"
).split()
END = (2**63 - 1, UUID(int=2**128 - 1))
_BEGINNING = (-(2**63), UUID(int=0))
_LARGE_PAGE = 50_000
_HEADER_BYTES = 4 * 1024 * 1024
_WHICH: dict[str, Literal["unread", "flagged", "drafts"]] = {
    "unread": "unread",
    "flagged": "flagged",
    "draft": "drafts",
}


@router.get("/v1/messages", response_model=shapes.Page[shapes.Summary])
async def list_messages(
    request: Request,
    caller: Reader,
    folder_id: UUID | None = None,
    account_id: UUID | None = None,
    is_: Annotated[Literal["unread", "flagged", "draft"] | None, Query(alias="is")] = None,
    list_id: Annotated[str | None, Query(max_length=1000)] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
    fields: Fields = None,
) -> Response:
    """Newest first: of a folder, of an account what is unread, flagged or a draft, of a mailing list, or everything.
    For anything else there is /v1/search."""
    names = answers.chosen(fields, SUMMARY)
    which, of = _filtered(folder_id, account_id, is_, list_id)
    about = f"messages:{which}:{sorted(of.items())}"
    before = END
    if cursor is not None:
        at, id_ = caller.open(about, cursor)
        before = (int(at), UUID(str(id_)))
    async with caller.tx() as tx:
        rows = await messages.newest(tx, limit=limit + 1, before=before, which=which, **of)
    more = None
    if len(rows) > limit:
        last = rows[limit - 1]
        more = caller.seal(about, [last["received_at"], last["id"]])
    return answers.json(request, {"items": [summary(row, names) for row in rows[:limit]], "next": more})


@router.get("/v1/messages/{message_id}", response_model=shapes.Message)
async def get_message(request: Request, caller: Reader, message_id: UUID, fields: Fields = None) -> Response:
    """One message; its ETag goes into If-Match of a change."""
    names = answers.chosen(fields, [*SUMMARY, *_MORE])
    async with caller.tx() as tx:
        row = await messages.view(tx, MessageId(message_id))
    etag = tag_of(row)
    if answers.matches(request.headers.get("if-none-match"), etag):
        return answers.unchanged(request, etag)
    return answers.json(request, await _whole(row, names), etag=etag)


@router.get(
    "/v1/messages/{message_id}/raw",
    response_class=Response,
    responses={200: {"content": {"message/rfc822": {"schema": {"type": "string", "format": "binary"}}}}},
)
async def raw_message(request: Request, caller: Reader, message_id: UUID) -> Response:
    """The exact bytes as they came (message/rfc822). Takes Range and If-None-Match."""
    async with caller.tx() as tx:
        row = await messages.get(tx, MessageId(message_id))
        return await download(
            request,
            lambda: pieces_of(caller.context.blobs, tx, row),
            size=row["size_bytes"],
            etag=f'"{bytes(row["content_hash"]).hex()}"',
            media_type="message/rfc822",
            filename=f"{message_id}.eml",
        )


@router.get("/v1/messages/{message_id}/headers", response_model=shapes.Headers)
async def message_headers(request: Request, caller: Reader, message_id: UUID) -> Response:
    """Every field of the header in its order, decoded."""
    async with caller.tx() as tx:
        row = await messages.get(tx, MessageId(message_id))
        held = b""
        async for piece in pieces_of(caller.context.blobs, tx, row):
            held += piece
            if b"\n\n" in held or b"\n\r\n" in held or len(held) > _HEADER_BYTES:
                break
    return answers.json(
        request, {"items": [{"name": name, "value": value} for name, value in headers_only(held)]}
    )


@router.get("/v1/threads/{thread_id}", response_model=shapes.Thread, tags=["threads"])
async def get_thread(
    request: Request,
    caller: Reader,
    thread_id: UUID,
    limit: Limit = 50,
    cursor: Cursor = None,
    fields: Fields = None,
) -> Response:
    """A conversation in its order, the oldest first."""
    names = answers.chosen(fields, SUMMARY)
    about, after = f"thread:{thread_id}", _BEGINNING
    if cursor is not None:
        at, id_ = caller.open(about, cursor)
        after = (int(at), UUID(str(id_)))
    async with caller.tx() as tx:
        rows = await messages.thread(tx, ThreadId(thread_id), limit=limit + 1, after=after)
    if not rows and cursor is None:
        raise not_found("thread")
    more = None
    if len(rows) > limit:
        more = caller.seal(about, [rows[limit - 1]["received_at"], rows[limit - 1]["id"]])
    items = [summary(row, names) for row in rows[:limit]]
    return answers.json(request, {"id": thread_id, "items": items, "next": more})


def summary(row: dict[str, Any], names: frozenset[str] | None = None) -> dict[str, Any]:
    """A row of a list as it goes out."""
    shown = {
        "id": row["id"],
        "thread_id": row["thread_id"],
        "account_id": row["account_id"],
        "folder_id": row["folder_id"],
        "subject": row["subject"],
        "from": row["from"],
        "sent_at": answers.time_of(row["sent_at"]),
        "received_at": answers.time_of(row["received_at"]),
        "preview": row["preview"],
        "is_read": row["is_read"],
        "is_flagged": row["is_flagged"],
        "is_draft": row["is_draft"],
        "has_attachments": row["has_attachments"],
        "size_bytes": row["size_bytes"],
    }
    return answers.only(shown, names)


def pieces_of(blobs: Blobs, tx: TenantTx, row: dict[str, Any]) -> Spool:
    """The exact bytes of a message of which everything in the row is known."""
    recipe = Recipe.from_json(row["raw_recipe"]) if row["raw_recipe"] else None
    return blobs.message(tx, bytes(row["content_hash"]), bytes(row["raw_blob"]), recipe)


def tag_of(row: dict[str, Any]) -> str:
    """The ETag of a message: another one whenever something of it changes."""
    return f'"{row["updated_at"]:x}-{row["id"].hex[-12:]}"'


def attachment_url(attachment_id: object) -> str:
    return f"/v1/attachments/{attachment_id}/content"


def _filtered(
    folder_id: UUID | None, account_id: UUID | None, is_: str | None, list_id: str | None
) -> tuple[Any, dict[str, Any]]:
    given = [each for each in (folder_id, account_id, list_id) if each is not None]
    if len(given) > 1:
        raise bad("Give one of folder_id, account_id and list_id; /v1/search combines what you like.")
    if (account_id is None) != (is_ is None):
        raise bad("Give account_id and is together.", "is" if is_ is None else "account_id")
    if folder_id is not None:
        return "folder", {"folder_id": folder_id}
    if list_id is not None:
        return "list", {"list_id": list_id.lower()}
    if account_id is not None and is_ is not None:
        return _WHICH[is_], {"account_id": account_id}
    return "tenant", {}


async def _whole(row: dict[str, Any], names: frozenset[str] | None) -> dict[str, Any]:
    people: dict[str, list[dict[str, Any]]] = {}
    for each in row["addresses"] or []:
        people.setdefault(each["role"], []).append({"name": each["name"], "address": each["address"]})
    attached = row["attachments"] or []
    page = pages.Page(html="")
    if row["html_body"] and (names is None or names & {"html", "blocked"}):
        images = {part["content_id"]: attachment_url(part["id"]) for part in attached if part["content_id"]}
        page = await _off_the_loop(row["html_body"], lambda: pages.safe(row["html_body"], images))
    whole = summary(row) | {
        "message_id": row["message_id_header"],
        "in_reply_to": row["in_reply_to"],
        "references": row["reference_ids"],
        "list_id": row["list_id"],
        "authors": people.get("from", []),
        **{role: people.get(role, []) for role in ("to", "cc", "bcc", "reply_to")},
        "folders": row["folders"] or [],
        "attachments": [each | {"url": attachment_url(each["id"])} for each in attached],
        "text": row["text_body"],
        "html": page.html if row["html_body"] else None,
        "blocked": page.blocked,
        "is_deleted": row["is_deleted"],
        "sha256": bytes(row["content_hash"]).hex(),
        "defects": row["defects"],
    }
    return answers.only(whole, names)


async def _off_the_loop(text: str, work: Callable[[], pages.Page]) -> pages.Page:
    """A large page is cleaned beside the loop, so that others do not wait for it."""
    return work() if len(text) < _LARGE_PAGE else await asyncio.to_thread(work)
