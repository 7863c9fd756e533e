"""Ids made by the program: UUIDs of version 7 (RFC 9562 5.7), in the order of their making."""

from __future__ import annotations

import os
import time
from uuid import UUID


def new_id(milliseconds: int | None = None) -> UUID:
    """48 bits of time, 74 bits of chance."""
    at = time.time_ns() // 1_000_000 if milliseconds is None else milliseconds
    random = int.from_bytes(os.urandom(10), "big")
    high, low = random >> 68, random & ((1 << 62) - 1)
    return UUID(int=(at & ((1 << 48) - 1)) << 80 | 0x7 << 76 | high << 64 | 0b10 << 62 | low)


def now_ms() -> int:
    """The time as the tables keep it: milliseconds since 1970, UTC."""
    return time.time_ns() // 1_000_000
