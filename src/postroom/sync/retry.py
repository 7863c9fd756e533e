"""Retry: when an account whose sync failed is tried again, by what went wrong. Pure: an error in, a time out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from postroom.errors import (
    CertificateRefused,
    ConnectionFailed,
    SignInRefused,
    SourceError,
    StoreError,
    Throttled,
)
from postroom.store.jobs import Trouble
from postroom.wire import throttling

Chance = Callable[[], float]
"""`random.random`: 0 to 1."""
_STEPS: dict[Trouble, tuple[float, float]] = {
    "refused": (3600, 24 * 3600),  # servers lock accounts that knock too often with a wrong password
    "throttled": (300, 6 * 3600),
    "unreachable": (15, 3600),
    "server": (60, 6 * 3600),
    "store": (10, 300),
    "unexpected": (300, 6 * 3600),
}
"""The first wait and the longest, in seconds; each failure in a row doubles it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What it was, and how long to leave the account alone."""

    trouble: Trouble
    seconds: float


def after(error: Exception, failures: int, chance: Chance) -> Verdict:
    """`failures` are those before this one. A time that the server named is kept to, and never shortened."""
    trouble = _trouble(error)
    first, longest = _STEPS[trouble]
    seconds = min(longest, first * 2 ** min(failures, 30)) * (0.75 + 0.5 * chance())
    if trouble == "throttled":
        named = throttling.named_seconds(str(error))
        if named is not None:
            seconds = named * (1 + 0.1 * chance())
    return Verdict(trouble=trouble, seconds=seconds)


def spread(interval_seconds: float, chance: Chance) -> float:
    """The time until the next look, a little apart for each, so that accounts added together do not stay together."""
    return interval_seconds * (0.95 + 0.1 * chance())


def _trouble(error: Exception) -> Trouble:
    if isinstance(error, Throttled):
        return "throttled"
    if isinstance(error, SignInRefused | CertificateRefused):
        return "refused"
    if isinstance(error, SourceError) and throttling.asks_for_patience(str(error.fields.get("reason", ""))):
        return "throttled"
    if isinstance(error, ConnectionFailed):
        return "unreachable"
    if isinstance(error, SourceError):
        return "server"
    return "store" if isinstance(error, StoreError) else "unexpected"
