"""Workers: what is due of all tenants goes to them, and each says that it lives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from postroom.model import AccountId, TenantId
from postroom.sql import queries
from postroom.store.database import SystemTx
from postroom.store.jobs import Lease

QUERIES = queries("system")


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerState:
    """A process that keeps accounts current, as it last described itself."""

    id: UUID
    host: str
    pid: int
    concurrency: int
    running: int
    watching: int
    is_stopping: bool
    started_at: int
    seen_at: int
    silent_ms: int


async def claim(
    tx: SystemTx,
    worker_id: UUID,
    *,
    limit: int,
    lease_ms: int,
    per_host: int,
    uncounted_hosts: Sequence[str],
    woken_only: bool = False,
) -> list[Lease]:
    """At most so many accounts that are due, tenants taking turns; or those alone of which there is news."""
    rows = await tx.rows(
        QUERIES.sync_claim,
        worker_id=worker_id,
        limit=limit,
        lease_ms=lease_ms,
        per_host=per_host,
        uncounted_hosts=list(uncounted_hosts),
        woken_only=woken_only,
    )
    return [
        Lease(
            tenant_id=TenantId(row["tenant_id"]),
            account_id=AccountId(row["account_id"]),
            worker_id=worker_id,
            token=row["token"],
            is_woken=row["is_woken"],
        )
        for row in rows
    ]


async def claim_sends(tx: SystemTx, *, limit: int, lease_ms: int) -> list[tuple[TenantId, AccountId]]:
    """At most so many accounts whose outbox has something to do, tenants taking turns."""
    rows = await tx.rows(QUERIES.sends_claim, limit=limit, lease_ms=lease_ms)
    return [(TenantId(row["tenant_id"]), AccountId(row["account_id"])) for row in rows]


async def beat(
    tx: SystemTx,
    worker_id: UUID,
    *,
    host: str,
    pid: int,
    concurrency: int,
    running: int,
    watching: int,
    is_stopping: bool,
    dead_ms: int,
) -> None:
    """This worker lives; what others watched that have been silent for `dead_ms` is due at once."""
    await tx.rows(
        QUERIES.worker_beat,
        worker_id=worker_id,
        host=host,
        pid=pid,
        concurrency=concurrency,
        running=running,
        watching=watching,
        is_stopping=is_stopping,
        dead_ms=dead_ms,
    )


async def gone(tx: SystemTx, worker_id: UUID) -> None:
    """This worker ends: what it watched is due at once, for another."""
    await tx.rows(QUERIES.worker_gone, worker_id=worker_id)


async def all_workers(tx: SystemTx) -> list[WorkerState]:
    """The oldest first."""
    return [WorkerState(**row) for row in await tx.rows(QUERIES.worker_list)]
