"""kill -9 at any instant, of the worker and of the database: nothing lost, nothing twice, nothing forgotten, nothing sent twice.

A worker syncs, tells the server of changes and sends, all at once and without a pause, and is killed again and again. The
whole proof: POSTROOM_TEST_KILLS=50 pytest tests/flow/test_any_instant.py -s
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress

import psycopg
import pytest

from postroom.errors import StoreError
from postroom.ops.cluster import Cluster
from postroom.store.database import Database
from tests.flow.people import FOLDERS, People
from tests.support.dovecot import Dovecot
from tests.support.mirror import EMAIL, Mirror
from tests.support.site import Store, running_store
from tests.support.smtp import SmtpServer
from tests.support.workers import WorkerProcess, are_current, column, mailbox

pytestmark = pytest.mark.anyio
KILLS = int(os.environ.get("POSTROOM_TEST_KILLS", "3"))
LETTERS = 200
"""Before anything else happens: the first sync is killed too."""
WORKER = {
    "POSTROOM_LEASE_SECONDS": "2",
    "POSTROOM_BATCH_MESSAGES": "15",
    "POSTROOM_IMAP_POLL_INTERVAL": "1",
    "POSTROOM_OUTBOX_LOST_AFTER_SECONDS": "2",
    "POSTROOM_SMTP_TIMEOUT_SECONDS": "5",
}
_VICTIMS = ("worker", "database", "database and worker", "worker", "worker", "worker")
_OPEN = {
    "intents": "select state from email_intents where tenant_id = %s",
    "sends": "select state from email_outbox where tenant_id = %s and kind = 'send'",
    "copies": "select copy_state from email_sends where tenant_id = %s",
}


@pytest.fixture
def store() -> Iterator[Store]:
    """Of its own: a worker takes whatever is due, and the database is killed."""
    with running_store() as found:
        yield found


@pytest.mark.parametrize("kind", ["full", "poor"])
async def test_killed_at_any_instant_nothing_is_lost_forgotten_doubled_or_sent_twice(
    request: pytest.FixtureRequest, store: Store, smtp: SmtpServer, kind: str
) -> None:
    server: Dovecot = request.getfixturevalue("dovecot" if kind == "full" else "poor_dovecot")
    smtp.fault = "slow 0.05"
    async with Database(store.site.url("email_worker")) as db:
        life = Life(Mirror(store, db, server), smtp, random.Random(f"{kind}{KILLS}"))
        try:
            await life.begin()
            await life.go_on()
            await life.end()
        finally:
            life.clear_up()
        life.tell(kind)
        await life.prove()


class Life:
    """People, a worker, a database, and somebody who kills."""

    def __init__(self, mirror: Mirror, smtp: SmtpServer, chance: random.Random) -> None:
        self.mirror, self.store, self.smtp, self.chance = mirror, mirror.store, smtp, chance
        self.people = People(mirror, chance)
        self.killed: Counter[str] = Counter()
        self.found: Counter[str] = Counter()
        """In how many kills something was on its way."""
        self.workers: list[WorkerProcess] = []

    async def begin(self) -> None:
        for name in FOLDERS[1:]:
            with self.mirror.server.imap(self.mirror.user) as imap:
                imap.create(name)
        self.people.find(LETTERS)
        mailbox(self.store, self.mirror.server, self.mirror.tenant_name, self.mirror.user, email=EMAIL)
        place = (
            "--host",
            self.smtp.host,
            "--port",
            str(self.smtp.port),
            "--encryption",
            "none",
            "--no-sign-in",
        )
        tenant = self.mirror.tenant_name
        self.store.cli("account", "smtp", "-t", tenant, "-a", EMAIL, *place, "--sent-copy", "append")
        await self.mirror.meet()

    async def go_on(self) -> None:
        """Everybody at once, and kill upon kill."""
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as several:
            several.create_task(self.people.work(stop))
            several.create_task(self.people.deliver(stop))
            for number in range(KILLS):
                await self._kill(number)
            stop.set()

    async def _kill(self, number: int) -> None:
        """The worker; or the database, and the worker goes on until it is there again; or both."""
        worker = self._worker()
        await asyncio.to_thread(self._is_at_work, worker)
        await asyncio.sleep(self.chance.uniform(0, 2))
        await asyncio.to_thread(self._look_at_what_is_open)
        victim = _VICTIMS[number % len(_VICTIMS)]
        self.killed[victim] += 1
        if victim.startswith("database"):
            self._kill_database()
        if victim == "database":
            await asyncio.to_thread(self._start_database)
            await asyncio.sleep(self.chance.uniform(0.5, 2))
        worker.kill()
        if victim == "database and worker":
            await asyncio.to_thread(self._start_database)
        await asyncio.to_thread(self._time_passes)

    def _worker(self) -> WorkerProcess:
        self.workers.append(WorkerProcess(self.store, **WORKER))
        return self.workers[-1]

    def _is_at_work(self, worker: WorkerProcess) -> None:
        with self.store.connect("postgres") as connection:
            question = b"select true from email_workers where pid = %s"
            while not connection.execute(question, [worker.pid]).fetchone():
                assert worker.process.poll() is None, worker.said()
                time.sleep(0.02)

    def _kill_database(self) -> None:
        pid = Cluster(self.store.home).status().pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)

    def _start_database(self) -> None:
        self.store.site = Store(self.store.home).site

    def _look_at_what_is_open(self) -> None:
        with suppress(psycopg.OperationalError):
            states = self._states()
            self.found["in a sync"] += bool(column(self.store, self.mirror.tenant_name, "is_syncing")[0])
            self.found["with a change told and not answered"] += states["intents"]["sent"] > 0
            self.found["with a message between DATA and its answer"] += states["sends"]["running"] > 0
            self.found["with a copy to be made"] += states["copies"]["wanted"] > 0

    def _states(self) -> dict[str, Counter[str]]:
        return {name: Counter(row[0] for row in self.mirror.rows(asked)) for name, asked in _OPEN.items()}

    def _time_passes(self) -> None:
        """As if a quarter of an hour had gone by with no worker there: the leases of the dead run out."""
        with self.store.connect("postgres") as connection:
            for statement in (
                "update email_outbox set not_before = not_before - 900000, updated_at = updated_at - 900000",
                "update email_sends set copy_not_before = copy_not_before - 900000",
                "update email_sync_jobs set send_due_at = send_due_at - 900000",
            ):
                connection.execute(statement.encode())

    async def end(self) -> None:
        """Nobody changes anything any more, and nobody kills: one worker brings all of it to its end."""
        while any(each is None for each in self.people.sent.values()):
            with suppress(StoreError):
                await self.people.send(anew=False)
        worker = self._worker()
        await asyncio.to_thread(self._is_at_work, worker)
        deadline = time.monotonic() + 120
        while not await asyncio.to_thread(self._is_quiet):
            assert worker.process.poll() is None, worker.said()
            assert time.monotonic() < deadline, f"{self._states()} {self._unequal()} {worker.said()[-1000:]}"
            await asyncio.sleep(0.2)
        assert await asyncio.to_thread(worker.stop) == 0

    def _is_quiet(self) -> bool:
        states = self._states()
        is_open = states["intents"] or states["copies"]["wanted"]
        is_open = is_open or states["sends"]["pending"] or states["sends"]["running"]
        return not is_open and are_current(self.store, self.mirror.tenant_name) and self._is_equal()

    def _is_equal(self) -> bool:
        return self.mirror.here() == self.mirror.there()

    def _unequal(self) -> dict[str, list[object]]:
        """What is only here, and what is only there."""
        here, there = (
            {(name, uid, *each) for name, folder in side.items() for uid, each in folder.items()}
            for side in (self.mirror.here(), self.mirror.there())
        )
        return {"here": sorted(here - there, key=str), "there": sorted(there - here, key=str)}

    def clear_up(self) -> None:
        for each in self.workers:
            each.kill()

    def tell(self, kind: str) -> None:
        states = self._states()["sends"]
        print(
            f"\n{kind}: {sum(self.killed.values())} kills ({dict(self.killed)}), of which found: {dict(self.found)};"
            f" {len(self.people.letters)} letters, {self.people.changed} changes, {self.people.lost_answers} answers lost;"
            f" {len(self.people.drafts)} drafts; {len(self.people.sent)} messages sent: {dict(states)}"
        )

    async def prove(self) -> None:
        for each in self.workers:
            assert "Traceback" not in each.said(), each.said()
        assert self.people.odd == []
        assert list(self.people.differences()) == []
        self._prove_sends()
        tenant = self.mirror.tenant_name
        done = self.store.json("verify", "-t", tenant, "-a", EMAIL, "--deep")
        assert done["is_equal"]
        assert all(each["quarantined"] == 0 for each in done["folders"])
        await self.mirror.agree()

    def _prove_sends(self) -> None:
        """Each is with the sink once, or nobody knows and it is there at most once; a copy of what was sent lies in Sent, once."""
        taken = self.smtp.counts()
        copies = Counter(subject for folder, subject, _ in self.mirror.subjects_there() if folder == "Sent")
        rows = self.mirror.rows(
            "select s.subject, s.message_id, o.state, s.copy_state from email_sends s"
            " join email_outbox o on o.tenant_id = s.tenant_id and o.id = s.outbox_id where s.tenant_id = %s"
        )
        assert sorted(subject for subject, *_ in rows) == sorted(self.people.sent)
        for subject, message_id, state, copy_state in rows:
            assert state in ("done", "unknown"), (subject, state)
            assert taken.pop(message_id, 0) in ({1} if state == "done" else {0, 1}), (subject, state)
            assert (copies[subject], copy_state) == ((1, "made") if state == "done" else (0, "none")), subject
        assert taken == Counter()
        assert self._states()["sends"]["unknown"] <= KILLS
