"""kill -9 at any moment: every message is with the server once, or nobody knows; none twice, none lost."""

from __future__ import annotations

import asyncio
import os
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.outbox.desk import Desk
from tests.support.smtp import SmtpServer

pytestmark = pytest.mark.anyio
KILLS = int(os.environ.get("POSTROOM_TEST_KILLS", "8"))
"""How often a worker is killed; twice as many messages are sent."""


async def test_killed_at_any_moment_every_message_is_sent_once_or_unknown(
    desk: Desk, smtp: SmtpServer, tmp_path: Path
) -> None:
    chance = random.Random(20261124)
    smtp.fault = "slow 0.02"
    written = [await desk.write(f"Number {number}") for number in range(2 * KILLS)]
    for _ in range(KILLS):
        worker = _worker(desk, tmp_path)
        assert worker.stdout
        assert await asyncio.to_thread(worker.stdout.readline) == "begins\n"
        await asyncio.sleep(chance.uniform(0, 0.3))
        worker.kill()
        worker.communicate()
        desk.later(60)  # leases of the dead run out
    last = _worker(desk, tmp_path)
    assert await asyncio.to_thread(last.wait, 60) == 0
    last.communicate()

    states = {each: (await desk.row(each)) for each in written}
    found = Counter(row["state"] for row in states.values())
    print(f"{KILLS} kills, {len(written)} messages: {dict(found)}; {smtp.connections} connections")
    assert set(found) <= {"done", "unknown"}
    counts = smtp.counts()
    assert set(counts) <= {row["message_id"] for row in states.values()}
    for row in states.values():
        expected = {1} if row["state"] == "done" else {0, 1}
        assert counts[row["message_id"]] in expected, row
    assert found["unknown"] <= KILLS


def _worker(desk: Desk, home: Path) -> subprocess.Popen[str]:
    arguments = [desk.store.site.url("email_worker"), str(desk.tenant_id), str(desk.account.id), str(home)]
    program = [sys.executable, "-m", "tests.outbox.worker", *arguments]
    return subprocess.Popen(program, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2])
