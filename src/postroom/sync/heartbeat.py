"""Heartbeat: a sync that works says so again and again, which one that was killed no longer does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from postroom.errors import PostroomError
from postroom.model import AccountId, TenantId
from postroom.store import accounts
from postroom.store.database import Database

BEAT_SECONDS = 10
"""Well below `accounts.LOST_AFTER_SECONDS`."""


@asynccontextmanager
async def heartbeat(db: Database, tenant_id: TenantId, account_id: AccountId) -> AsyncIterator[None]:
    """As long as this lasts the account is being synced, and its row shows it."""
    beating = asyncio.create_task(_beat(db, tenant_id, account_id))
    try:
        yield
    finally:
        beating.cancel()
        await asyncio.wait([beating])


async def _beat(db: Database, tenant_id: TenantId, account_id: AccountId) -> None:
    while True:
        with suppress(PostroomError):  # the work itself will meet the same trouble and say it
            async with db.tenant(tenant_id) as tx:
                await accounts.sync_goes_on(tx, account_id)
        await asyncio.sleep(BEAT_SECONDS)
