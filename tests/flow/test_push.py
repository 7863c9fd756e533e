"""Push: mail comes in because the server says so, with intervals of an hour; and whatever ends such a connection."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from postroom.sample import generate
from tests.support.dovecot import Dovecot, running_dovecot
from tests.support.site import Store, running_store
from tests.support.workers import are_current, column, mailbox, stored, until, worker


@pytest.fixture
def store() -> Iterator[Store]:
    """Of its own: a worker takes whatever is due."""
    with running_store() as found:
        yield found


def _letter(number: int) -> bytes:
    return f"From: a@b.example\r\nSubject: news{number}\r\n\r\nnews{number}\r\n".encode()


def _deliver(dovecot: Dovecot, user: str, number: int, folder: str = "INBOX") -> None:
    with dovecot.imap(user) as imap:
        imap.append(folder, "", "", _letter(number))  # pyright: ignore[reportArgumentType]


def _found(store: Store, tenant: str, number: int) -> bool:
    return len(store.json("search", "-t", tenant, f"news{number}")["items"]) == 1


def _watching(store: Store) -> int:
    return sum(each["watching"] for each in store.json("status")["workers"])


def test_new_mail_is_found_without_waiting_for_the_interval(store: Store, dovecot: Dovecot) -> None:
    tenant = store.tenant()
    for user in ("alice", "bob"):
        mailbox(store, dovecot, tenant, user)
    with worker(store, "--concurrency", "1", POSTROOM_LEASE_SECONDS="3") as running:
        until(lambda: _watching(store) == 2)
        for number, user in enumerate(("alice", "bob", "alice")):
            _deliver(dovecot, user, number)
            until(lambda number=number: _found(store, tenant, number))
        assert running.stop() == 0


def test_flags_and_deletions_come_in_as_well(store: Store, dovecot: Dovecot) -> None:
    dovecot.fill("alice", "INBOX", [each.raw for each in generate(3, 70)])
    tenant = store.tenant()
    mailbox(store, dovecot, tenant, "alice")
    with worker(store):
        until(lambda: _watching(store) == 1)
        with dovecot.imap("alice") as imap:
            imap.select("INBOX")
            imap.store("1", "+FLAGS", "(\\Flagged)")
        until(lambda: sum(column(store, tenant, "is_flagged", table="email_messages")) == 1)
        with dovecot.imap("alice") as imap:
            imap.select("INBOX")
            imap.store("2", "+FLAGS", "(\\Deleted)")
            imap.expunge()
        until(lambda: sum(column(store, tenant, "x.is_deleted", table="email_messages")) == 1)


def test_the_folders_that_matter_are_chosen_for_each_account(store: Store, dovecot: Dovecot) -> None:
    dovecot.fill("alice", "Work/Café", [_letter(0)])
    tenant = store.tenant()
    email = mailbox(store, dovecot, tenant, "alice")
    store.cli("account", "push", "-t", tenant, "-a", email, "-f", "INBOX", "-f", "Work/Café")
    with worker(store):
        until(lambda: _watching(store) == 2)
        _deliver(dovecot, "alice", 1, '"Work/Caf&AOk-"')
        until(lambda: _found(store, tenant, 1))
        store.cli("account", "push", "-t", tenant, "-a", email, "--off")
        until(lambda: _watching(store) == 0)


def test_news_of_a_suspended_tenant_are_not_waited_for(store: Store, dovecot: Dovecot) -> None:
    tenant, other = store.tenant(), store.tenant()
    for each, user in ((tenant, "alice"), (other, "bob")):
        mailbox(store, dovecot, each, user)
    with worker(store) as running:
        until(lambda: _watching(store) == 2)
        store.cli("tenant", "suspend", tenant)
        _deliver(dovecot, "alice", 7)
        until(lambda: _watching(store) == 1)
        _deliver(dovecot, "bob", 8)
        until(lambda: _found(store, other, 8))
        assert running.stop() == 0
        assert "exception" not in running.said()


def test_a_connection_that_is_renewed_goes_on_bringing_news(store: Store, dovecot: Dovecot) -> None:
    tenant = store.tenant()
    mailbox(store, dovecot, tenant, "alice")
    with worker(store, POSTROOM_PUSH_REFRESH_SECONDS="1") as running:
        until(lambda: _watching(store) == 1)
        time.sleep(3)  # some renewals
        assert _watching(store) == 1
        _deliver(dovecot, "alice", 3)
        until(lambda: _found(store, tenant, 3))
        assert "the connection ended" not in running.said()


def test_a_connection_that_broke_is_made_anew(store: Store) -> None:
    tenant = store.tenant()
    with running_dovecot() as own:
        mailbox(store, own, tenant, "alice")
        with worker(store, POSTROOM_LEASE_SECONDS="3") as running:
            until(lambda: _watching(store) == 1)
            _end_sessions(own)
            until(lambda: "the connection ended" in running.said())
            _deliver(own, "alice", 4)
            until(lambda: _found(store, tenant, 4))
            until(lambda: _watching(store) == 1)


def _end_sessions(dovecot: Dovecot) -> None:
    """As when a server is updated."""
    assert dovecot._process
    master = dovecot._process.pid
    for child in Path(f"/proc/{master}/task/{master}/children").read_text().split():
        if Path(f"/proc/{child}/comm").read_text().strip() == "imap":
            os.kill(int(child), signal.SIGKILL)


def test_a_server_without_idle_is_looked_at_in_intervals(store: Store, poor_dovecot: Dovecot) -> None:
    tenant = store.tenant()
    mailbox(store, poor_dovecot, tenant, "alice")
    with worker(store, POSTROOM_IMAP_POLL_INTERVAL="1") as running:
        until(lambda: are_current(store, tenant))
        _deliver(poor_dovecot, "alice", 5)
        until(lambda: stored(store, tenant) == 1)
        assert _watching(store) == 0
        assert running.stop() == 0


def test_the_news_of_a_killed_worker_are_waited_for_by_another(store: Store, dovecot: Dovecot) -> None:
    tenant = store.tenant()
    mailbox(store, dovecot, tenant, "alice")
    with worker(store, POSTROOM_LEASE_SECONDS="2") as first:
        until(lambda: _watching(store) == 1)
        with worker(store, POSTROOM_LEASE_SECONDS="2"):
            until(lambda: len(store.json("status")["workers"]) == 2)
            first.kill()
            until(lambda: len(store.json("status")["workers"]) == 1 and _watching(store) == 1)
            _deliver(dovecot, "alice", 6)
            until(lambda: _found(store, tenant, 6))
