"""The sample mailbox: two years of mail of a person who does not exist, the same bytes for the same seed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count as numbers
from itertools import islice
from random import Random

from postroom.sample import corners, letters, notices, odd, papers, prose
from postroom.sample.mail import SampleMessage
from postroom.sample.write import write_maildir, write_mbox

__all__ = ["UNTIL", "SampleMessage", "generate", "write_maildir", "write_mbox"]

UNTIL = datetime(2026, 11, 1, tzinfo=UTC)
"""When the mailbox ends, unless told otherwise: the sample never looks at the clock."""
_SPAN = timedelta(days=730)


def generate(
    count: int = 400, seed: int = 1, *, until: datetime = UNTIL, crlf: bool = False
) -> Iterable[SampleMessage]:
    """`count` messages received before `until`, oldest first; with `crlf` lines end as on the wire.

    From 400 on there is at least one of every kind. What is beyond the first mailbox-full repeats the same
    conversations with other days, sums and words.
    """
    messages = sorted(islice(_messages(seed, until), count), key=lambda message: message.received_at)
    return [_on_the_wire(message) for message in messages] if crlf else messages


def _on_the_wire(message: SampleMessage) -> SampleMessage:
    return replace(message, raw=message.raw.replace(b"\n", b"\r\n"))


def _messages(seed: int, until: datetime) -> Iterator[SampleMessage]:
    """The endless mailbox: everything once, then conversations and notices again and again."""
    yield from _once(seed, until)
    for round_ in numbers(1):
        rng = Random(f"{seed}/round/{round_}")
        yield from _conversations(seed, round_, until)
        yield from _notices(rng, until, 10)


def _once(seed: int, until: datetime) -> Iterator[SampleMessage]:
    rng = Random(f"{seed}/once")
    yield from (papers.alices_invoice(rng, until, number) for number in range(9))
    yield from odd.odd(rng, until)
    yield from (corners.draft(rng, until, number) for number in range(5))
    yield from corners.bounce(rng, until, _day(rng, until))
    yield from _notices(rng, until, 2)
    yield from _conversations(seed, 0, until)
    yield from (corners.spam(rng, until, number) for number in range(10))
    yield from (notices.newsletter(rng, until, number) for number in range(45))
    yield from (papers.rope_invoice(rng, until, number) for number in range(5))
    yield from (papers.statement(rng, until, number) for number in range(21))
    yield from _notices(rng, until, 7)


def _conversations(seed: int, round_: int, until: datetime) -> Iterator[SampleMessage]:
    for number, script in enumerate(prose.scripts()):
        rng = Random(f"{seed}/script/{round_}/{number}")
        yield from letters.correspondence(script, rng, until, _beginning(rng, script, round_, until))


def _beginning(rng: Random, script: prose.Script, round_: int, until: datetime) -> datetime:
    """The season of the script; later rounds are as often a year apart from it, and further off."""
    months = script.months_ago if round_ == 0 else (script.months_ago + 12 * rng.randrange(2)) % 23.5
    days = months * 30.4 + rng.randrange(-3, 4) * (1 if round_ == 0 else 6)
    return until - timedelta(days=max(days, 1), minutes=rng.randrange(1440))


def _notices(rng: Random, until: datetime, times: int) -> Iterator[SampleMessage]:
    for _ in range(times):
        yield from notices.order(rng, until, _day(rng, until))
        for make in (notices.build, notices.build, papers.ticket, notices.library, notices.invitation):
            yield make(rng, until, _day(rng, until))


def _day(rng: Random, until: datetime) -> datetime:
    return until - timedelta(days=rng.randrange(4, _SPAN.days), minutes=rng.randrange(1440))
