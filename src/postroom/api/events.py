"""Events: the changes as they happen, as server-sent events. A client that comes back says where it was."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from itertools import groupby
from typing import Annotated, Any
from uuid import UUID

import orjson
from fastapi import APIRouter, Header, Response
from starlette.responses import StreamingResponse

from postroom.api.auth import Caller, Reader
from postroom.api.changes import Position, Since, position_of, read, sealed, visible_heads
from postroom.api.problems import Problem
from postroom.errors import PostroomError
from postroom.model import AccountId

router = APIRouter(tags=["changes"])
HEARTBEAT_SECONDS = 15.0
_AT_ONCE = 500


@router.get(
    "/v1/events",
    response_class=Response,
    responses={
        200: {
            "content": {"text/event-stream": {"schema": {"type": "string"}}},
            "description": "`event: changes`, with what one transaction did in one account as `data`, and a cursor as `id`.",
        }
    },
)
async def events(
    caller: Reader,
    since: Since = None,
    account_id: UUID | None = None,
    last_event_id: Annotated[str | None, Header(max_length=60_000)] = None,
) -> Response:
    """Without `Last-Event-ID` and `since` it begins now. The id of an event is a cursor of /v1/changes, too. A line
    `: still here` comes at least every fifteen seconds."""
    only = account_id and AccountId(account_id)
    async with caller.tx() as tx:
        heads = await visible_heads(tx, only)
        field = "last_event_id" if last_event_id else "since"
        position = position_of(caller, last_event_id or since or "now", heads, only, field)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    stream = _stream(caller, position, only)
    return StreamingResponse(stream, media_type="text/event-stream", headers=headers)


async def _stream(caller: Caller, position: Position, only: AccountId | None) -> AsyncIterator[bytes]:
    context = caller.context
    with context.figures.listeners.track_inprogress():
        async with context.hub.listening(caller.identity.tenant_id) as due:
            yield b"retry: 2000\n: connected\n\n"
            has_more = True
            while not context.hub.closing:
                pieces = list[bytes]()
                try:
                    if await context.keyring.identity_of(caller.key) is None:
                        yield b'event: end\ndata: {"code":"unauthorized"}\n\n'
                        return
                    is_due = has_more or due.is_set()
                    if is_due:
                        due.clear()
                        pieces, position, has_more = await _next(caller, position, only)
                except (PostroomError, Problem):
                    return  # the client comes back by itself, and says where it was
                for piece in pieces:
                    yield piece
                if is_due:
                    continue
                try:
                    await asyncio.wait_for(due.wait(), HEARTBEAT_SECONDS)
                except TimeoutError:
                    yield b": still here\n\n"


async def _next(
    caller: Caller, position: Position, only: AccountId | None
) -> tuple[list[bytes], Position, bool]:
    async with caller.tx() as tx:
        heads = await visible_heads(tx, only)
        found, end, has_more = await read(tx, position, heads, limit=_AT_ONCE)
    pieces, so_far = [], dict(position)
    for (account, modseq), group in groupby(found, key=lambda each: (each["account_id"], each["modseq"])):
        so_far[account] = modseq
        pieces.append(_event(sealed(caller, so_far, only), list(group)))
    return pieces, end, has_more


def _event(cursor: str, items: list[dict[str, Any]]) -> bytes:
    data = orjson.dumps({"items": items}, default=str)
    return b"id: " + cursor.encode() + b"\nevent: changes\ndata: " + data + b"\n\n"
