"""Workers: several on the same accounts, one of them killed, one stopped, one asleep for too long; and bad passwords."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator

import pytest

from postroom.sample import generate
from tests.support.dovecot import Dovecot
from tests.support.site import Store, running_store
from tests.support.smtp import SmtpServer
from tests.support.workers import are_current, column, mailbox, stored, until, worker

MESSAGES = 600
SHORT = {"POSTROOM_LEASE_SECONDS": "2", "POSTROOM_BATCH_MESSAGES": "30"}


@pytest.fixture
def store() -> Iterator[Store]:
    """Of its own: a worker takes whatever is due."""
    with running_store() as found:
        yield found


def _fill(dovecot: Dovecot, user: str, count: int, seed: int) -> None:
    dovecot.fill(user, "INBOX", [each.raw for each in generate(count, seed)])


def _each_once(store: Store, tenant: str) -> tuple[int, int]:
    with store.connect("postgres") as connection:
        row = connection.execute(
            b"select count(*), count(distinct (p.folder_id, p.uid)) from email_placements p"
            b" join email_tenants t using (tenant_id) where t.name = %s and p.vanished_at is null",
            [tenant],
        ).fetchone()
    assert row
    return row[0], row[1]


def test_what_a_killed_worker_had_is_taken_over_by_another(store: Store, dovecot: Dovecot) -> None:
    _fill(dovecot, "alice", MESSAGES, 41)
    _fill(dovecot, "bob", MESSAGES, 42)
    tenant = store.tenant()
    with worker(store, **SHORT) as first, worker(store, **SHORT) as second:
        both = {each.pid: each for each in (first, second)}
        until(lambda: len(store.json("status")["workers"]) == 2)
        for user in ("alice", "bob"):
            mailbox(store, dovecot, tenant, user)
        at_work = until(lambda: stored(store, tenant) > 30 and _who_works(store))
        both.pop(at_work).kill()
        assert stored(store, tenant) < 2 * MESSAGES
        until(lambda: are_current(store, tenant), seconds=120)
        assert _each_once(store, tenant) == (2 * MESSAGES, 2 * MESSAGES)
        (other,) = both.values()
        until(lambda: [each["pid"] for each in store.json("status")["workers"]] == [other.pid])
        assert other.stop() == 0


def _who_works(store: Store) -> int | None:
    """The process that has the account with most to do."""
    with store.connect("postgres") as connection:
        row = connection.execute(
            b"select w.pid from email_sync_jobs j join email_workers w on w.id = j.worker_id"
            b" where j.lease_until is not null order by j.claimed_at desc limit 1"
        ).fetchone()
    return row[0] if row else None


def test_a_worker_that_slept_through_its_lease_writes_nothing_more(store: Store, dovecot: Dovecot) -> None:
    _fill(dovecot, "alice", MESSAGES, 43)
    tenant = store.tenant()
    mailbox(store, dovecot, tenant, "alice")
    with store.connect("postgres") as connection:  # it may fall asleep in the midst of a transaction
        connection.execute(b"alter role email_worker set idle_in_transaction_session_timeout = '3s'")
        if connection.info.server_version >= 170000:
            connection.execute(b"alter role email_worker set transaction_timeout = '5s'")
    with worker(store, **SHORT) as sleeper:
        until(lambda: stored(store, tenant) > 30)
        sleeper.process.send_signal(signal.SIGSTOP)
        with worker(store, **SHORT) as other:
            until(lambda: are_current(store, tenant), seconds=120)
            sleeper.process.send_signal(signal.SIGCONT)
            until(lambda: "has taken over" in sleeper.said())
            assert column(store, tenant, "last_error") == [None]
            assert other.stop() == 0
        assert _each_once(store, tenant) == (MESSAGES, MESSAGES)


def test_a_worker_that_is_told_to_stop_loses_nothing(store: Store, dovecot: Dovecot) -> None:
    _fill(dovecot, "alice", MESSAGES, 44)
    tenant = store.tenant()
    email = mailbox(store, dovecot, tenant, "alice")
    with worker(store, **SHORT) as running:
        until(lambda: stored(store, tenant) > 30)
        began = time.monotonic()
        assert running.stop() == 0
        assert time.monotonic() - began < 10  # what a service manager grants before it kills
    kept = stored(store, tenant)
    assert 30 < kept < MESSAGES
    assert column(store, tenant, "is_syncing") == [False]
    assert column(store, tenant, "last_sync_at") == [None]
    assert store.json("status")["workers"] == []
    tally = store.json("sync", "-t", tenant, "-a", email)  # at once: nothing is held by who has gone
    assert (tally["stored"], stored(store, tenant)) == (MESSAGES - kept, MESSAGES)


def test_how_far_a_first_sync_is_and_how_long_it_takes_is_told(store: Store, dovecot: Dovecot) -> None:
    _fill(dovecot, "alice", 3000, 49)
    dovecot.fill("alice", "Work", [each.raw for each in generate(40, 61)])
    tenant = store.tenant()
    mailbox(store, dovecot, tenant, "alice")
    with worker(store, POSTROOM_BATCH_MESSAGES="10") as running:
        advance = "array[done, expected, left_ms]"
        done, expected, left_ms = until(
            lambda: next(
                (each for each in column(store, tenant, advance, table="email_sync_jobs") if all(each)), None
            )
        )
        assert done < expected == 3040
        assert left_ms > 0
        running.process.send_signal(signal.SIGSTOP)
        shown = store.json("status")["accounts"][0]
        assert shown["expected"] == 3040
        assert "of 3,040 messages" in store.cli("status", COLUMNS="250").stdout
        newest = column(store, tenant, "max(uid)", table="email_placements")
        assert newest == [3000]  # newest first: of use after seconds


def test_a_large_tenant_does_not_keep_a_small_one_waiting(store: Store, dovecot: Dovecot) -> None:
    large, small = store.tenant(), store.tenant()
    for number in range(8):
        user = f"large{number}"
        dovecot.add_user(user, "pw")
        _fill(dovecot, user, 150, 50 + number)
        mailbox(store, dovecot, large, user)
    _fill(dovecot, "bob", 20, 60)
    mailbox(store, dovecot, small, "bob")
    with worker(store, "--concurrency", "1", "--no-push", **SHORT, POSTROOM_SLICE_SECONDS="0"):
        until(lambda: are_current(store, small))
        assert not are_current(store, large)
        until(lambda: are_current(store, large), seconds=180)
    assert stored(store, large) == sum(
        len({each.raw for each in generate(150, 50 + number)}) for number in range(8)
    )


def test_a_refused_password_is_left_alone_until_it_is_changed(store: Store, dovecot: Dovecot) -> None:
    _fill(dovecot, "alice", 5, 45)
    tenant = store.tenant()
    mailbox(store, dovecot, tenant, "alice", password="wrong")
    with worker(store):
        until(lambda: column(store, tenant, "trouble", table="email_sync_jobs") == ["refused"])
        row = store.json("status")["accounts"][0]
        assert row["state"].startswith("127.0.0.1:")
        assert (row["failures"], row["trouble"], row["last_sync_at"]) == (1, "refused", None)
        assert row["due_in_ms"] > 40 * 60 * 1000
        assert store.json("status")["jobs"]["failing"] == 1
        assert "Next try in" in store.cli("status", COLUMNS="250").stdout
        mailbox(store, dovecot, tenant, "alice")
        until(lambda: stored(store, tenant) == 5 and are_current(store, tenant))
        assert store.json("status")["accounts"][0]["state"] == "ok"


def test_a_server_that_is_down_is_tried_again_soon_and_again_later(store: Store, dovecot: Dovecot) -> None:
    tenant = store.tenant()
    mailbox(store, dovecot, tenant, "alice")
    with store.connect("postgres") as connection:
        connection.execute(b"update email_accounts set port = 1")
    with worker(store):
        until(lambda: column(store, tenant, "trouble", table="email_sync_jobs") == ["unreachable"])
        row = store.json("status")["accounts"][0]
    assert row["due_in_ms"] < 60_000


def test_a_sync_by_hand_and_a_worker_do_not_meet(store: Store, dovecot: Dovecot) -> None:
    _fill(dovecot, "alice", MESSAGES, 46)
    tenant = store.tenant()
    email = mailbox(store, dovecot, tenant, "alice")
    with worker(store, **SHORT):
        until(lambda: stored(store, tenant) > 30)
        refused = store.cli("sync", "-t", tenant, check=False)
        assert refused.returncode == 9
        assert "another process" in refused.stdout
        tally = store.json("sync", "-t", tenant, "-a", email, POSTROOM_LEASE_SECONDS="60")  # it waits
        assert tally["stored"] == 0
    assert _each_once(store, tenant) == (MESSAGES, MESSAGES)


def test_sync_takes_all_accounts_of_a_tenant_or_of_all_tenants(store: Store, dovecot: Dovecot) -> None:
    _fill(dovecot, "alice", 7, 47)
    _fill(dovecot, "bob", 9, 48)
    one, two = store.tenant(), store.tenant()
    mailbox(store, dovecot, one, "alice")
    mailbox(store, dovecot, one, "nobody", password="wrong")
    mailbox(store, dovecot, two, "bob")
    done = store.cli("sync", "-t", one, "--json", check=False)
    assert done.returncode == 9
    assert "1 of 2 accounts are not current" in done.stderr
    assert (stored(store, one), stored(store, two)) == (7, 0)
    store.cli("sync", "--all", check=False)
    assert stored(store, two) == 9
    for wrong in (("sync",), ("sync", "--all", "-t", one), ("sync", "--all", "-a", "a@b.example")):
        assert store.cli(*wrong, check=False).returncode == 2


def test_a_worker_sends_what_is_due_whatever_the_interval(
    store: Store, dovecot: Dovecot, smtp: SmtpServer
) -> None:
    tenant = store.tenant()
    email = mailbox(store, dovecot, tenant, "alice")
    place = ("--host", smtp.host, "--port", str(smtp.port), "--encryption", "none", "--no-sign-in")
    store.cli("account", "smtp", "-t", tenant, "-a", email, *place)
    with worker(store) as running:
        until(lambda: are_current(store, tenant))
        store.cli("send", "-t", tenant, "-a", email, "--to", "bob@example.test", "--text", "Hi", "--queue")
        until(lambda: smtp.received)
        until(lambda: column(store, tenant, "copy_state", table="email_sends") == ["made"])
        assert running.stop() == 0
    assert len(smtp.received) == 1
