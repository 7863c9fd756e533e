"""Throttling: what servers say when they want to be left alone for a while, and for how long."""

from __future__ import annotations

import re

BY_ACCOUNT = {"imap.gmail.com": 15, "imap.googlemail.com": 15}
"""Hosts that count connections by account and not by who connects: support.google.com/mail/answer/7126229."""

CODES = (b"LIMIT", b"THROTTLED", b"INUSE", b"OVERQUOTA")
"""RFC 5530 3 and Gmail's own: refusals that say nothing about the password."""

_ASKS = re.compile(
    r"throttl|too many (?:simultaneous |concurrent |failed )?(?:connection|login|request|command|attempt|session)"
    r"|maximum number of connections|connection limit|rate limit|exceeded.{0,40}(?:limit|bandwidth|quota)"
    r"|bandwidth limit|try again (?:later|in|after)|back ?off",
    re.IGNORECASE,
)
_NAMES = re.compile(
    r"(?:back ?off time|try again (?:in|after)|retry (?:in|after)|wait(?: for)?|for)\W{1,3}(?:about )?(\d{1,9})\s*"
    r"(milliseconds?|msecs?|ms|seconds?|secs?|s|minutes?|mins?|m|hours?|hrs?|h)\b",
    re.IGNORECASE,
)
_LONGEST_SECONDS = 24 * 3600


def asks_for_patience(text: str) -> bool:
    """Whether this is the language of a server that has had enough of us."""
    return bool(_ASKS.search(text))


def named_seconds(text: str) -> float | None:
    """The time that it names, at most a day: `Suggested Backoff Time: 299961 milliseconds` (Exchange)."""
    found = _NAMES.search(text)
    if not found:
        return None
    unit = found[2].lower()
    scale = 0.001 if unit.startswith(("ms", "mil")) else {"s": 1, "m": 60, "h": 3600}[unit[0]]
    return min(int(found[1]) * scale, _LONGEST_SECONDS)
