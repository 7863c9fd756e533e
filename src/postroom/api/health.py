"""Health: alive, ready, and the figures. No key is asked for; nothing here tells of a tenant."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from postroom.api import answers, shapes
from postroom.api.auth import context_of
from postroom.api.problems import Problem
from postroom.sql import migrations
from postroom.store import system

router = APIRouter(tags=["health"])
_KNOWN = int(migrations()[-1][:4])


@router.get("/healthz", response_model=shapes.Alive)
async def healthz(request: Request) -> Response:
    """The process is alive."""
    return answers.json(request, {"status": "ok"}, headers={"Cache-Control": "no-store"})


@router.get("/readyz", response_model=shapes.Ready)
async def readyz(request: Request) -> Response:
    """The database answers, and has the schema that this program knows. 503 otherwise, and while the service stops."""
    context = context_of(request)
    if context.hub.closing:
        raise Problem(503, "stopping", "The service is stopping.")
    async with context.db.system() as tx:
        version = await system.schema_version(tx)
    if version != _KNOWN:
        raise Problem(503, "schema", f"The schema is {version}; this program knows {_KNOWN}.")
    body = {"status": "ready", "schema_version": version}
    return answers.json(request, body, headers={"Cache-Control": "no-store"})


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
async def metrics(request: Request) -> Response:
    """In the format of Prometheus."""
    return Response(context_of(request).figures.text(), media_type="text/plain; version=0.0.4")
