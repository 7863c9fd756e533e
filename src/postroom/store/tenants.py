"""Tenants: the one of the transaction, as its operator sees and changes it: suspended, renamed, how long it keeps mail."""

from __future__ import annotations

from dataclasses import dataclass

from postroom.errors import UsageError
from postroom.ids import now_ms
from postroom.model import TenantId
from postroom.sql import queries
from postroom.store import audit
from postroom.store.database import TenantTx
from postroom.store.system import refuse_bad_name

QUERIES = queries("tenants")


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantState:
    tenant_id: TenantId
    name: str
    suspended_at: int | None
    erasing_at: int | None
    keep_deleted_days: int | None
    """How long deleted mail is kept before a purge takes it; None: for ever."""


async def mine(tx: TenantTx) -> TenantState:
    """The tenant of the transaction."""
    return TenantState(**(await tx.rows(QUERIES.mine))[0])


async def is_there(tx: TenantTx) -> bool:
    """Whether there is a tenant of this id."""
    return bool(await tx.rows(QUERIES.mine))


async def suspend(tx: TenantTx, *, is_suspended: bool) -> bool:
    """Suspend the tenant, or let it in again, as the owner; whether that is anything new."""
    at = now_ms()
    if not await tx.run(QUERIES.suspend, suspended_at=at if is_suspended else None, at=at):
        return False
    await audit.append(tx, "tenant.suspend" if is_suspended else "tenant.resume", "tenant", tx.tenant_id)
    return True


async def rename(tx: TenantTx, name: str) -> None:
    """Give the tenant another name, as the owner. Raises UsageError for one that cannot be, or is taken."""
    refuse_bad_name(name)
    before = (await mine(tx)).name
    if not await tx.run(QUERIES.rename, name=name, at=now_ms()):
        raise UsageError(reason=f"A tenant named {name!r} is there already. Choose another name.")
    await audit.append(
        tx, "tenant.rename", "tenant", tx.tenant_id, before={"name": before}, after={"name": name}
    )


async def keep_deleted(tx: TenantTx, days: int | None) -> None:
    """Set how long deleted mail is kept, as the owner; None: for ever."""
    before = (await mine(tx)).keep_deleted_days
    await tx.run(QUERIES.keep_deleted, days=days, at=now_ms())
    await audit.append(
        tx,
        "tenant.retention",
        "tenant",
        tx.tenant_id,
        before={"keep_deleted_days": before},
        after={"keep_deleted_days": days},
    )
