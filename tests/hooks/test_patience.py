"""Patience: a call is tried soon, then later and later, for three days."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from postroom.hooks import patience

HOUR = 60 * 60 * 1000
CHANCE = st.floats(min_value=0, max_value=1)


@given(attempts=st.integers(min_value=0, max_value=1000), chance=CHANCE)
def test_it_waits_longer_each_time_and_never_longer_than_four_hours(attempts: int, chance: float) -> None:
    now = patience.delay_ms(attempts, chance)
    assert 3000 <= now <= 4 * HOUR
    assert now <= patience.delay_ms(attempts + 1, chance)
    assert patience.pause_ms(attempts, chance) <= HOUR


@given(asked=st.integers(min_value=0, max_value=10**9), chance=CHANCE)
def test_a_receiver_is_given_the_time_that_it_asks_for_up_to_an_hour(asked: int, chance: float) -> None:
    wait = patience.delay_ms(1, chance, asked_seconds=asked)
    assert min(asked * 1000, HOUR) <= wait <= HOUR


def test_it_is_over_after_three_days() -> None:
    assert not patience.is_over(since=0, now=72 * HOUR)
    assert patience.is_over(since=0, now=72 * HOUR + 1)
