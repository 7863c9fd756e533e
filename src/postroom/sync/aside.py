"""Aside: work that waits for somebody else's server, in a thread that never holds up the end of the program."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

T = TypeVar("T")


def aside(work: Callable[[], T]) -> asyncio.Future[T]:
    """What the work gives or raises. Who is cancelled while waiting for it goes on at once, without it.

    `asyncio.to_thread` would wait for the thread when the program ends: a minute where a server keeps silent.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, error: BaseException | None) -> None:
        if done.cancelled():
            return
        if error is not None:
            done.set_exception(error)
        else:
            done.set_result(result)  # pyright: ignore[reportArgumentType]

    def carry_out() -> None:
        try:
            outcome = (work(), None)
        except BaseException as error:
            outcome = (None, error)
        with suppress(RuntimeError):  # the loop has ended, and nobody waits any more
            loop.call_soon_threadsafe(settle, *outcome)

    threading.Thread(target=carry_out, daemon=True).start()
    return done
