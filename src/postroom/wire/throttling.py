"""Throttling: what servers say when they want to be left alone for a while, and for how long."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from postroom.errors import Throttled

BY_ACCOUNT = {"imap.gmail.com": 15, "imap.googlemail.com": 15}
"""Hosts that count connections by account and not by who connects: support.google.com/mail/answer/7126229."""

CODES = (b"LIMIT", b"THROTTLED", b"INUSE", b"OVERQUOTA")
"""RFC 5530 3 and RFC 9051 7.1, Gmail's own and Yahoo's: refusals that say nothing about the password."""

_WORDS = re.compile(r"throttl|rate.?limit|bandwidth|back.?off", re.IGNORECASE)
_LAST_WORDS = re.compile(r"too (?:many|much)|try again|come back|exceeded", re.IGNORECASE)
"""What means a pause only where the server ends the connection with it."""
_ASKS = re.compile(
    r"throttl|too many (?:simultaneous |concurrent |failed )?(?:connection|login|request|command|attempt|session)"
    r"|maximum number of connections|connection limit|rate limit|exceeded.{0,40}(?:limit|bandwidth|quota)"
    r"|bandwidth limit|try again (?:later|in|after)|back ?off",
    re.IGNORECASE,
)
_PAUSE = re.compile(
    r"(\d{1,9})\s*(milliseconds?|msecs?|ms|seconds?|secs?|s|minutes?|mins?|m|hours?|hrs?|h)\b", re.IGNORECASE
)
_NAMES = re.compile(
    r"(?:back ?off time|try again (?:in|after)|retry (?:in|after)|wait(?: for)?|for)\W{1,3}(?:about )?(?=\d)",
    re.IGNORECASE,
)
_USUAL_SECONDS = 15 * 60
_LONGEST_SECONDS = 24 * 3600


def throttled(where: str, code: bytes, reason: str, *, is_last: bool) -> Throttled | None:
    """The pause that is asked for, if it is one: until the time that the server names, or a quarter of an hour."""
    word = code.split(b" ")[0].upper()
    asks = _WORDS.search(reason) or (is_last and _LAST_WORDS.search(reason))
    # A folder may be in use, too, and a mailbox full.
    if (word not in CODES or word in (b"INUSE", b"OVERQUOTA")) and not asks:
        return None
    return _until(where, reason)


def at_sign_in(where: str, code: bytes, reason: str) -> Throttled | None:
    """The same of a refused sign-in, of which words alone are believed only where there is no code."""
    is_pause = code.upper().startswith(CODES) or (not code and asks_for_patience(reason))
    return _until(where, reason) if is_pause else None


def asks_for_patience(text: str) -> bool:
    """Whether this is the language of a server that has had enough of us."""
    return bool(_ASKS.search(text))


def named_seconds(text: str) -> float | None:
    """The time that it names, at most a day: `Suggested Backoff Time: 299961 milliseconds` (Exchange)."""
    found = _NAMES.search(text)
    return _seconds(_PAUSE.match(text, found.end())) if found else None


def pause_seconds(reason: str) -> float:
    """`Suggested Backoff Time: 299961 milliseconds`, `try again in 5 minutes`; else what is usual."""
    return _seconds(_PAUSE.search(reason)) or _USUAL_SECONDS


def _until(where: str, reason: str) -> Throttled:
    until = datetime.now().astimezone() + timedelta(seconds=pause_seconds(reason))
    return Throttled(where=where, reason=reason, until=f"{until:%H:%M}")


def _seconds(found: re.Match[str] | None) -> float | None:
    if found is None:
        return None
    unit = found[2].lower()
    scale = 0.001 if unit.startswith(("ms", "mil")) else {"s": 1, "m": 60, "h": 3600}[unit[0]]
    return min(int(found[1]) * scale, _LONGEST_SECONDS)
