"""A server that asks for a pause: by a response code, or in words."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from postroom.errors import Throttled

_CODES = (b"LIMIT", b"THROTTLED")
"""RFC 9051 7.1, and what Yahoo says. OVERQUOTA (RFC 5530 3) is of a full mailbox, unless the words tell otherwise: Gmail's
"exceeded command or bandwidth limits"."""
_WORDS = re.compile(r"throttl|rate.?limit|bandwidth|back.?off", re.IGNORECASE)
_LAST_WORDS = re.compile(r"too (?:many|much)|try again|come back|exceeded", re.IGNORECASE)
"""What means a pause only where the server ends the connection with it."""
_PAUSE = re.compile(
    r"(\d{1,9})\s*(milliseconds?|ms\b|seconds?|secs?\b|s\b|minutes?|mins?\b|hours?|h\b)", re.IGNORECASE
)
_SECONDS = {"ms": 0.001, "mi": 60, "se": 1, "s": 1, "ho": 3600, "h": 3600}
_USUAL_SECONDS = 15 * 60
_LONGEST_SECONDS = 24 * 3600


def throttled(where: str, code: bytes, reason: str, *, is_last: bool) -> Throttled | None:
    """The pause that is asked for, if it is one: until the time that the server names, or a quarter of an hour."""
    word = code.split(b" ")[0].upper()
    asks = _WORDS.search(reason) or (is_last and _LAST_WORDS.search(reason))
    if word not in _CODES and not asks:
        return None
    until = datetime.now().astimezone() + timedelta(seconds=pause_seconds(reason))
    return Throttled(where=where, reason=reason, until=f"{until:%H:%M}")


def pause_seconds(reason: str) -> float:
    """`Suggested Backoff Time: 299961 milliseconds`, `try again in 5 minutes`."""
    match = _PAUSE.search(reason)
    if match is None:
        return _USUAL_SECONDS
    unit = match[2].lower()
    factor = 0.001 if unit.startswith(("milli", "ms")) else _SECONDS.get(unit[:2], _SECONDS.get(unit[:1], 1))
    return min(int(match[1]) * factor, _LONGEST_SECONDS)
