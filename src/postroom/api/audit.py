"""Audit: who did what, newest first."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from postroom.api import answers, shapes
from postroom.api.auth import Admin
from postroom.api.messages import Cursor, Limit
from postroom.api.problems import bad
from postroom.store import audit

router = APIRouter(tags=["audit"])


@router.get("/v1/audit", response_model=shapes.Page[shapes.Recorded])
async def list_audit(
    request: Request,
    caller: Admin,
    object_type: Annotated[str | None, Query(pattern=r"^[a-z_]{1,40}$", examples=["message"])] = None,
    object_id: UUID | None = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """The trail of the tenant, or of one thing by its type and id. A key of one user sees what that user did."""
    if (object_type is None) != (object_id is None):
        raise bad("Give object_type and object_id together.", "object_id")
    of = (object_type, object_id) if object_type is not None and object_id is not None else None
    about, before = f"audit:{of}", audit.END
    if cursor is not None:
        at, id_ = caller.open(about, cursor)
        before = (int(at), UUID(str(id_)))
    async with caller.tx() as tx:
        rows = await audit.newest(tx, limit=limit + 1, before=before, of=of)
    more = None
    if len(rows) > limit:
        more = caller.seal(about, [rows[limit - 1]["at"], rows[limit - 1]["id"]])
    items: list[dict[str, Any]] = [row | {"at": answers.time_of(row["at"])} for row in rows[:limit]]
    return answers.json(request, {"items": items, "next": more})
