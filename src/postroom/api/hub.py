"""Hub: one look at the feeds of a tenant for all who listen to it in this process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from postroom.errors import PostroomError, TenantErasing, TenantSuspended
from postroom.model import AccountId, TenantId
from postroom.store import changes
from postroom.store.database import Database

LOOK_EVERY_SECONDS = 0.25


@dataclass(slots=True)
class _Watch:
    """A tenant that somebody listens to."""

    listeners: set[asyncio.Event] = field(default_factory=set)
    heads: dict[AccountId, int] | None = None
    task: asyncio.Task[None] | None = None


class Hub:
    """Wakes listeners when a feed goes on. It says only that there may be something; they look for themselves."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._watches: dict[TenantId, _Watch] = {}
        self.closing = False

    @asynccontextmanager
    async def listening(self, tenant_id: TenantId) -> AsyncIterator[asyncio.Event]:
        """An event that is set whenever it is time to look."""
        watch = self._watches.setdefault(tenant_id, _Watch())
        event = asyncio.Event()
        watch.listeners.add(event)
        if watch.task is None:
            watch.task = asyncio.create_task(self._look(tenant_id, watch))
        try:
            yield event
        finally:
            watch.listeners.discard(event)
            if not watch.listeners:
                watch.task.cancel()
                if self._watches.get(tenant_id) is watch:
                    del self._watches[tenant_id]

    def close(self) -> None:
        """Everybody is told to end: the service stops."""
        self.closing = True
        for watch in self._watches.values():
            _wake(watch)

    async def _look(self, tenant_id: TenantId, watch: _Watch) -> None:
        while True:
            try:
                async with self._db.tenant(tenant_id) as tx:
                    heads = await changes.heads(tx)
                if heads != watch.heads:
                    watch.heads = heads
                    _wake(watch)
            except (TenantSuspended, TenantErasing):
                _wake(watch)
            except PostroomError:
                pass  # the database is away for a while; the next look finds what was missed
            await asyncio.sleep(LOOK_EVERY_SECONDS)


def _wake(watch: _Watch) -> None:
    for event in watch.listeners:
        event.set()
