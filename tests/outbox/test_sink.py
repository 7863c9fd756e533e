"""The same against a server that is not written in Python: Postfix's smtp-sink."""

from __future__ import annotations

import pytest

from tests.outbox.desk import Desk
from tests.support.sink import running_sink

pytestmark = pytest.mark.anyio


async def test_a_burst_arrives_once(desk: Desk) -> None:
    with running_sink() as sink:
        await desk.send_by(port=sink.port)
        written = [await desk.write(f"Number {number}") for number in range(30)]
        assert (await desk.run()).sent == 30
        expected = sorted([(await desk.row(each))["message_id"] for each in written])
        assert sorted(sink.messages()) == expected


@pytest.mark.parametrize(
    ("options", "state"),
    [
        (("-q", "."), "unknown"),
        (("-q", "DATA"), "pending"),
        (("-q", "RCPT"), "pending"),
        (("-q", "CONNECT"), "pending"),
        (("-Q", "."), "pending"),
        (("-Q", "MAIL"), "pending"),
        (("-r", "."), "pending"),
        (("-r", "RCPT"), "pending"),
        (("-r", "MAIL"), "pending"),
        (("-f", "."), "failed"),
        (("-f", "DATA"), "failed"),
        (("-f", "RCPT"), "failed"),
        (("-f", "MAIL"), "failed"),
    ],
)
async def test_what_it_does_decides_what_follows(desk: Desk, options: tuple[str, str], state: str) -> None:
    with running_sink(*options) as sink:
        await desk.send_by(port=sink.port)
        outbox_id = await desk.write()
        await desk.run()
        assert await desk.state(outbox_id) == state, (await desk.row(outbox_id))["last_error"]
    with running_sink() as sound:
        await desk.send_by(port=sound.port)
        desk.later()
        await desk.run()
        assert (await desk.state(outbox_id), len(sound.messages())) == (
            ("done", 1) if state == "pending" else (state, 0)
        )
