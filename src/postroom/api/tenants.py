"""Tenants: made and listed by who shows a key of the installation, which opens nobody's mail."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

from fastapi import APIRouter, Request, Response

from postroom.api import answers, shapes
from postroom.api.auth import InstallationKey, context_of, unknown
from postroom.api.problems import Problem, not_found
from postroom.errors import Denied, UsageError
from postroom.ids import now_ms
from postroom.model import TenantId
from postroom.store import admin_keys, audit
from postroom.store.database import SystemTx

router = APIRouter(tags=["tenants"])


@router.get("/v1/tenants", response_model=shapes.Tenants)
async def list_tenants(request: Request, key: InstallationKey) -> Response:
    """Every tenant, by name."""
    async with _admitted(request) as tx:
        rows = await admin_keys.tenants(tx, key)
    items = [
        {
            "id": row["tenant_id"],
            "name": row["name"],
            "created_at": answers.time_of(row["created_at"]),
            "state": "suspended" if row["suspended_at"] else "active",
        }
        for row in rows
    ]
    return answers.json(request, {"items": items})


@router.post("/v1/tenants", response_model=shapes.Tenant, status_code=201)
async def create_tenant(request: Request, key: InstallationKey, body: shapes.NewTenant) -> Response:
    """Make a tenant. 409 where there is one of this name."""
    async with _admitted(request) as tx:
        try:
            made = await admin_keys.create_tenant(tx, key, body.name)
        except UsageError as error:
            raise Problem(409, "taken", "There is a tenant of this name already.", field="name") from error
    async with context_of(request).db.tenant(made.id) as tx:
        await audit.append(tx, "tenant.create", "tenant", made.id, after={"name": made.name})
    return answers.json(request, {"id": made.id, "name": made.name}, status=201)


@router.post("/v1/tenants/{tenant_id}/keys", response_model=shapes.Key, status_code=201)
async def create_key(
    request: Request, key: InstallationKey, tenant_id: UUID, body: shapes.NewKey
) -> Response:
    """A key for the whole of a tenant, shown this once."""
    seconds = body.expires_in_seconds
    async with _admitted(request) as tx:
        made = await admin_keys.create_key(
            tx,
            key,
            TenantId(tenant_id),
            name=body.name,
            scopes=set(body.scopes),
            expires_at=now_ms() + seconds * 1000 if seconds else None,
        )
    if made is None:
        raise not_found("tenant")
    async with context_of(request).db.tenant(TenantId(tenant_id)) as tx:
        after = {"prefix": made.prefix, "scopes": sorted(set(body.scopes))}
        await audit.append(tx, "api_key.create", "api_key", made.id, after=after)
    return answers.json(request, {"id": made.id, "prefix": made.prefix, "key": made.text}, status=201)


@asynccontextmanager
async def _admitted(request: Request) -> AsyncIterator[SystemTx]:
    try:
        async with context_of(request).db.system() as tx:
            yield tx
    except Denied as error:
        raise unknown() from error
