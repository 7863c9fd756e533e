"""Telling: what happens goes to the webhooks of all tenants, so many at once.

A webhook is handed to one worker for a while; if that worker dies, another gets it then and goes on where it was.
"""

from __future__ import annotations

import asyncio
import logging

from postroom.outbox.crew import Crew
from postroom.outbox.tell import LOOK_AGAIN_MS, Telephone, tell
from postroom.settings import Settings
from postroom.store import webhooks
from postroom.store.credentials import MasterKey
from postroom.store.database import Database
from postroom.store.webhooks import Claimed

log = logging.getLogger("postroom.webhooks")


class Telling:
    """`await Telling(…).run(stop)` works until `stop` is set, and then ends the calls that it has begun."""

    def __init__(self, db: Database, settings: Settings, *, master: MasterKey) -> None:
        self._db = db
        self._phone = Telephone.of(settings, master)
        self._crew = Crew(
            settings.concurrency, tick_seconds=0.5, patience_seconds=self._phone.timeout_seconds, log=log
        )

    async def run(self, stop: asyncio.Event) -> None:
        async def claim(room: int) -> None:
            async with self._db.system() as tx:
                found = await webhooks.claim(
                    tx, limit=room, lease_ms=self._phone.lease_ms, look_again_ms=LOOK_AGAIN_MS
                )
            for each in found:
                self._crew.begin(each.webhook_id, f"webhook={each.webhook_id}", self._tell(each, stop))

        await self._crew.run(stop, claim)

    async def _tell(self, claimed: Claimed, stop: asyncio.Event) -> None:
        told = await tell(self._db, claimed, self._phone, stop)
        if told.problem:
            log.warning("webhook=%s %s", claimed.webhook_id, told.problem)
        if told.arrived:
            log.info("webhook=%s arrived=%d", claimed.webhook_id, told.arrived)
