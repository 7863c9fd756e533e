"""The commands that change mail, as people type them, on a real Dovecot."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.dovecot import Dovecot
from tests.support.mirror import letter
from tests.support.site import Store

ME = "alice@example.test"


@pytest.fixture
def tenant(store: Store, dovecot: Dovecot) -> str:
    """Six letters in INBOX, synced."""
    name = store.tenant()
    dovecot.fill("alice", "INBOX", [letter(number) for number in range(6)])
    where = ("--host", "127.0.0.1", "--port", str(dovecot.imap_port), "--encryption", "none")
    password = dovecot.password("alice") + "\n"
    options = ("--email", ME, *where, "--username", "alice", "--password-stdin")
    store.cli("account", "add", "-t", name, *options, stdin=password)
    assert _sync(store, name)["stored"] == 6
    return name


def _sync(store: Store, tenant: str) -> Any:
    return store.json("sync", "-t", tenant, "-a", ME)


def _id(store: Store, tenant: str, query: str) -> str:
    (one,) = store.json("search", "-t", tenant, query)["items"]
    return one["id"]


def test_mail_is_marked_moved_and_copied(store: Store, dovecot: Dovecot, tenant: str) -> None:
    first, second = (_id(store, tenant, f'subject:"Letter {number}"') for number in range(2))
    marked = store.json("mark", "-t", tenant, first, second, "--read", "--keyword", "$Work")
    assert marked == {"marked": 2, "pending": 2}
    assert store.json("mark", "-t", tenant, first, "--unread")["marked"] == 1
    assert store.json("move", "-t", tenant, first, "--to", "Archive") == {"moved": 1, "pending": 1}
    said = store.cli("copy", "-t", tenant, "--search", 'subject:"Letter 2"', "--to", "Archive").stdout
    assert said == "1 copied; the next sync tells the server (1 pending)\n"
    shown = store.json("show", "-t", tenant, first)
    assert [each["name"] for each in shown["folders"]] == ["Archive"]
    assert [(each["kind"], each["state"]) for each in shown["pending"]] == [
        ("mark", "pending"),
        ("move", "pending"),
    ]
    assert len(store.json("search", "-t", tenant, "in:archive")["items"]) == 2
    assert len(store.json("search", "-t", tenant, "in:inbox")["items"]) == 5
    waiting = store.json("pending", "-t", tenant)["items"]
    assert [each["kind"] for each in waiting] == ["mark", "mark", "move", "copy"]
    assert waiting[2]["to_folder"] == "Archive"
    assert store.json("verify", "-t", tenant, "-a", ME)["is_equal"]
    row = next(each for each in store.json("status")["accounts"] if each["tenant"] == tenant)
    assert (row["state"], row["changes_pending"], row["changes_refused"]) == ("ok", 4, 0)
    tally = _sync(store, tenant)
    assert (tally["pushed"], tally["refused"]) == (4, 0)
    assert store.cli("pending", "-t", tenant).stdout == "Nothing is pending: the servers know all.\n"
    assert store.json("show", "-t", tenant, first)["pending"] == []
    assert store.json("verify", "-t", tenant, "-a", ME, "--deep")["is_equal"]
    with dovecot.imap("alice") as imap:
        assert imap.select("Archive")[1] == [b"2"]


def test_mail_is_deleted_and_restored(store: Store, dovecot: Dovecot, tenant: str) -> None:
    gone = [_id(store, tenant, f'subject:"Letter {number}"') for number in range(3)]
    assert store.json("message", "delete", "-t", tenant, *gone[:2]) == {"deleted": 2, "pending": 2}
    assert store.json("message", "delete", "-t", tenant, gone[2], "--here-only") == {
        "deleted": 1,
        "pending": 0,
    }
    _sync(store, tenant)
    with dovecot.imap("alice") as imap:
        assert imap.select("Trash")[1] == [b"2"]
        assert imap.select("INBOX")[1] == [b"4"]
    assert store.json("message", "restore", "-t", tenant, *gone) == {"restored": 3, "pending": 2}
    _sync(store, tenant)
    with dovecot.imap("alice") as imap:
        assert imap.select("Trash")[1] == [b"0"]
        assert imap.select("INBOX")[1] == [b"6"]
    assert len(store.json("search", "-t", tenant, "in:inbox")["items"]) == 6


def test_folders_are_made_renamed_and_deleted(store: Store, dovecot: Dovecot, tenant: str) -> None:
    account = ("-t", tenant, "-a", ME)
    assert store.json("folder", "create", *account, "Work/2026")["pending"] == 1
    assert store.cli("folder", "create", *account, "Work/2026", check=False).returncode == 2
    store.cli("move", "-t", tenant, "--search", "Letter", "--to", "Work/2026")
    assert store.json("folder", "rename", *account, "Work/2026", "Jobs")["name"] == "Jobs"
    rows = {each["name"]: each for each in store.json("folder", "list", *account)["items"]}
    assert (rows["Jobs"]["total"], rows["Jobs"]["is_pending"], rows["INBOX"]["total"]) == (6, True, 0)
    _sync(store, tenant)
    with dovecot.imap("alice") as imap:
        assert imap.select("Jobs")[1] == [b"6"]
    done = store.cli("folder", "delete", *account, "Jobs").stdout
    assert (
        done
        == "Folder Jobs is deleted, 6 messages went to Trash; the next sync tells the server (7 pending)\n"
    )
    _sync(store, tenant)
    assert "Jobs" not in store.cli("folder", "list", *account).stdout
    with dovecot.imap("alice") as imap:
        assert imap.select("Trash")[1] == [b"6"]
        assert imap.select("Jobs")[0] == "NO"


def test_what_was_refused_is_wanted_again_or_dropped(store: Store, dovecot: Dovecot, tenant: str) -> None:
    first, second = (_id(store, tenant, f'subject:"Letter {number}"') for number in range(2))
    store.cli("folder", "create", "-t", tenant, "-a", ME, "Work")
    _sync(store, tenant)
    store.cli("folder", "create", "-t", tenant, "-a", ME, "not.there")
    store.cli("mark", "-t", tenant, first, "--flag")
    done = store.cli("sync", "-t", tenant, "-a", ME)
    assert "The server refused to create the folder not.there" in done.stderr
    (refused,) = store.json("pending", "-t", tenant)["items"]
    assert (refused["state"], refused["kind"]) == ("refused", "create_folder")
    assert refused["last_error"]
    assert "not.there" not in store.cli("folder", "list", "-t", tenant, "-a", ME).stdout
    (again,) = store.json("pending", "-t", tenant, "--retry", refused["id"])["items"]
    assert again["state"] == "pending"
    store.cli("mark", "-t", tenant, second, "--flag")
    mark = next(each for each in store.json("pending", "-t", tenant)["items"] if each["kind"] == "mark")
    assert len(store.json("pending", "-t", tenant, "--drop", mark["id"])["items"]) == 1
    assert not store.json("search", "-t", tenant, 'is:flagged subject:"Letter 1"')["items"]
    assert store.json("pending", "-t", tenant, "--drop", again["id"])["items"] == []
    assert store.cli("pending", "-t", tenant, "--drop", again["id"], check=False).returncode == 3


def test_where_no_server_is_the_change_is_here_only(store: Store, tmp_path: Any) -> None:
    name = store.tenant()
    (tmp_path / "one.eml").write_bytes(letter(1))
    store.cli("import", "-t", name, "-a", ME, str(tmp_path / "one.eml"))
    said = store.cli("mark", "-t", name, "--search", "Letter", "--read").stdout
    assert said == "1 marked, here only: there is no server to be told\n"
    store.cli("folder", "create", "-t", name, "-a", ME, "Work")
    assert store.json("move", "-t", name, "--search", "Letter", "--to", "Work") == {"moved": 1, "pending": 0}
    assert len(store.json("search", "-t", name, "in:Work")["items"]) == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ("mark", "0"),
        ("mark", "--read"),
        ("mark", "0", "--read", "--keyword", "two words"),
        ("move", "--search", "Letter", "--to", "INBOX", "0"),
    ],
)
def test_what_cannot_be_meant_is_said(store: Store, tenant: str, arguments: tuple[str, ...]) -> None:
    command, *more = arguments
    assert store.cli(command, "-t", tenant, *more, check=False).returncode == 2
