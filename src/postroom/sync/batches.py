"""Batches: messages are read and prepared in a thread, while the batch before is being stored."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from queue import Empty, Full, Queue

from postroom.model import RawMessage, Unreadable
from postroom.sync.aside import aside
from postroom.sync.prepare import Prepared, prepare

_AHEAD = 1
_PATIENCE_SECONDS = 1


@dataclass(slots=True)
class Batch:
    """So many messages as one transaction should take."""

    prepared: list[Prepared] = field(default_factory=list)
    unreadable: list[Unreadable] = field(default_factory=list)
    size_bytes: int = 0

    def is_full(self, max_messages: int, max_bytes: int) -> bool:
        return len(self.prepared) + len(self.unreadable) >= max_messages or self.size_bytes >= max_bytes


async def batches(
    messages: Iterator[RawMessage | Unreadable], *, max_messages: int, max_bytes: int
) -> AsyncIterator[Batch]:
    """Batches in the order of the source. A message that cannot be prepared comes as unreadable, never as an error.

    Leaving early stops the thread; what the source raises comes out here, behind the messages before it.
    """
    ready: Queue[Batch | BaseException | None] = Queue(_AHEAD)
    stopped = threading.Event()

    def fill() -> None:
        batch = Batch()
        try:
            for message in messages:
                if stopped.is_set():
                    return
                _add(batch, message)
                if batch.is_full(max_messages, max_bytes):
                    _put(ready, batch, stopped)
                    batch = Batch()
        except BaseException as error:
            _put(ready, batch, stopped)
            _put(ready, error, stopped)
        else:
            _put(ready, batch, stopped)
            _put(ready, None, stopped)

    filling = aside(fill)
    try:
        while True:
            item = await asyncio.to_thread(_get, ready, stopped)
            if item is None:
                break
            if isinstance(item, BaseException):
                raise item
            if item.prepared or item.unreadable:
                yield item
    finally:
        stopped.set()
        await asyncio.wait([filling], timeout=_PATIENCE_SECONDS)  # it may be waiting for a server


def _add(batch: Batch, message: RawMessage | Unreadable) -> None:
    if isinstance(message, Unreadable):
        batch.unreadable.append(message)
        return
    try:
        prepared = prepare(message)
    except OSError as error:  # the file that holds it can no longer be read
        reason = error.strerror or str(error)
        batch.unreadable.append(Unreadable(uid=message.uid, where=message.where, reason=reason))
        return
    batch.prepared.append(prepared)
    batch.size_bytes += min(prepared.size_bytes, 16 * 1024 * 1024)


def _put(
    ready: Queue[Batch | BaseException | None], item: Batch | BaseException | None, stopped: threading.Event
) -> None:
    while not stopped.is_set():
        try:
            ready.put(item, timeout=0.2)
        except Full:
            continue
        return


def _get(
    ready: Queue[Batch | BaseException | None], stopped: threading.Event
) -> Batch | BaseException | None:
    while not stopped.is_set():
        try:
            return ready.get(timeout=0.2)
        except Empty:
            continue
    return None
