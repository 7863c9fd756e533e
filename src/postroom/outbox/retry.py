"""Retry: when to try again, and when to give up. No clock, no chance: they are given."""

from __future__ import annotations

FIRST_SECONDS = 60
LONGEST_SECONDS = 60 * 60
GIVE_UP_SECONDS = 4 * 24 * 60 * 60
"""RFC 5321 4.5.4.1: four to five days."""


def delay_seconds(attempts: int, chance: float) -> float:
    """One minute after the first attempt, twice as long after each further one, at most an hour.

    `chance` between 0 and 1 takes up to a third off, so that what failed together does not come back together.
    """
    longest = min(LONGEST_SECONDS, FIRST_SECONDS * 2 ** min(attempts - 1, 10))
    return longest * (1 - chance / 3)


def is_over(*, created_at: int, now: int) -> bool:
    """Whether a message has waited long enough for a server that says: not now. In milliseconds."""
    return now - created_at > GIVE_UP_SECONDS * 1000
