"""The account of every UID: what verify finds, what --repair mends, and what status says of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from postroom.sample import generate
from tests.flow.test_folders import EMAIL, account, letters, sync
from tests.support.dovecot import Dovecot
from tests.support.hostile_imap import HostileImap
from tests.support.site import Store
from tests.support.wiretap import Wiretap

MEMBERS = set(
    "kind version tenant account begun_at finished_at is_deep is_equal repaired folders signature".split()
)
KINDS = ("missing", "pending", "surplus", "flags", "content", "damaged")


class Mailbox:
    """An account that was brought in from Dovecot, looked at from both sides."""

    def __init__(self, store: Store, dovecot: Dovecot, tenant: str, wire: Wiretap) -> None:
        self.store, self.dovecot, self.tenant, self.wire = store, dovecot, tenant, wire

    def verify(self, *more: str, exit_code: int) -> dict[str, dict[str, list[int]]]:
        """The differences by folder, of folders that have some."""
        done = self.store.cli("verify", "-t", self.tenant, "-a", EMAIL, "--json", *more, check=False)
        assert done.returncode == exit_code, done.stderr
        found = json.loads(done.stdout)
        assert set(found) == MEMBERS
        assert found["is_equal"] == (exit_code == 0)
        differences = {}
        for folder in found["folders"]:
            assert tuple(folder["differences"]) == KINDS
            some = {kind: uids for kind, uids in folder["differences"].items() if uids}
            if some:
                differences[folder["name"]] = some
        return differences

    def tamper(self, statement: str) -> None:
        """Do something to the database behind the program's back; `{tenant}` is the tenant's id."""
        with self.store.connect("postgres") as connection:
            row = connection.execute(
                "select tenant_id from email_tenants where name = %s", [self.tenant]
            ).fetchone()
            assert row is not None
            cursor = connection.execute(statement.replace("{tenant}", f"'{row[0]}'").encode())
            assert cursor.rowcount > 0, statement

    def exported(self, tmp: Any) -> list[bytes]:
        self.store.cli("export", "-t", self.tenant, "-a", EMAIL, "-f", "eml", str(tmp))
        return sorted(path.read_bytes() for path in tmp.rglob("*.eml"))


@pytest.fixture
def mailbox(store: Store, dovecot: Dovecot) -> Iterator[Mailbox]:
    dovecot.fill("alice", "INBOX", letters(40, 61), flags=["\\Seen"])
    dovecot.fill("alice", "Work", letters(15, 62))
    with Wiretap(dovecot.imap_port) as wire:
        tenant = account(store, wire.port, dovecot.password("alice"))
        assert sync(store, tenant)["stored"] == 55
        yield Mailbox(store, dovecot, tenant, wire)


PLACED = (
    "p.tenant_id = {tenant} and p.uid = 7 and p.folder_id = (select id from email_folders"
    " where tenant_id = {tenant} and name = 'INBOX')"
)
ITS_MESSAGE = f"(select p.message_id from email_placements p where {PLACED})"


@pytest.mark.parametrize(
    ("statement", "kind"),
    [
        (f"delete from email_placements p where {PLACED}", "missing"),
        (f"delete from email_messages where tenant_id = {{tenant}} and id = {ITS_MESSAGE}", "missing"),
        (
            f"delete from email_search_entries where tenant_id = {{tenant}} and message_id = {ITS_MESSAGE}",
            "damaged",
        ),
        (
            f"delete from email_addresses where tenant_id = {{tenant}} and message_id = {ITS_MESSAGE}",
            "damaged",
        ),
        (f"update email_placements p set flags = '{{\\Flagged}}' where {PLACED}", "flags"),
        (f"update email_placements p set keywords = '{{$Forged}}' where {PLACED}", "flags"),
        (
            f"update email_messages set is_read = not is_read where tenant_id = {{tenant}} and id = {ITS_MESSAGE}",
            "flags",
        ),
        (
            f"update email_messages set is_deleted = true where tenant_id = {{tenant}} and id = {ITS_MESSAGE}",
            "flags",
        ),
        (
            "update email_blobs set data = set_byte(data, 20, (get_byte(data, 20) + 1) % 256)"
            " where tenant_id = {tenant} and sha256 = (select raw_blob from email_messages"
            f" where tenant_id = {{tenant}} and id = {ITS_MESSAGE})",
            "damaged",
        ),
    ],
)
def test_what_was_done_behind_the_programs_back_is_found_and_mended(
    mailbox: Mailbox, tmp_path: Any, statement: str, kind: str
) -> None:
    before = mailbox.exported(tmp_path / "before")
    assert mailbox.verify(exit_code=0) == {}
    mailbox.tamper(statement)
    assert mailbox.verify(exit_code=15) == {"INBOX": {kind: [7]}}
    assert mailbox.verify("--repair", exit_code=0) == {}
    assert mailbox.verify("--deep", exit_code=0) == {}
    assert mailbox.exported(tmp_path / "after") == before
    assert len(mailbox.store.json("search", "-t", mailbox.tenant, "-n", "100", "is:unread")["items"]) == 15
    with mailbox.store.connect("postgres") as connection:
        counted = connection.execute(
            "select f.name, total_count, unread_count from email_folders f join email_tenants t using (tenant_id)"
            " where t.name = %s and total_count > 0 order by f.name",
            [mailbox.tenant],
        ).fetchall()
    assert counted == [("INBOX", 40, 0), ("Work", 15, 15)]


def test_every_attachment_is_held_against_its_hash_and_fetched_again(store: Store, dovecot: Dovecot) -> None:
    with_parts = [each.raw for each in generate(120, 63) if b"Content-Disposition: attachment" in each.raw][
        :8
    ]
    assert with_parts
    dovecot.fill("alice", "INBOX", with_parts)
    with Wiretap(dovecot.imap_port) as wire:
        tenant = account(store, wire.port, dovecot.password("alice"))
        sync(store, tenant)
        mailbox = Mailbox(store, dovecot, tenant, wire)
        mailbox.tamper(
            "update email_blobs set data = set_byte(data, 20, (get_byte(data, 20) + 1) % 256)"
            " where tenant_id = {tenant} and sha256 in (select blob_hash from email_attachments"
            " where tenant_id = {tenant})"
        )
        found = mailbox.verify(exit_code=15)
        assert found["INBOX"].keys() == {"damaged"}
        assert mailbox.verify("--repair", exit_code=0) == {}
        mailbox.tamper("delete from email_attachments where tenant_id = {tenant}")
        assert mailbox.verify(exit_code=15).keys() == {"INBOX"}
        assert mailbox.verify("--repair", exit_code=0) == {}


def test_what_happened_on_the_server_since_is_found_and_followed(mailbox: Mailbox) -> None:
    mailbox.dovecot.fill("alice", "INBOX", letters(2, 64))
    with mailbox.dovecot.imap("alice") as imap:
        imap.select("INBOX")
        imap.store("3", "+FLAGS", "(\\Flagged)")
        imap.store("5", "+FLAGS", "(\\Deleted)")
        imap.expunge()
        imap.create("New")
        imap.copy("1:2", "New")
    found = mailbox.verify(exit_code=15)
    assert found == {
        "INBOX": {"missing": [41, 42], "surplus": [5], "flags": [3]},
        "New": {"missing": [1, 2]},
    }
    assert mailbox.verify("--repair", exit_code=0) == {}
    assert sync(mailbox.store, mailbox.tenant)["stored"] == 0


def test_verify_fetches_no_bodies_unless_it_is_told_to(mailbox: Mailbox) -> None:
    mailbox.wire.reset()
    mailbox.verify(exit_code=0)
    assert mailbox.wire.asked(r"BODY") == []
    mailbox.verify("--deep", exit_code=0)
    assert mailbox.wire.asked(r"BODY\.PEEK\[\]")


def test_a_person_reads_a_table_and_one_sentence(mailbox: Mailbox) -> None:
    mailbox.dovecot.fill("alice", "INBOX", letters(2, 64))
    done = mailbox.store.cli("verify", "-t", mailbox.tenant, "-a", EMAIL, check=False)
    assert done.returncode == 15
    assert [line.split() for line in done.stdout.splitlines() if "INBOX" in line] == [
        ["INBOX", "42", "40", "0", "0", "0", "0", "2", "missing"]
    ]
    assert done.stderr.startswith(f"postroom: {EMAIL} and its server differ in 2 places")
    assert f"postroom verify -t {mailbox.tenant} -a {EMAIL} --repair" in done.stderr
    mended = mailbox.store.cli("verify", "-t", mailbox.tenant, "-a", EMAIL, "--repair")
    assert "2 differences mended, 0 left" in mended.stdout


def test_what_was_found_is_signed_and_a_report_that_somebody_edited_is_found_out(
    mailbox: Mailbox, tmp_path: Any
) -> None:
    store, path = mailbox.store, tmp_path / "verified.json"
    asked = ("verify", "-t", mailbox.tenant, "-a", EMAIL, "--json")
    mailbox.dovecot.fill("alice", "INBOX", letters(2, 64))
    done = store.cli(*asked, check=False)
    assert done.returncode == 15
    path.write_text(done.stdout)
    said = store.json("report", "verify", str(path))
    assert said == {"kind": "postroom.verification", "key_id": said["key_id"], "valid": True}
    public_key = store.json("report", "key")["public_key"]
    assert store.json("report", "verify", str(path), "--key", public_key) == said
    for edit in (
        {"is_equal": True},
        {"account": "bob@example.test"},
        {"finished_at": "2020-01-01T00:00:00.000+00:00"},
        {"folders": [each for each in json.loads(done.stdout)["folders"] if each["name"] != "INBOX"]},
    ):
        path.write_text(json.dumps(json.loads(done.stdout) | edit))
        refused = store.cli("report", "verify", str(path), check=False)
        assert refused.returncode == 7, edit
        assert "it is not what was signed" in refused.stderr
    missing = store.cli(*asked, check=False, POSTROOM_SIGNING_KEY_FILE=str(tmp_path / "none.key"))
    assert (missing.returncode, missing.stdout) == (7, "")


@pytest.fixture
def server() -> Iterator[HostileImap]:
    with HostileImap(dict(enumerate(letters(12, 65), 1))) as made:
        yield made


def row(store: Store, tenant: str) -> dict[str, Any]:
    return next(each for each in store.json("status")["accounts"] if each["tenant"] == tenant)


def verified(store: Store, tenant: str, *more: str) -> dict[str, Any]:
    arguments = ("verify", "-t", tenant, "-a", EMAIL, "--json", *more)
    done = store.cli(*arguments, check=False, POSTROOM_IMAP_TIMEOUT_SECONDS="5")
    assert done.returncode in (0, 15), done.stderr
    return json.loads(done.stdout)


def test_bytes_that_are_others_on_the_server_are_found_by_a_deep_look_only(
    store: Store, server: HostileImap
) -> None:
    tenant = account(store, server.port, "secret")
    sync(store, tenant)
    body = server.messages[4]
    server.messages[4] = body[:-3] + bytes([body[-3] ^ 1]) + body[-2:]
    assert verified(store, tenant)["is_equal"]
    assert verified(store, tenant, "--deep")["folders"][0]["differences"]["content"] == [4]
    server.messages[5] += b"longer\r\n"
    found = verified(store, tenant)
    assert found["folders"][0]["differences"]["content"] == [5]  # its size says so
    assert verified(store, tenant, "--deep", "--repair")["is_equal"]
    counted = {"messages": 12, "stored": 12, "purged": 0, "pending": 0, "quarantined": 0, "gone": 0}
    found = row(store, tenant)
    assert found | counted | {"account": EMAIL, "state": "ok"} == found


def test_a_message_at_which_the_server_stalls_waits_in_quarantine_and_the_rest_is_here(
    store: Store, server: HostileImap
) -> None:
    server.tricks = {6: "stall", 9: "cut"}
    tenant = account(store, server.port, "secret")
    arguments = ("sync", "-t", tenant, "-a", EMAIL)
    done = store.cli(*arguments, check=False, POSTROOM_IMAP_TIMEOUT_SECONDS="1")
    assert done.returncode == 9
    found = row(store, tenant)
    assert (found["stored"], found["pending"], found["quarantined"], found["gone"]) == (10, 0, 2, 0)
    troubles = {each["uid"]: each["reason"] for each in troubles_of(store, tenant)}
    assert troubles[6] == "no answer for 1 seconds"
    assert all(each["raw_blob"] is not None for each in troubles_of(store, tenant))
    assert verified(store, tenant, "--repair")["is_equal"]  # what is in quarantine is accounted for
    server.messages[13] = letters(1, 66)[0]
    server.commands.clear()
    store.cli(*arguments, check=False, POSTROOM_IMAP_TIMEOUT_SECONDS="1")
    fetched = [command.split()[2] for command in server.commands if "BODY.PEEK[]" in command]
    assert row(store, tenant)["stored"] == 11, fetched
    server.tricks.clear()
    assert sync(store, tenant)["stored"] == 2
    found = row(store, tenant)
    assert (found["stored"], found["quarantined"], found["state"]) == (13, 0, "ok")


def test_what_the_server_lets_go_while_it_waits_is_gone_and_in_the_account(
    store: Store, server: HostileImap
) -> None:
    server.tricks = {6: "nil"}
    tenant = account(store, server.port, "secret")
    store.cli("sync", "-t", tenant, "-a", EMAIL, check=False)
    del server.messages[6], server.messages[2]
    assert sync(store, tenant)["vanished"] == 1
    found = row(store, tenant)
    assert (found["stored"], found["pending"], found["quarantined"], found["gone"]) == (10, 0, 0, 2)
    assert sum(found[name] for name in ("stored", "pending", "quarantined", "gone")) == 12


def test_a_run_that_ends_in_the_middle_leaves_the_rest_as_pending(store: Store, server: HostileImap) -> None:
    server.tricks = {1: "bye"}  # the newest come first: batches of three, and the last never comes
    tenant = account(store, server.port, "secret")
    done = store.cli("sync", "-t", tenant, "-a", EMAIL, check=False, POSTROOM_BATCH_MESSAGES="3")
    assert done.returncode == 6
    assert "asks for a pause until" in row(store, tenant)["state"]
    found = row(store, tenant)
    assert found["pending"] > 0
    assert found["stored"] + found["pending"] == 12
    table = verified(store, tenant)["folders"][0]
    assert table["differences"]["pending"] == list(range(1, found["pending"] + 1))
    assert table["differences"]["missing"] == []
    server.tricks.clear()
    assert verified(store, tenant, "--repair")["is_equal"]
    assert row(store, tenant)["stored"] == 12


def troubles_of(store: Store, tenant: str) -> list[dict[str, Any]]:
    with store.connect("postgres") as connection:
        rows = connection.execute(
            "select uid, reason, raw_blob from email_quarantine join email_tenants using (tenant_id)"
            " where name = %s and resolved_at is null",
            [tenant],
        ).fetchall()
    return [dict(zip(("uid", "reason", "raw_blob"), each, strict=True)) for each in rows]


def test_status_names_a_folder_that_is_gone_and_a_row_that_is_lost(mailbox: Mailbox) -> None:
    with mailbox.dovecot.imap("alice") as imap:
        imap.delete("Work")
    sync(mailbox.store, mailbox.tenant)
    found = row(mailbox.store, mailbox.tenant)
    assert "folder Work gone from the server since 20" in found["state"]
    assert (found["stored"], found["gone"]) == (40, 15)
    mailbox.tamper(f"delete from email_placements p where {PLACED}")
    assert (
        "INBOX is not what the server listed: postroom verify" in row(mailbox.store, mailbox.tenant)["state"]
    )


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (
            b"{tag} NO [AUTHENTICATIONFAILED] Invalid credentials\r\n",
            "refused the sign-in: Invalid credentials",
        ),
        (b"{tag} NO [LIMIT] Try again in 40 minutes\r\n", "asks for a pause until "),
        (b"* BYE Account exceeded command or bandwidth limits.\r\n", "asks for a pause until "),
    ],
)
def test_status_says_in_one_sentence_why_an_account_stands_still(
    store: Store, server: HostileImap, answer: bytes, says: str
) -> None:
    tenant = account(store, server.port, "secret")
    server.answers["AUTHENTICATE"] = answer
    store.cli("sync", "-t", tenant, "-a", EMAIL, check=False)
    assert says in row(store, tenant)["state"]


def test_what_was_imported_is_held_against_its_hashes_without_a_server(store: Store, tmp_path: Any) -> None:
    tenant = store.tenant()
    for number, letter in enumerate(letters(5, 67)):
        (tmp_path / f"{number}.eml").write_bytes(letter)
    store.cli("import", "-t", tenant, "-a", EMAIL, str(tmp_path))
    found = verified(store, tenant)
    assert found["is_equal"]
    assert [(each["server"], each["stored"]) for each in found["folders"]] == [(None, 5)]
    with store.connect("postgres") as connection:
        connection.execute(
            "update email_blobs b set data = set_byte(data, 20, (get_byte(data, 20) + 1) %% 256)"
            " from email_tenants t where t.tenant_id = b.tenant_id and t.name = %s",
            [tenant],
        )
    assert len(verified(store, tenant)["folders"][0]["differences"]["damaged"]) == 5
    done = store.cli("verify", "-t", tenant, "-a", EMAIL, "--repair", check=False)
    assert done.returncode == 15
    assert "restore it from a backup" in done.stderr


def test_what_was_removed_or_purged_here_is_no_difference_and_nothing_to_look_at(mailbox: Mailbox) -> None:
    store, tenant = mailbox.store, mailbox.tenant
    removed = store.json("message", "delete", "-t", tenant, "--search", "in:Work")["deleted"]
    assert removed == 15
    for purged in (0, removed):
        if purged:
            store.cli("tenant", "retention", tenant, "--keep-deleted", "0d")
            assert store.json("purge", "-t", tenant)["items"][0]["purged"] == removed
        assert mailbox.verify(exit_code=0) == {}
        assert mailbox.verify("--repair", exit_code=0) == {}
        found = row(store, tenant)
        assert (found["stored"], found["purged"], found["state"]) == (55 - purged, purged, "ok")
        mailbox.wire.reset()
        assert sync(store, tenant)["stored"] == 0
        assert mailbox.wire.asked(r"SELECT|EXAMINE") == []  # the numbers agree: no folder is opened
