"""Threads: conversations by their newest message."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response

from postroom.api import answers, shapes
from postroom.api.auth import Reader
from postroom.api.messages import END, Cursor, Limit, summary
from postroom.store import messages

router = APIRouter(tags=["threads"])


@router.get("/v1/threads", response_model=shapes.Page[shapes.ListedThread])
async def list_threads(
    request: Request,
    caller: Reader,
    folder_id: UUID | None = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """Conversations, the one with the newest message first; with `folder_id` those with mail in that folder, by the newest
    that lies there. Counts are of the whole conversation."""
    about, before = f"threads:{folder_id}", END
    if cursor is not None:
        at, id_ = caller.open(about, cursor)
        before = (int(at), UUID(str(id_)))
    async with caller.tx() as tx:
        if folder_id is None:
            rows = await messages.newest(tx, limit=limit + 1, before=before, which="threads")
        else:
            rows = await messages.newest(
                tx, limit=limit + 1, before=before, which="threads_of_folder", folder_id=folder_id
            )
    more = None
    if len(rows) > limit:
        more = caller.seal(about, [rows[limit - 1]["received_at"], rows[limit - 1]["id"]])
    return answers.json(request, {"items": [_shown(row) for row in rows[:limit]], "next": more})


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": row["thread_id"],
        "account_id": row["account_id"],
        "message_count": row["messages"],
        "unread_count": row["unread"],
        "flagged_count": row["flagged"],
        "latest": summary(row),
    }
