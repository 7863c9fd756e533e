"""Telling: what happens goes to the webhooks of all tenants, so many at once.

A webhook is handed to one worker for a while; if that worker dies, another gets it then and goes on where it was.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress

from postroom.errors import PostroomError, StoreError
from postroom.outbox.tell import LOOK_AGAIN_MS, Telephone, tell
from postroom.settings import Settings
from postroom.store import webhooks
from postroom.store.credentials import MasterKey
from postroom.store.database import Database
from postroom.store.webhooks import Claimed

log = logging.getLogger("postroom.webhooks")
_TICK_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 30.0


class Telling:
    """`await Telling(…).run(stop)` works until `stop` is set, and then ends the calls that it has begun."""

    def __init__(self, db: Database, settings: Settings, *, master: MasterKey) -> None:
        self._db = db
        self._settings = settings
        self._phone = Telephone.of(settings, master)
        self._running: set[asyncio.Task[None]] = set()

    async def run(self, stop: asyncio.Event) -> None:
        pause_seconds = _TICK_SECONDS
        try:
            while not stop.is_set():
                try:
                    await self._claim(stop)
                    pause_seconds = _TICK_SECONDS
                except StoreError as error:
                    log.warning("nothing can be claimed: %s", error)
                    pause_seconds = min(_LONGEST_PAUSE_SECONDS, pause_seconds * 2)
                with suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), pause_seconds)
            if self._running:
                await asyncio.wait(self._running, timeout=self._phone.timeout_seconds)
        finally:
            for task in self._running:
                task.cancel()
            if self._running:
                await asyncio.wait(self._running)

    async def _claim(self, stop: asyncio.Event) -> None:
        room = max(1, self._settings.concurrency) - len(self._running)
        if room <= 0:
            return
        async with self._db.system() as tx:
            found = await webhooks.claim(
                tx, limit=room, lease_ms=self._phone.lease_ms, look_again_ms=LOOK_AGAIN_MS
            )
        for claimed in found:
            task = asyncio.create_task(self._tell(claimed, stop))
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    async def _tell(self, claimed: Claimed, stop: asyncio.Event) -> None:
        try:
            told = await tell(self._db, claimed, self._phone, stop)
        except PostroomError as error:
            log.warning("webhook=%s %s", claimed.webhook_id, error)
        except Exception:
            log.exception("webhook=%s", claimed.webhook_id)
        else:
            if told.problem:
                log.warning("webhook=%s %s", claimed.webhook_id, told.problem)
            if told.arrived:
                log.info("webhook=%s arrived=%d", claimed.webhook_id, told.arrived)
