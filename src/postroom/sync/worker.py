"""Worker: takes accounts that are due, syncs so many at once, waits for the news of the others, and ends in good order."""

from __future__ import annotations

import asyncio
import logging
import os
import resource
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from uuid import UUID

from postroom.errors import LeaseLost, PostroomError, StoreError
from postroom.ids import new_id
from postroom.model import Account
from postroom.store import workers
from postroom.store.jobs import Lease
from postroom.sync.leased import Paused, Surroundings, sync_leased
from postroom.sync.opening import Source
from postroom.sync.push import Push
from postroom.wire.imap import ImapSource
from postroom.wire.throttling import BY_ACCOUNT

log = logging.getLogger("postroom.worker")
_TICK_SECONDS = 1.0
_BEAT_SECONDS = 5.0
_WIND_UP_SECONDS = 5.0
"""For the batches in hand; what has not ended by then is rolled back, and done again by the next."""
_CANCEL_SECONDS = 3.0
_LONGEST_PAUSE_SECONDS = 30.0


class Worker:
    """`await Worker(around).run(stop)` works until `stop` is set. Any number of them share one database."""

    def __init__(self, around: Surroundings) -> None:
        self.id: UUID = new_id()
        self._around = around
        self._settings = around.settings
        self._concurrency = max(1, around.settings.concurrency)
        # News must not wait until the first sync of a large mailbox is through.
        self._ordinary_at_most = max(1, self._concurrency - max(1, self._concurrency // 4))
        self._running: dict[asyncio.Task[None], Lease] = {}
        self._nudged = asyncio.Event()
        self._is_stopping = False
        self._push: Push | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set; then end the batches in hand and give everything back, within ten seconds."""
        _allow_many_connections()
        loop = asyncio.get_running_loop()
        loop.set_default_executor(ThreadPoolExecutor(2 * self._concurrency + 4, "sync"))
        if self._settings.push_connections:
            self._push = Push(self._around.db, self.id, self._settings, self._nudged.set)
        beating = asyncio.create_task(self._beat())
        stopping = asyncio.create_task(stop.wait())
        try:
            await self._work(stopping)
        finally:
            beating.cancel()
            stopping.cancel()
            await self._wind_up()

    async def _work(self, stopping: asyncio.Task[bool]) -> None:
        pause_seconds = _TICK_SECONDS
        while not stopping.done():
            self._nudged.clear()
            try:
                await self._claim()
                pause_seconds = _TICK_SECONDS
            except StoreError as error:
                log.warning("nothing can be claimed: %s", error)
                pause_seconds = min(_LONGEST_PAUSE_SECONDS, pause_seconds * 2)
            nudged = asyncio.create_task(self._nudged.wait())
            await asyncio.wait([nudged, stopping], timeout=pause_seconds, return_when=asyncio.FIRST_COMPLETED)
            nudged.cancel()

    async def _claim(self) -> None:
        """As many as there is room for; the last places are for accounts of which there is news."""
        free = self._concurrency - len(self._running)
        ordinary = sum(not lease.is_woken for lease in self._running.values())
        room = min(free, self._ordinary_at_most - ordinary)
        found = await self._claimed(room) if room > 0 else []
        if free > max(room, 0) and len(found) < free:
            found += await self._claimed(free - len(found), woken_only=True)
        for lease in found:
            task = asyncio.create_task(self._sync(lease))
            self._running[task] = lease
            task.add_done_callback(self._ended)

    async def _claimed(self, limit: int, *, woken_only: bool = False) -> list[Lease]:
        async with self._around.db.system() as tx:
            return await workers.claim(
                tx,
                self.id,
                limit=limit,
                lease_ms=self._settings.lease_seconds * 1000,
                per_host=self._settings.connections_per_host,
                uncounted_hosts=list(BY_ACCOUNT),
                woken_only=woken_only,
            )

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.pop(task, None)
        self._nudged.set()

    async def _sync(self, lease: Lease) -> None:
        began = time.monotonic()

        def report(_folder: str, _done: int, _total: int) -> None:
            is_crowded = len(self._running) >= self._ordinary_at_most
            if self._is_stopping or (is_crowded and time.monotonic() - began > self._settings.slice_seconds):
                raise Paused

        if self._push:
            self._push.sync_begins(lease.account_id)
        try:
            tally = await sync_leased(self._around, lease, report=report, after=self._after)
        except Paused:
            log.info("account=%s makes room for others", lease.account_id)
        except LeaseLost as error:
            log.warning("account=%s %s", lease.account_id, error)
        except PostroomError as error:
            log.warning("account=%s %s", lease.account_id, error)
        except Exception:
            log.exception("account=%s", lease.account_id)
        else:
            log.info(
                "account=%s stored=%d vanished=%d reflagged=%d seconds=%.2f",
                *(lease.account_id, tally.stored, tally.vanished, tally.reflagged, tally.seconds),
            )

    async def _after(self, lease: Lease, account: Account, source: Source) -> None:
        if self._push and not self._is_stopping and isinstance(source, ImapSource):
            await self._push.after_sync(lease, account, source)

    async def _beat(self) -> None:
        """Every few seconds, and soon after something has changed."""
        said, at = None, 0.0
        while True:
            now = len(self._running), self._push.connections if self._push else 0
            if now != said or time.monotonic() - at > min(_BEAT_SECONDS, self._settings.lease_seconds / 3):
                with suppress(StoreError):  # claiming meets the same trouble and says it
                    await self._say_so()
                said, at = now, time.monotonic()
            await asyncio.sleep(min(_TICK_SECONDS, self._settings.lease_seconds / 6))

    async def _say_so(self) -> None:
        async with self._around.db.system() as tx:
            await workers.beat(
                tx,
                self.id,
                host=socket.gethostname(),
                pid=os.getpid(),
                concurrency=self._concurrency,
                running=len(self._running),
                watching=self._push.connections if self._push else 0,
                is_stopping=self._is_stopping,
                dead_ms=2 * self._settings.lease_seconds * 1000,
            )

    async def _wind_up(self) -> None:
        self._is_stopping = True
        with suppress(StoreError):
            await self._say_so()
        if tasks := list(self._running):
            _, late = await asyncio.wait(tasks, timeout=_WIND_UP_SECONDS)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late, timeout=_CANCEL_SECONDS)
        if self._push:
            await self._push.close()
        with suppress(StoreError):
            async with self._around.db.system() as tx:
                await workers.gone(tx, self.id)


def _allow_many_connections() -> None:
    """Each connection that waits is an open file; the usual limit is 1,024, and we may raise it ourselves."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
