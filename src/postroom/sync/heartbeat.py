"""Heartbeat: a sync that works says so again and again, which one that was killed no longer does; at its end it says how
it went."""

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
async def heartbeat(db: Database, tenant_id: TenantId, account_id: AccountId) -> AsyncIterator[list[str]]:
    """As long as this lasts the account is being synced, and its row shows it; then the row shows what went wrong: what
    was raised, or what was put into the list that is given."""
    troubles: list[str] = []
    problem: str | None = accounts.INTERRUPTED
    beating = asyncio.create_task(_beat(db, tenant_id, account_id))
    try:
        yield troubles
        problem = "; ".join(troubles) or None
    except Exception as error:
        problem = str(error)
        raise
    finally:
        beating.cancel()
        await asyncio.wait([beating])
        async with db.tenant(tenant_id, in_any_state=True) as tx:
            await accounts.sync_ended(tx, account_id, last_error=problem)


async def _beat(db: Database, tenant_id: TenantId, account_id: AccountId) -> None:
    while True:
        with suppress(PostroomError):  # the work itself will meet the same trouble and say it
            async with db.tenant(tenant_id) as tx:
                await accounts.sync_goes_on(tx, account_id)
        await asyncio.sleep(BEAT_SECONDS)
