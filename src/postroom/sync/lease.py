"""Lease: an account is synced by one process at a time, and who loses it stops before anything more is written."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from uuid import UUID

from postroom.errors import AccountBusy, LeaseLost, PostroomError
from postroom.model import Account, TenantId
from postroom.store import jobs
from postroom.store.database import Database, TenantTx
from postroom.store.jobs import Advance, Lease

_LOOK_AGAIN_SECONDS = 1.0
_SIGN_SECONDS = 3.0
"""Often enough for who looks at how far it is."""


@asynccontextmanager
async def kept(
    db: Database, lease: Lease, *, lease_seconds: float, advance: Callable[[], Advance]
) -> AsyncIterator[Database]:
    """As long as this lasts the account is ours; gives the door through which alone it may be written to.

    Raises LeaseLost, in the midst of whatever is done inside, when another process has taken it over.
    """
    owner = asyncio.current_task()
    assert owner
    lost = asyncio.Event()
    keeping = asyncio.create_task(_keep(db, lease, lease_seconds, advance, lost, owner))

    async def hold(tx: TenantTx) -> None:
        await jobs.hold(tx, lease)

    try:
        yield db.watched(hold)
    except asyncio.CancelledError:
        if not lost.is_set():
            raise
        owner.uncancel()
        raise LeaseLost(account=str(lease.account_id)) from None
    finally:
        keeping.cancel()
        await asyncio.wait([keeping])


async def _keep(
    db: Database,
    lease: Lease,
    lease_seconds: float,
    advance: Callable[[], Advance],
    lost: asyncio.Event,
    owner: asyncio.Task[object],
) -> None:
    while True:
        await asyncio.sleep(min(lease_seconds / 3, _SIGN_SECONDS))
        try:
            async with db.tenant(lease.tenant_id) as tx:
                is_ours = await jobs.extend(tx, lease, lease_ms=int(lease_seconds * 1000), advance=advance())
        except PostroomError:
            continue  # the work itself meets the same trouble and says it; the fence holds meanwhile
        if not is_ours:
            lost.set()
            owner.cancel()
            return


async def acquired(
    db: Database,
    tenant_id: TenantId,
    account: Account,
    worker_id: UUID,
    *,
    lease_seconds: float,
    wait_seconds: float,
    waiting: Callable[[], None],
) -> Lease:
    """The lease of one account, waiting for who has it. Raises AccountBusy when that takes too long."""
    began, has_said = time.monotonic(), False
    while True:
        async with db.tenant(tenant_id) as tx:
            lease = await jobs.acquire(tx, account.id, worker_id, lease_ms=int(lease_seconds * 1000))
        if lease:
            return lease
        if time.monotonic() - began >= wait_seconds:
            raise AccountBusy(account=account.email_address)
        if not has_said:
            waiting()
            has_said = True
        await asyncio.sleep(_LOOK_AGAIN_SECONDS)
