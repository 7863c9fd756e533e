"""Folders that are renamed or go away on the server, and lists of folders that are not to be believed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from postroom.sample import generate
from tests.support.dovecot import Dovecot
from tests.support.hostile_imap import HostileImap
from tests.support.site import Store
from tests.support.wiretap import Wiretap

EMAIL = "alice@example.test"


def letters(count: int, seed: int) -> list[bytes]:
    return [each.raw for each in generate(count, seed)]


def account(store: Store, port: int, password: str, username: str = "alice") -> str:
    tenant = store.tenant()
    options = ("--email", EMAIL, "--host", "127.0.0.1", "--port", str(port), "--encryption", "none")
    store.cli(
        "account",
        "add",
        "-t",
        tenant,
        *options,
        "--username",
        username,
        "--password-stdin",
        stdin=password + "\n",
    )
    return tenant


def sync(store: Store, tenant: str, *more: str) -> Any:
    return store.json("sync", "-t", tenant, "-a", EMAIL, *more)


def found(store: Store, tenant: str, query: str) -> int:
    return len(store.json("search", "-t", tenant, "-n", "1000", query)["items"])


@pytest.fixture
def wire(dovecot: Dovecot) -> Iterator[Wiretap]:
    with Wiretap(dovecot.imap_port) as tap:
        yield tap


@pytest.fixture
def poor_wire(poor_dovecot: Dovecot) -> Iterator[Wiretap]:
    with Wiretap(poor_dovecot.imap_port) as tap:
        yield tap


def test_a_folder_that_is_gone_takes_its_messages_along_and_says_when(store: Store, dovecot: Dovecot) -> None:
    dovecot.fill("alice", "INBOX", letters(30, 41))
    dovecot.fill("alice", "Work", letters(20, 42))
    tenant = account(store, dovecot.imap_port, dovecot.password("alice"))
    assert sync(store, tenant)["stored"] == 50
    before = time.time() * 1000
    with dovecot.imap("alice") as imap:
        imap.select("INBOX")
        imap.copy("1:3", "Archive")
        imap.select("Work")
        imap.copy("1:4", "Archive")
        imap.select("INBOX")
        imap.delete("Work")
    done = store.cli("sync", "-t", tenant, "-a", EMAIL)
    assert "Folder Work is gone from the server, and 20 messages with it" in done.stderr
    assert found(store, tenant, "in:inbox") == 30
    assert found(store, tenant, "in:archive") == 7
    assert len(store.json("search", "-t", tenant, "-n", "1000")["items"]) == 34
    with store.connect("postgres") as connection:
        rows = connection.execute(
            "select count(*), min(p.vanished_at), max(f.deleted_at) from email_placements p"
            " join email_folders f on f.tenant_id = p.tenant_id and f.id = p.folder_id"
            " join email_tenants t on t.tenant_id = p.tenant_id where t.name = %s and f.name = 'Work'",
            [tenant],
        ).fetchone()
    assert rows is not None
    assert rows[0] == 20
    assert before <= rows[1] <= time.time() * 1000
    assert before <= rows[2] <= time.time() * 1000
    assert sync(store, tenant)["vanished"] == 0


@pytest.mark.parametrize("kind", ["full", "poor"])
def test_a_renamed_folder_is_known_again_and_nothing_of_it_is_fetched(
    store: Store, kind: str, request: pytest.FixtureRequest
) -> None:
    dovecot: Dovecot = request.getfixturevalue("dovecot" if kind == "full" else "poor_dovecot")
    dovecot.fill("alice", "INBOX", letters(5, 43))
    dovecot.fill("alice", "Work", letters(40, 44))
    dovecot.fill("alice", "Work/2026", letters(10, 45))
    with Wiretap(dovecot.imap_port) as wire:
        tenant = account(store, wire.port, dovecot.password("alice"))
        assert sync(store, tenant)["stored"] == 55
        whole = wire.received_bytes
        with dovecot.imap("alice") as imap:
            imap.rename("Work", "Job")
        wire.reset()
        done = store.cli("sync", "-t", tenant, "-a", EMAIL)
        assert "Folder Work is called Job now" in done.stderr
        assert "Folder Work/2026 is called Job/2026 now" in done.stderr
        assert wire.asked(r"BODY\.PEEK\[\]") == []
        assert wire.received_bytes < whole / 5
    assert found(store, tenant, "in:Job") == 40
    assert found(store, tenant, "in:Job/2026") == 10
    assert found(store, tenant, "in:Work") == 0


def test_two_folders_made_in_one_second_are_not_taken_for_each_other(store: Store, dovecot: Dovecot) -> None:
    """Same UIDVALIDITY, same UIDs, other messages: it is another folder."""
    for _ in range(5):  # until both are made in the same second
        dovecot.reset()
        dovecot.fill("alice", "INBOX", letters(8, 46))
        with dovecot.imap("alice") as imap:
            for name in ("Old", "New"):
                imap.create(name)
            numbers = [imap.status(name, "(UIDVALIDITY)")[1][0].split()[-1] for name in ("Old", "New")]  # pyright: ignore[reportOptionalMemberAccess, reportAttributeAccessIssue]
        if numbers[0] == numbers[1]:
            break
    dovecot.fill("alice", "Old", letters(6, 47))
    tenant = account(store, dovecot.imap_port, dovecot.password("alice"))
    with dovecot.imap("alice") as imap:
        imap.rename("New", "Hidden")
    sync(store, tenant)
    with dovecot.imap("alice") as imap:
        imap.delete("Old")
        imap.rename("Hidden", "New")
    dovecot.fill("alice", "New", letters(6, 48))
    assert sync(store, tenant)["stored"] == 6
    assert found(store, tenant, "in:New") == 6
    assert len(store.json("search", "-t", tenant, "-n", "1000")["items"]) == 14


def listing(*names: str) -> bytes:
    return b"".join(b'* LIST (\\HasNoChildren) "/" "%s"\r\n' % name.encode() for name in names)


@pytest.fixture
def server() -> Iterator[HostileImap]:
    with HostileImap() as made:
        made.folders = {
            name: dict(enumerate(letters(6, 50 + number), 1))
            for number, name in enumerate(("INBOX", "Work", "Home"))
        }
        yield made


def test_a_list_without_the_folders_that_have_the_mail_is_held_until_somebody_says_so(
    store: Store, server: HostileImap
) -> None:
    tenant = account(store, server.port, "secret")
    assert sync(store, tenant)["stored"] == 18
    kept = dict(server.folders)
    for name in ("Work", "Home"):
        del server.folders[name]
    held = store.cli("sync", "-t", tenant, "-a", EMAIL, check=False)
    assert held.returncode == 9
    assert "no longer has Home, Work with 12 of 18 messages; nothing was let go" in held.stderr
    assert "--accept-empty" in held.stderr
    assert len(store.json("search", "-t", tenant, "-n", "1000")["items"]) == 18
    server.folders = kept
    assert sync(store, tenant)["stored"] == 0
    for name in ("Work", "Home"):
        del server.folders[name]
    assert sync(store, tenant, "--accept-empty")["vanished"] == 12
    assert len(store.json("search", "-t", tenant, "-n", "1000")["items"]) == 6


def test_a_folder_that_is_left_out_of_the_list_and_can_be_opened_is_there(
    store: Store, server: HostileImap
) -> None:
    tenant = account(store, server.port, "secret")
    sync(store, tenant)
    server.listing = listing("INBOX", "Home")
    server.folders["Work"][7] = letters(1, 60)[0]
    assert sync(store, tenant) | {"seconds": 0} == {
        "stored": 1,
        "already_there": 0,
        "quarantined": 0,
        "vanished": 0,
        "reflagged": 0,
        "pushed": 0,
        "refused": 0,
        "seconds": 0,
    }
    assert found(store, tenant, "in:Work") == 7


@pytest.mark.parametrize(
    ("answers", "exit_code", "says"),
    [
        ({"LIST": b"{tag} OK nothing here\r\n"}, 4, "lists no folder at all"),
        ({"LIST": b"{tag} NO [SERVERBUG] try later\r\n"}, 4, "does not list folders (try later)"),
        (
            {
                "LIST": listing("INBOX", "Home") + b"{tag} OK\r\n",
                "STATUS": b"{tag} NO [UNAVAILABLE] Backend is down.\r\n",
            },
            9,
            "nor says that it is not there (Backend is down)",
        ),
    ],
)
def test_a_list_that_is_empty_refused_or_in_doubt_deletes_nothing(
    store: Store, server: HostileImap, answers: dict[str, bytes], exit_code: int, says: str
) -> None:
    tenant = account(store, server.port, "secret")
    sync(store, tenant)
    server.answers.update(answers)
    done = store.cli("sync", "-t", tenant, "-a", EMAIL, check=False)
    assert done.returncode == exit_code, done.stderr
    assert says in done.stderr
    server.answers.clear()
    assert sync(store, tenant)["stored"] == 0
    assert len(store.json("search", "-t", tenant, "-n", "1000")["items"]) == 18
