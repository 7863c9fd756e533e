"""Patience: when a call that failed is made again, and when no more."""

from __future__ import annotations

from typing import Final

TRIED_FOR_MS: Final = 3 * 24 * 60 * 60 * 1000
"""A call, and a webhook of which none succeeds."""
KEPT_FOR_MS: Final = 30 * 24 * 60 * 60 * 1000
"""What was given up."""
STRIKES: Final = 3
"""So many calls in a row that fail: the receiver is away, and everything waits."""
_DELAYS: Final = (5, 30, 120, 600, 1800, 3600, 7200, 14400)
_LONGEST_PAUSE_SECONDS: Final = 3600


def delay_ms(attempts: int, chance: float, *, asked_seconds: int | None = None) -> int:
    """After so many attempts: five seconds, half a minute, … four hours. `chance` between 0 and 1 takes up to a third
    off, so that what failed together does not come back together. Not before the receiver asked for it, up to an hour."""
    own = _DELAYS[min(max(attempts, 1), len(_DELAYS)) - 1] * (1 - chance / 3)
    return int(1000 * max(own, min(asked_seconds or 0, _LONGEST_PAUSE_SECONDS)))


def pause_ms(failures: int, chance: float) -> int:
    """How long a receiver that is away is left alone, after so many failures in a row."""
    return min(delay_ms(max(1, failures // STRIKES), chance), _LONGEST_PAUSE_SECONDS * 1000)


def is_over(*, since: int, now: int) -> bool:
    """Whether it was tried long enough. In milliseconds."""
    return now - since > TRIED_FOR_MS
