"""Ids made by the program: UUIDs of version 7 (RFC 9562 5.7), in the order of their making. And the time that they hold."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

_COUNTER_BITS = 26
_CHANCE_BITS = 48
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST, _LAST = -62_135_596_800_000, 253_402_300_799_999


def now_ms() -> int:
    """The time as the tables keep it: milliseconds since 1970, UTC."""
    return time.time_ns() // 1_000_000


def time_of(at_ms: int | None) -> str | None:
    """`2026-11-24T18:00:00.000Z`; what no calendar has is brought to its end."""
    if at_ms is None:
        return None
    moment = _EPOCH + timedelta(milliseconds=min(max(at_ms, _FIRST), _LAST))
    return moment.isoformat(timespec="milliseconds")[:-6] + "Z"


class IdMaker:
    """48 bits of time, 26 of a counter, 48 of chance. Each id is larger than all that came before from the same maker.

    The counter begins at chance, its first bit 0 so that there is room, and goes up within a millisecond
    (RFC 9562 6.2, method 1). When it is full, or the clock goes back, the time of the ids runs ahead of the clock's.
    """

    def __init__(
        self, clock_ms: Callable[[], int] = now_ms, chance: Callable[[int], bytes] = os.urandom
    ) -> None:
        self._clock_ms = clock_ms
        self._chance = chance
        self._lock = threading.Lock()
        self._at = -1
        self._count = 0

    def __call__(self) -> UUID:
        at, count = self._next()
        high, low = count >> 14, count & ((1 << 14) - 1)
        chance = self._bits(_CHANCE_BITS)
        return UUID(
            int=(at & ((1 << 48) - 1)) << 80
            | 0x7 << 76
            | high << 64
            | 0b10 << 62
            | low << _CHANCE_BITS
            | chance
        )

    def _next(self) -> tuple[int, int]:
        with self._lock:
            now = self._clock_ms()
            self._count += 1
            if now > self._at or self._count >> _COUNTER_BITS:
                self._at = max(now, self._at + 1)
                self._count = self._bits(_COUNTER_BITS - 1)
            return self._at, self._count

    def _bits(self, number: int) -> int:
        return int.from_bytes(self._chance(8), "big") >> (64 - number)


new_id = IdMaker()
"""The maker of this process."""
