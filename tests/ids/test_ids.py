"""Ids: in the order of their making, whatever the clock does."""

from __future__ import annotations

import threading
from uuid import RFC_4122, UUID

from postroom.ids import IdMaker, new_id, now_ms


def _chance_of(byte: int) -> bytes:
    return bytes([byte]) * 8


def test_an_id_is_a_uuid_of_version_7_with_the_time_in_front() -> None:
    before = now_ms()
    made = new_id()
    assert (made.version, made.variant) == (7, RFC_4122)
    assert before <= made.int >> 80 <= now_ms()


def test_ids_of_one_millisecond_are_in_the_order_of_their_making() -> None:
    make = IdMaker(clock_ms=lambda: 1_700_000_000_000)
    made = [make() for _ in range(20_000)]
    assert made == sorted(set(made))
    assert {each.int >> 80 for each in made} == {1_700_000_000_000}


def test_ids_of_this_process_are_in_the_order_of_their_making() -> None:
    made = [new_id() for _ in range(20_000)]
    assert made == sorted(set(made))


def test_a_clock_that_goes_back_changes_nothing_of_the_order() -> None:
    times = iter([100, 101, 50, 50, 101, 102, 3])
    make = IdMaker(clock_ms=lambda: next(times))
    made = [make() for _ in range(7)]
    assert made == sorted(set(made))
    assert [each.int >> 80 for each in made] == [100, 101, 101, 101, 101, 102, 102]


def test_a_full_counter_takes_the_next_millisecond() -> None:
    make = IdMaker(clock_ms=lambda: 100, chance=lambda _: _chance_of(0xFF))
    first = make()
    assert _counter(first) == (1 << 25) - 1
    make._count = (1 << 26) - 2
    last, next_one = make(), make()
    assert (_counter(last), last.int >> 80) == ((1 << 26) - 1, 100)
    assert (_counter(next_one), next_one.int >> 80) == ((1 << 25) - 1, 101)
    assert first < last < next_one


def test_what_is_by_chance_is_the_rest() -> None:
    make = IdMaker(clock_ms=lambda: 0, chance=lambda _: _chance_of(0))
    assert make() == UUID("00000000-0000-7000-8000-000000000000")
    assert make() == UUID("00000000-0000-7000-8001-000000000000")
    assert len({new_id().int & ((1 << 48) - 1) for _ in range(1000)}) == 1000


def test_threads_make_no_id_twice_and_each_sees_its_own_in_order() -> None:
    make, made = IdMaker(clock_ms=lambda: 1), list[list[UUID]]()

    def work() -> None:
        made.append([make() for _ in range(2_000)])

    threads = [threading.Thread(target=work) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert all(each == sorted(each) for each in made)
    # The time and the counter alone tell them apart.
    assert len({each.int >> 48 for several in made for each in several}) == 16_000


def _counter(made: UUID) -> int:
    return (made.int >> 64 & 0xFFF) << 14 | (made.int >> 48 & 0x3FFF)
