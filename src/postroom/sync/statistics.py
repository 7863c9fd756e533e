"""Statistics: the planner is told when a store grows from nothing, where autovacuum would come by a minute later."""

from __future__ import annotations

from postroom.store import system
from postroom.store.database import Database

WORTH_MESSAGES = 25
"""What a batch must hold to count."""
_AFTER = (1, 10)
"""Batches of one run. From the thousands on autovacuum is early enough."""


async def refresh(db: Database, batches_done: int) -> None:
    """Call it after every batch that stored something."""
    if batches_done in _AFTER:
        async with db.system() as tx:
            await system.refresh_statistics(tx)
