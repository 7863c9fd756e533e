"""System: the few things that cross tenants. Names in, ids out."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date

from postroom.errors import NotFound, UsageError
from postroom.ids import new_id, now_ms
from postroom.model import TenantId
from postroom.sql import queries
from postroom.store.database import SystemTx

QUERIES = queries("system")
_NAME = re.compile(r"[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    id: TenantId
    name: str
    suspended_at: int | None = None
    """Known of those of the list."""


def refuse_bad_name(name: str, what: str = "a tenant's name") -> None:
    """Raises UsageError for a name that cannot be one."""
    if not _NAME.fullmatch(name):
        raise UsageError(
            reason=f"{name!r} cannot be {what}: use 1 to 63 of a-z, 0-9, '.', '_' and '-', such as acme."
        )


async def create_tenant(tx: SystemTx, name: str) -> Tenant:
    """A new tenant. Raises UsageError for a name that cannot be one or is taken."""
    refuse_bad_name(name)
    rows = await tx.rows(
        QUERIES.tenant_create, new_tenant_id=new_id(), name=name, default_user_id=new_id(), at=now_ms()
    )
    if not rows:
        raise UsageError(reason=f"A tenant named {name!r} is there already. Choose another name.")
    return Tenant(id=TenantId(rows[0]["tenant_id"]), name=rows[0]["name"])


async def tenant_named(tx: SystemTx, name: str) -> Tenant:
    """The tenant of this name. Raises NotFound."""
    rows = await tx.rows(QUERIES.tenant_named, name=name)
    if not rows:
        raise NotFound(what="tenant", name=name, mend=f"Make it: postroom tenant create {name}.")
    return Tenant(id=TenantId(rows[0]["tenant_id"]), name=rows[0]["name"])


async def tenants(tx: SystemTx) -> list[Tenant]:
    """Every tenant by name, for operators."""
    return [
        Tenant(id=TenantId(row["tenant_id"]), name=row["name"], suspended_at=row["suspended_at"])
        for row in await tx.rows(QUERIES.tenant_list)
    ]


async def audit_months(tx: SystemTx) -> list[date]:
    """The first days of the months that the audit trail has room for, oldest first."""
    return [row["month"] for row in await tx.rows(QUERIES.audit_months)]


async def drop_audit_month(tx: SystemTx, month: date) -> int:
    """Drop a month of all tenants, as the owner; how many entries went. Each tenant's trail says so."""
    return (await tx.rows(QUERIES.audit_drop, month=month))[0]["entries"]


async def server_version(tx: SystemTx) -> str:
    """Such as 17.10."""
    return (await tx.rows(QUERIES.server_version))[0]["version"]


async def refresh_statistics(tx: SystemTx) -> None:
    """Tell the planner how large the tables have become."""
    await tx.rows(QUERIES.refresh_statistics)


async def schema_version(tx: SystemTx) -> int | None:
    """Which migration the database has come to."""
    return (await tx.rows(QUERIES.schema_version))[0]["version"]
