"""What is here already is not fetched again, and what did not change is not asked for: counted on the wire."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from tests.flow.test_folders import EMAIL, account, found, letters, sync
from tests.support.dovecot import Dovecot, running_dovecot
from tests.support.hostile_imap import HostileImap
from tests.support.pymap import PASSWORD, USER, running_pymap
from tests.support.site import Store
from tests.support.wiretap import Wiretap

BODIES = r"BODY\.PEEK\[\]"


def _by_kind(kind: str, request: pytest.FixtureRequest) -> Dovecot:
    return request.getfixturevalue("dovecot" if kind == "full" else "poor_dovecot")


@pytest.mark.parametrize("kind", ["full", "poor"])
def test_a_message_that_is_moved_or_copied_on_the_server_is_not_fetched_again(
    store: Store, kind: str, request: pytest.FixtureRequest
) -> None:
    dovecot = _by_kind(kind, request)
    dovecot.fill("alice", "INBOX", letters(60, 71))
    with Wiretap(dovecot.imap_port) as wire:
        tenant = account(store, wire.port, dovecot.password("alice"))
        sync(store, tenant)
        with dovecot.imap("alice") as imap:
            imap.select("INBOX")
            imap.copy("1:30", "Archive")
            imap.store("1:20", "+FLAGS", "(\\Deleted)")
            imap.expunge()
        wire.reset()
        tally = sync(store, tenant)
        assert (tally["stored"], tally["already_there"], tally["vanished"]) == (0, 30, 20)
        assert wire.asked(BODIES) == []
        assert wire.received_bytes < 30_000
    assert found(store, tenant, "in:archive") == 30
    assert found(store, tenant, "in:inbox") == 40


def _uids(sequence_set: str) -> list[int]:
    ends = [
        (int(first), int(last or first))
        for first, _, last in (part.partition(":") for part in sequence_set.split(","))
    ]
    return [uid for first, last in ends for uid in range(first, last + 1)]


@pytest.mark.parametrize("kind", ["full", "poor"])
def test_a_renumbered_folder_is_matched_again_without_fetching_it(
    store: Store, kind: str, request: pytest.FixtureRequest
) -> None:
    dovecot = _by_kind(kind, request)
    mail = letters(50, 72)
    dovecot.fill("alice", "Work", mail)
    with Wiretap(dovecot.imap_port) as wire:
        tenant = account(store, wire.port, dovecot.password("alice"))
        sync(store, tenant)
        with dovecot.imap("alice") as imap:
            imap.delete("Work")
        time.sleep(1.1)  # UIDVALIDITY is the second of the folder's making
        dovecot.fill("alice", "Work", mail)
        dovecot.fill("alice", "Work", letters(2, 73), first_date=1_700_000_500)
        wire.reset()
        tally = sync(store, tenant)
        assert (tally["stored"], tally["already_there"]) == (2, 50)
        fetched = [uid for command in wire.asked(BODIES) for uid in _uids(command.split()[2])]
        assert {51, 52} <= set(fetched)
        assert len(fetched) <= 5  # the new ones, and the few that have no Message-ID of their own
    assert found(store, tenant, "in:Work") == 52


def test_ids_of_the_server_tell_messages_and_folders_again(store: Store) -> None:
    """pymap has OBJECTID and neither CONDSTORE nor LIST-STATUS."""
    with running_pymap() as server, Wiretap(server.port) as wire:
        server.fill("INBOX", letters(20, 74))
        server.fill("Work", letters(10, 75))
        tenant = account(store, wire.port, PASSWORD, USER)
        assert sync(store, tenant)["stored"] == 30
        with server.imap() as imap:
            imap.rename("Work", "Job")
            imap.select("INBOX")
            imap.copy("1:5", "Job")
        wire.reset()
        done = store.cli("sync", "-t", tenant, "-a", EMAIL)
        assert "Folder Work is called Job now" in done.stderr
        assert wire.asked("BODY") == []
        assert found(store, tenant, "in:Job") == 15
        assert store.json("verify", "-t", tenant, "-a", EMAIL, "--deep")["is_equal"]


def test_gmail_shows_a_message_under_every_label_and_gives_it_once(store: Store) -> None:
    mail = letters(12, 76)
    with HostileImap() as server:
        server.capabilities += " X-GM-EXT-1"
        server.gmail_ids = {body: 1_700_000_000_000_000_000 + number for number, body in enumerate(mail)}
        server.folders = {
            "INBOX": dict(enumerate(mail[:5], 1)),
            "[Gmail]/All Mail": dict(enumerate(mail, 1)),
            "Receipts": dict(enumerate(mail[3:9], 1)),
        }
        tenant = account(store, server.port, "secret")
        tally = sync(store, tenant)
        assert (tally["stored"], tally["already_there"]) == (12, 11)
        fetched = [command.split()[2] for command in server.commands if "BODY.PEEK[]" in command]
        assert fetched == ["1:5", "3:6", "10:12"]  # INBOX, Receipts, All Mail
    assert found(store, tenant, "in:Receipts") == 6


def _with_flags_changed(dovecot: Dovecot, store: Store) -> tuple[list[str], int, int]:
    """The commands and the bytes of a sync after one flag of many and one deletion, and the bytes of all flags."""
    dovecot.fill("alice", "INBOX", [b"Subject: %d\r\n\r\nshort\r\n" % number for number in range(1500)])
    with Wiretap(dovecot.imap_port) as wire:
        tenant = account(store, wire.port, dovecot.password("alice"))
        assert sync(store, tenant)["stored"] == 1500
        with dovecot.imap("alice") as imap:
            imap.select("INBOX")
            imap.store("700", "+FLAGS", "(\\Flagged)")
            imap.store("5", "+FLAGS", "(\\Deleted)")
            imap.expunge()
        wire.reset()
        tally = sync(store, tenant)
        assert (tally["stored"], tally["reflagged"], tally["vanished"]) == (0, 1, 1)
        commands, received = list(wire.commands), wire.received_bytes
        wire.reset()
        assert store.json("verify", "-t", tenant, "-a", EMAIL)["is_equal"]
        return commands, received, wire.received_bytes


def test_qresync_brings_what_changed_and_what_is_gone_and_no_more(store: Store, dovecot: Dovecot) -> None:
    commands, received, whole = _with_flags_changed(dovecot, store)
    assert [command for command in commands if command.endswith(" VANISHED)")]
    assert not [command for command in commands if "SEARCH" in command or command.endswith("(FLAGS)")]
    assert received < 5_000 < whole


def test_condstore_alone_brings_what_changed_and_the_uids_as_ranges(store: Store) -> None:
    with running_dovecot(capabilities="condstore") as dovecot:
        commands, received, whole = _with_flags_changed(dovecot, store)
    assert [command for command in commands if "CHANGEDSINCE" in command and "VANISHED" not in command]
    assert "UID SEARCH RETURN (ALL) ALL" in commands
    assert received < 5_000 < whole


def test_a_server_that_counts_nothing_is_asked_for_all_flags(store: Store, poor_dovecot: Dovecot) -> None:
    commands, received, _ = _with_flags_changed(poor_dovecot, store)
    assert [command for command in commands if command.endswith("(FLAGS)")]
    assert received > 20_000


def test_what_could_not_be_had_does_not_hide_a_deletion(store: Store) -> None:
    """CONDSTORE without QRESYNC: ten on the server and nine here, then one of the nine goes."""
    with running_dovecot(capabilities="condstore") as dovecot:
        dovecot.fill("alice", "INBOX", letters(10, 79))
        unreadable = sorted((dovecot.root / "mail" / "alice" / "cur").iterdir())[4]
        unreadable.chmod(0)
        tenant = account(store, dovecot.imap_port, dovecot.password("alice"))
        assert store.cli("sync", "-t", tenant, "-a", EMAIL, check=False).returncode == 9
        with dovecot.imap("alice") as imap:
            imap.select("INBOX")
            imap.store("2", "+FLAGS", "(\\Deleted)")
            imap.expunge()
        store.cli("sync", "-t", tenant, "-a", EMAIL, check=False)
        row = next(each for each in store.json("status")["accounts"] if each["tenant"] == tenant)
        assert (row["stored"], row["quarantined"], row["gone"]) == (8, 1, 1)
        unreadable.chmod(0o644)
        assert sync(store, tenant)["stored"] == 1
        assert store.json("verify", "-t", tenant, "-a", EMAIL, "--deep")["is_equal"]


def _lies_about_uidnext(server: HostileImap) -> None:
    server.uidnext = 4


def _expunges_in_the_middle(server: HostileImap) -> None:
    server.interruptions = b"* 2 EXPUNGE\r\n"


def _fetches_without_being_asked(server: HostileImap) -> None:
    server.interruptions = b"* 3 FETCH (FLAGS (\\Answered))\r\n* 99 EXISTS\r\n* OK still here\r\n"


def _recounts(server: HostileImap) -> None:
    server.answers["EXAMINE"] = lambda _: (
        server._numbers().replace("10 EXISTS", "12 EXISTS").encode() + b"{tag} OK\r\n"
    )


@pytest.mark.parametrize(
    "trick", [_lies_about_uidnext, _expunges_in_the_middle, _fetches_without_being_asked, _recounts]
)
def test_servers_that_break_the_rules_lose_nothing_and_double_nothing(
    store: Store, trick: Callable[[HostileImap], None]
) -> None:
    with HostileImap(dict(enumerate(letters(10, 77), 1))) as server:
        trick(server)
        tenant = account(store, server.port, "secret")
        assert sync(store, tenant)["stored"] == 10
        for _ in range(2):
            tally = sync(store, tenant)
            assert (tally["stored"], tally["vanished"], tally["already_there"]) == (0, 0, 0)
        server.messages[11] = letters(1, 78)[0]
        assert sync(store, tenant)["stored"] == 1
        assert len(store.json("search", "-t", tenant, "-n", "100")["items"]) == 11
