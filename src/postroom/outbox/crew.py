"""Crew: what falls due in the database is claimed and worked at, so many pieces at once, until somebody says stop."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Hashable
from contextlib import suppress

from postroom.errors import PostroomError, StoreError

_LONGEST_PAUSE_SECONDS = 30.0


class Crew:
    """`await Crew(…).run(stop, claim)`: `claim` is called with the room that there is, and begins what it claimed."""

    def __init__(
        self, size: int, *, tick_seconds: float, patience_seconds: float, log: logging.Logger
    ) -> None:
        self._size = max(1, size)
        self._tick_seconds = tick_seconds
        self._patience_seconds = patience_seconds
        self._log = log
        self._running: dict[asyncio.Task[None], Hashable] = {}

    async def run(self, stop: asyncio.Event, claim: Callable[[int], Awaitable[None]]) -> None:
        """Until `stop` is set; what is under way then is waited for as long as it may take, or nobody would know of it."""
        pause_seconds = self._tick_seconds
        try:
            while not stop.is_set():
                try:
                    if room := max(0, self._size - len(self._running)):
                        await claim(room)
                    pause_seconds = self._tick_seconds
                except StoreError as error:
                    self._log.warning("nothing can be claimed: %s", error)
                    pause_seconds = min(_LONGEST_PAUSE_SECONDS, pause_seconds * 2)
                with suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), pause_seconds)
            if self._running:
                await asyncio.wait(self._running, timeout=self._patience_seconds)
        finally:
            for task in self._running:
                task.cancel()
            if self._running:
                await asyncio.wait(self._running)

    def is_at(self, key: Hashable) -> bool:
        """Whether this is worked at still, though it was handed out anew."""
        return key in self._running.values()

    def begin(self, key: Hashable, name: str, work: Coroutine[None, None, None]) -> None:
        """Work at it; `name` is what the log calls it when that fails."""
        task = asyncio.create_task(self._without_end(name, work))
        self._running[task] = key
        task.add_done_callback(self._running.pop)

    async def _without_end(self, name: str, work: Coroutine[None, None, None]) -> None:
        try:
            await work
        except PostroomError as error:
            self._log.warning("%s %s", name, error)
        except Exception:
            self._log.exception("%s", name)
