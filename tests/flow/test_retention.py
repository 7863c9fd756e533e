"""Deleted mail is out of sight at once, comes back, is purged when its time is over, and stays while it is held."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg.errors import ForeignKeyViolation, RestrictViolation

from postroom.model import MessageId
from postroom.sample import generate
from postroom.store import accounts, holds
from postroom.store.database import TenantTx
from tests.flow.moving import started_before_the_end_of
from tests.support.dovecot import Dovecot
from tests.support.site import Store, running_store

ME = "me@example.com"


@pytest.fixture(scope="module")
def box(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("box") / "box"
    store.cli("sample", str(path), "--messages", "120")
    return path


@pytest.fixture
def tenant(store: Store, box: Path) -> str:
    """With 120 messages, whose deleted mail is purged by the next purge."""
    name = store.tenant()
    store.cli("import", "-t", name, "-a", ME, str(box))
    store.cli("tenant", "retention", name, "--keep-deleted", "0d")
    return name


class Rows:
    """What the tables say of a tenant, seen by an administrator."""

    def __init__(self, connection: psycopg.Connection[Any], tenant: str) -> None:
        self._connection = connection
        self.tenant_id: UUID = self.one("select tenant_id from email_tenants where name = %s", tenant)

    def one(self, question: str, *values: object) -> Any:
        row = self._connection.execute(question.encode(), values or None).fetchone()
        return row[0] if row else None

    def count(self, table: str, where: str = "true") -> int:
        return self.one(f"select count(*) from {table} where tenant_id = '{self.tenant_id}' and {where}")

    def miscounted(self) -> int:
        return self.one(
            "select count(*) from email_folders f where tenant_id = %s and (total_count, unread_count) <> (select"
            " count(*), count(*) filter (where not is_read) from email_placements p where p.tenant_id = f.tenant_id"
            " and p.folder_id = f.id and vanished_at is null and not is_hidden)",
            self.tenant_id,
        )

    def last_change(self) -> tuple[str, int]:
        row = self._connection.execute(
            b"select kind, cardinality(object_ids) from email_changes where tenant_id = %s and kind <> 'updated'"
            b" order by modseq desc limit 1",
            [self.tenant_id],
        ).fetchone()
        assert row
        return row


@pytest.fixture
def rows(store: Store, tenant: str) -> Iterator[Rows]:
    with store.connect("postgres") as connection:
        yield Rows(connection, tenant)


def _ids(store: Store, tenant: str, query: str = "") -> list[str]:
    return [each["id"] for each in store.json("search", "-t", tenant, query, "-n", "1000")["items"]]


def test_what_is_deleted_is_nowhere_to_be_found_and_comes_back(store: Store, tenant: str, rows: Rows) -> None:
    before = set(_ids(store, tenant))
    wanted = set(_ids(store, tenant, "has:attachment"))
    threads = rows.one(
        "select count(distinct thread_id) from email_messages where tenant_id = %s", rows.tenant_id
    )
    attachments = rows.count("email_attachments", "not is_deleted")
    total = rows.one("select sum(total_count) from email_folders where tenant_id = %s", rows.tenant_id)
    assert store.json("message", "delete", "-t", tenant, "--search", "has:attachment")["deleted"] == len(
        wanted
    )
    assert rows.last_change() == ("deleted", len(wanted))
    assert set(_ids(store, tenant)) == before - wanted
    assert rows.count("email_attachments", "not is_deleted") < attachments
    assert rows.miscounted() == 0
    one = min(wanted)
    assert store.cli("show", "-t", tenant, one, check=False).returncode == 3
    listed = store.json("message", "deleted", "-t", tenant, "-n", "1000")["items"]
    assert {each["id"] for each in listed} == wanted
    assert {each["by"] for each in listed} == {"user"}
    assert store.json("message", "delete", "-t", tenant, "--search", "has:attachment")["deleted"] == 0

    assert store.json("message", "restore", "-t", tenant, one)["restored"] == 1
    assert store.json("message", "restore", "-t", tenant, "--deleted-within", "1h")["restored"] == (
        len(wanted) - 1
    )
    assert set(_ids(store, tenant)) == before
    assert rows.last_change() == ("created", len(wanted) - 1)
    assert rows.count("email_attachments", "not is_deleted") == attachments
    assert rows.miscounted() == 0
    assert (
        rows.one("select sum(total_count) from email_folders where tenant_id = %s", rows.tenant_id) == total
    )
    assert threads == rows.one(
        "select count(distinct thread_id) from email_messages where tenant_id = %s", rows.tenant_id
    )


def test_a_purge_leaves_nothing_behind(store: Store, tenant: str, box: Path, rows: Rows) -> None:
    store.cli("message", "delete", "-t", tenant, "--search", "")
    (purged,) = store.json("purge", "-t", tenant)["items"]
    assert (purged["purged"], purged["held"]) == (120, 0)
    assert purged["stored_bytes"] > 0
    for table in (
        "messages",
        "placements",
        "addresses",
        "attachments",
        "search_entries",
        "thread_links",
        "blobs",
        "blob_pieces",
    ):
        assert rows.count(f"email_{table}") == 0, table
    assert rows.miscounted() == 0
    assert rows.last_change() == ("deleted", 120)
    newest = store.json("audit", "list", "-t", tenant, "-n", "1")["items"][0]
    assert (newest["action"], len(newest["before"]["messages"])) == ("message.purge", 120)
    assert store.json("import", "-t", tenant, "-a", ME, str(box))["stored"] == 120


def test_a_purge_takes_only_what_is_old_enough(store: Store, tenant: str, rows: Rows) -> None:
    store.cli("message", "delete", "-t", tenant, "--search", "has:attachment")
    for kept in ("1d", "forever"):
        store.cli("tenant", "retention", tenant, "--keep-deleted", kept)
        assert store.json("purge", "-t", tenant)["items"][0]["purged"] == 0
    store.cli("tenant", "retention", tenant, "--keep-deleted", "2d")
    rows.one(
        "with old as (update email_messages set deleted_at = deleted_at - 3 * 86400000 where tenant_id = %s and is_deleted"
        " and id in (select id from email_messages where is_deleted and tenant_id = %s order by id limit 2) returning id)"
        " select count(*) from old",
        rows.tenant_id,
        rows.tenant_id,
    )
    assert store.json("purge", "-t", tenant)["items"][0]["purged"] == 2


def test_bytes_that_others_need_stay(store: Store, tenant: str, box: Path, rows: Rows) -> None:
    """The same mail in two accounts of a tenant is kept once."""
    mine = _ids(store, tenant)
    store.cli("import", "-t", tenant, "-a", "other@example.com", str(box))
    store.cli("message", "delete", "-t", tenant, *mine[:5])
    (purged,) = store.json("purge", "-t", tenant)["items"]
    assert (purged["purged"], purged["blobs"]) == (5, 0)
    for message_id in _ids(store, tenant)[:20]:
        assert store.cli("show", "-t", tenant, message_id, "--raw").stdout


def test_objects_outside_the_database_go_with_their_mail(box: Path, tmp_path: Path) -> None:
    folder = tmp_path / "objects"
    with running_store(POSTROOM_BLOB_STORE=f"local:{folder}") as store:
        store.cli("tenant", "create", "acme")
        store.cli("import", "-t", "acme", "-a", ME, str(box))
        store.cli("tenant", "retention", "acme", "--keep-deleted", "0d")
        before = [each for each in folder.rglob("*") if each.is_file()]
        assert len(before) > 100
        store.cli("message", "delete", "-t", "acme", "--search", "")
        assert store.json("purge")["items"][0]["blobs"] == len(before)
    assert not [each for each in folder.rglob("*") if each.is_file()]


@pytest.mark.parametrize(
    ("scope", "options", "held"),
    [
        ("tenant", (), 120),
        ("account", ("--account", ME), 120),
        ("messages", ("--search", "has:attachment"), None),
    ],
)
def test_a_hold_wins_over_a_purge(
    store: Store, tenant: str, rows: Rows, scope: str, options: tuple[str, ...], held: int | None
) -> None:
    expected = len(_ids(store, tenant, "has:attachment")) if held is None else held
    added = store.json("hold", "add", "-t", tenant, "case-1", "--reason", "a case", *options)
    assert added == {"name": "case-1", "scope": scope, "messages": 0 if held else expected}
    (listed,) = store.json("hold", "list", "-t", tenant)["items"]
    assert (listed["name"], listed["scope"], listed["reason"]) == ("case-1", scope, "a case")
    store.cli("message", "delete", "-t", tenant, "--search", "")
    done = store.cli("purge", "-t", tenant, "--json", check=False)
    assert done.returncode == (13 if scope == "tenant" else 0)
    assert ("case-1" in done.stderr) == (scope == "tenant")
    assert rows.count("email_messages") == expected
    with store.connect("email_worker") as connection:
        connection.execute(f"set app.current_tenant_id = '{rows.tenant_id}'".encode())
        with pytest.raises((RestrictViolation, ForeignKeyViolation)):
            connection.execute(b"delete from email_messages")
    store.cli("hold", "release", "-t", tenant, "case-1")
    assert store.json("purge", "-t", tenant)["items"][0]["purged"] == expected
    assert rows.count("email_messages") == 0
    assert store.cli("hold", "release", "-t", tenant, "case-1", check=False).returncode == 3


def test_a_hold_needs_a_name_of_its_own_and_mail(store: Store, tenant: str, rows: Rows) -> None:
    store.cli("hold", "add", "-t", tenant, "case-1")
    for arguments in (("case-1",), ("Case 2",), ("case-2", "--search", "nosuchword")):
        assert store.cli("hold", "add", "-t", tenant, *arguments, check=False).returncode == 2


def test_what_is_imported_again_stays_deleted(store: Store, tenant: str, box: Path, rows: Rows) -> None:
    gone = _ids(store, tenant, "has:attachment")
    store.cli("message", "delete", "-t", tenant, "--search", "has:attachment")
    assert store.json("import", "-t", tenant, "-a", ME, str(box))["stored"] == 0
    assert not set(gone) & set(_ids(store, tenant))
    assert rows.miscounted() == 0


def _sync(store: Store, dovecot: Dovecot, tenant: str, *more: str) -> Any:
    return store.json("sync", "-t", tenant, "-a", ME, *more, POSTROOM_CA_FILE=str(dovecot.ca_file))


@pytest.fixture
def synced(store: Store, dovecot: Dovecot) -> str:
    """A tenant whose account has 20 messages on a server."""
    name = store.tenant()
    dovecot.fill("alice", "INBOX", [each.raw for each in generate(20, 5)])
    where = ("--host", "localhost", "--port", str(dovecot.imaps_port), "--username", "alice")
    password = dovecot.password("alice") + "\n"
    store.cli("account", "add", "-t", name, "--email", ME, *where, "--password-stdin", stdin=password)
    assert _sync(store, dovecot, name)["stored"] == 20
    store.cli("tenant", "retention", name, "--keep-deleted", "0d")
    return name


def test_what_a_server_still_has_does_not_come_back(store: Store, dovecot: Dovecot, synced: str) -> None:
    gone = _ids(store, synced)[:4]
    store.cli("message", "delete", "-t", synced, "--here-only", *gone)
    with dovecot.imap("alice") as imap:
        imap.select("INBOX")
        imap.store("1:20", "+FLAGS", "(\\Flagged)")
        imap.copy("1:20", "Archive")
    tally = _sync(store, dovecot, synced)
    assert (tally["stored"], tally["vanished"]) == (0, 0)
    assert not set(gone) & set(_ids(store, synced))
    assert store.json("purge", "-t", synced)["items"][0]["purged"] == 4
    dovecot.fill("alice", "INBOX", [each.raw for each in generate(3, 6)])
    assert _sync(store, dovecot, synced)["stored"] == 3
    assert len(_ids(store, synced)) == 19
    with store.connect("postgres") as connection:
        assert Rows(connection, synced).miscounted() == 0
        assert Rows(connection, synced).count("email_purged_uids") == 8


def test_what_a_server_let_go_is_restored_into_a_folder_of_ours(
    store: Store, dovecot: Dovecot, synced: str
) -> None:
    with dovecot.imap("alice") as imap:
        imap.select("INBOX")
        imap.store("1:3", "+FLAGS", "(\\Deleted)")
        imap.expunge()
    _sync(store, dovecot, synced)
    items = store.json("message", "deleted", "-t", synced)["items"]
    assert [each["by"] for each in items] == ["server"] * 3
    assert store.json("message", "restore", "-t", synced, *(each["id"] for each in items))["restored"] == 3
    assert _sync(store, dovecot, synced)["vanished"] == 0
    for each in items:
        folders = store.json("show", "-t", synced, each["id"])["folders"]
        assert [folder["name"] for folder in folders] == ["Restored by Postroom"]
    assert len(_ids(store, synced)) == 20


def test_a_hold_by_a_search_takes_what_is_deleted_as_well(store: Store, tenant: str, rows: Rows) -> None:
    wanted = set(_ids(store, tenant, "has:attachment"))
    store.cli("message", "delete", "-t", tenant, *sorted(wanted)[:3])
    added = store.json("hold", "add", "-t", tenant, "case-1", "--search", "has:attachment")
    assert added["messages"] == len(wanted)
    store.cli("message", "delete", "-t", tenant, "--search", "")
    done = store.json("purge", "-t", tenant)["items"][0]
    assert (done["purged"], done["held"]) == (120 - len(wanted), len(wanted))
    assert rows.count("email_messages") == len(wanted)


@pytest.mark.parametrize("scope", ["tenant", "account", "messages"])
def test_a_purge_skips_what_is_held_while_it_is_under_way(
    store: Store, tenant: str, rows: Rows, scope: str
) -> None:
    wanted = [MessageId(UUID(each)) for each in _ids(store, tenant, "has:attachment")]
    store.cli("message", "delete", "-t", tenant, "--search", "")

    async def hold(tx: TenantTx) -> None:
        account = (await accounts.by_email(tx, ME)).id if scope == "account" else None
        await holds.add(tx, "case-1", account_id=account, message_ids=wanted if scope == "messages" else None)

    purging = started_before_the_end_of(store, rows.tenant_id, hold, "purge", "-t", tenant, "--json")
    out, err = purging.communicate()
    assert (purging.returncode, err) == (0, "")
    (done,) = json.loads(out)["items"]
    left = len(wanted) if scope == "messages" else 120
    assert (done["purged"], done["held"]) == (120 - left, left)
    assert rows.count("email_messages") == left
