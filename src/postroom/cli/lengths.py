"""Lengths of time as people type and read them: 90s, 30min, 2h, 1d."""

from __future__ import annotations

import re

from postroom.errors import UsageError

_UNITS = {"s": 1, "sec": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}


def seconds_of(text: str) -> int:
    """Raises UsageError for what is no length of time."""
    match = re.fullmatch(r"(\d{1,6})\s*([a-z]+)", text.strip().lower())
    if not match or match[2] not in _UNITS:
        raise UsageError(reason=f"{text!r} is no length of time; write 90s, 30min, 2h or 1d.")
    return int(match[1]) * _UNITS[match[2]]


def span(milliseconds: int) -> str:
    """`45 s`, `12 min`, `3.5 h`, `4 d`"""
    seconds = max(0, milliseconds) // 1000
    if seconds < 90:
        return f"{seconds} s"
    if seconds < 5400:
        return f"{seconds // 60} min"
    return f"{seconds / 3600:.1f} h" if seconds < 172_800 else f"{seconds // 86_400} d"
