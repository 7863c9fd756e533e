"""Whatever a server of SMTP does at whatever command: a message arrives once, or not, or nobody knows, and never twice."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from postroom.compose.letter import File
from postroom.mime.parse import parse
from postroom.testing import PERSONALITIES, Fault, Personality, Script, SmtpServer
from postroom.testing.faults import FaultKind
from tests.outbox.desk import Desk

pytestmark = pytest.mark.anyio

VERBS = ("CONNECT", "EHLO", "MAIL", "RCPT", "DATA", ".", "QUIT")
KINDS: tuple[FaultKind, ...] = (
    *("refuse", "throttle", "busy", "bye", "cut", "garbage", "twice", "silent", "drop", "lose"),
)
EVERYBODY = pytest.mark.parametrize("personality", PERSONALITIES, ids=lambda each: each.name)


def _arrived(server: SmtpServer, message_id: str) -> int:
    return sum(parse(each.raw).message_id == message_id for each in server.taken)


async def _after(desk: Desk, server: SmtpServer, *faults: Fault, **more: Any) -> tuple[str, str, int]:
    """What the outbox says of a message at which this goes wrong, what it says when all is well again, and how often
    the message arrived."""
    outbox_id = await desk.write(**more)
    server.script = Script(faults)
    await desk.run()
    assert not server.script.left
    server.script = Script()
    first = await desk.state(outbox_id)
    desk.later()
    await desk.run()
    row = await desk.row(outbox_id)
    return first, row["state"], _arrived(server, row["message_id"])


@EVERYBODY
async def test_every_personality_takes_what_is_sent(desk: Desk, personality: Personality) -> None:
    with SmtpServer(personality) as server:
        await desk.send_by(port=server.port)
        assert await _after(desk, server) == ("done", "done", 1)
        (taken,) = server.taken
        assert (taken.sender, taken.recipients) == ("me@example.com", ("bob@example.com",))


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("kind", KINDS)
async def test_no_fault_at_any_command_sends_twice_or_forgets(desk: Desk, verb: str, kind: FaultKind) -> None:
    with SmtpServer() as server:
        await desk.send_by(port=server.port)
        first, last, arrived = await _after(desk, server, Fault(kind=kind, command=verb))
        believed = {"done": 1, "failed": 0, "unknown": arrived}[last]
        assert arrived == believed - (kind == "lose" and verb == "."), (first, last)
        assert first in ("done", "failed", "unknown", "pending")
        if verb != "." and kind != "drop":
            assert "unknown" not in (
                first,
                last,
            )  # nothing is in doubt before the final dot, nor behind the answer


@pytest.mark.parametrize(
    ("fault", "first", "last", "arrived"),
    [
        (Fault(kind="throttle", command="MAIL"), "pending", "done", 1),
        (Fault(kind="throttle", command="RCPT"), "pending", "done", 1),
        (Fault(kind="throttle", command="DATA"), "pending", "done", 1),
        (Fault(kind="throttle", command="."), "pending", "done", 1),
        (Fault(kind="busy", command="RCPT"), "pending", "done", 1),
        (Fault(kind="bye", command="EHLO"), "pending", "done", 1),
        (Fault(kind="bye", command="."), "pending", "done", 1),
        # The whole of a short message is on its way before anybody here can know that nobody reads it.
        (Fault(kind="drop", command="DATA", after=100), "unknown", "unknown", 0),
        (Fault(kind="refuse", command="MAIL"), "failed", "failed", 0),
        (Fault(kind="refuse", command="RCPT"), "failed", "failed", 0),
        (Fault(kind="refuse", command="DATA"), "failed", "failed", 0),
        (Fault(kind="refuse", command="."), "failed", "failed", 0),
        (Fault(kind="cut", command="."), "unknown", "unknown", 1),
        (Fault(kind="cut", command=".", after=10), "unknown", "unknown", 1),
        (Fault(kind="garbage", command="."), "unknown", "unknown", 1),
    ],
    ids=lambda each: f"{each.kind} {each.command} {each.after}" if isinstance(each, Fault) else str(each),
)
async def test_what_follows_is_what_it_meant(
    desk: Desk, fault: Fault, first: str, last: str, arrived: int
) -> None:
    with SmtpServer() as server:
        await desk.send_by(port=server.port)
        assert await _after(desk, server, fault) == (first, last, arrived)


async def test_a_long_message_that_nobody_reads_to_its_end_was_not_sent(desk: Desk) -> None:
    large = File(filename="large", mime_type="application/x-large", data=bytes(15_000_000))
    with SmtpServer() as server:
        await desk.send_by(port=server.port)
        fault = Fault(kind="drop", command="DATA", after=100_000)
        assert await _after(desk, server, fault, files=(large,)) == ("pending", "done", 1)


async def test_lost_with_the_answer_it_is_unknown_all_the_same(desk: Desk) -> None:
    """From here nobody can tell it from one that was taken."""
    with SmtpServer() as server:
        await desk.send_by(port=server.port)
        faults = (Fault(kind="lose", command="."), Fault(kind="cut", command="."))
        assert await _after(desk, server, *faults) == ("unknown", "unknown", 0)


async def test_a_server_that_falls_silent_behind_the_dot_leaves_an_open_question(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.impatient(outbox_lost_after_seconds=60)
    monkeypatch.setattr("postroom.wire.smtp.ANSWER_TIMES", 0.3)
    with SmtpServer() as server:
        await desk.send_by(port=server.port)
        assert await _after(desk, server, Fault(kind="stall", command=".")) == ("unknown", "unknown", 1)


async def test_one_of_three_recipients_is_refused_and_one_is_asked_again(desk: Desk) -> None:
    with SmtpServer() as server:
        await desk.send_by(port=server.port)
        outbox_id = await desk.write(to="a@example.com, b@example.com, c@example.com")
        server.script = Script(
            [Fault(kind="refuse", command="RCPT", nth=2), Fault(kind="throttle", command="RCPT", nth=3)]
        )
        await desk.run()
        assert set((await desk.recipients(outbox_id)).values()) == {"accepted", "refused", "waiting"}
        desk.later()
        await desk.run()
        assert await desk.state(outbox_id) == "done"
        assert [each.recipients for each in server.taken] == [("a@example.com",), ("c@example.com",)]


async def test_what_is_too_large_for_a_personality_is_not_offered(desk: Desk) -> None:
    small = replace(PERSONALITIES[0], smtp=("SIZE 300", "8BITMIME"))
    with SmtpServer(small) as server:
        await desk.send_by(port=server.port)
        assert await _after(desk, server, subject="x" * 500) == ("failed", "failed", 0)
        assert not any(each.startswith("MAIL") for each in server.commands)
