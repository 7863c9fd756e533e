"""Interrupts: Ctrl-C and SIGTERM, at whatever moment they come, end a command with one sentence."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

from postroom.errors import Interrupted


def listen() -> None:
    """From now on both raise Interrupted where the program is just then."""
    signal.signal(signal.SIGINT, _raise)
    signal.signal(signal.SIGTERM, _as_ctrl_c)


def ignore() -> None:
    """The command has ended: what comes now can no longer change how."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


@contextmanager
def left_to_asyncio() -> Iterator[None]:
    """Let the event loop cancel its work, which ends it between two statements. Raises Interrupted then."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # asyncio.Runner replaces no other one
    try:
        yield
    except KeyboardInterrupt:
        raise Interrupted from None
    finally:
        signal.signal(signal.SIGINT, _raise)


def _raise(number: int, frame: FrameType | None) -> NoReturn:
    del number, frame
    raise Interrupted


def _as_ctrl_c(number: int, frame: FrameType | None) -> None:
    del number, frame
    signal.raise_signal(signal.SIGINT)
