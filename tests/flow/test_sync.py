"""A real Dovecot, followed: new mail, flags, deletions, and the things that must not delete anything."""

from __future__ import annotations

import random
import subprocess
import time
from pathlib import Path
from typing import Any

from postroom.sample import generate
from tests.support.dovecot import Dovecot, make_certificate
from tests.support.site import Store
from tests.threads.lists import MailingList

EMAIL = "alice@example.test"


def _account(store: Store, dovecot: Dovecot, user: str) -> str:
    tenant = store.tenant()
    options = ("--email", EMAIL, "--host", "localhost", "--port", str(dovecot.imaps_port), "--username", user)
    store.cli(
        "account", "add", "-t", tenant, *options, "--password-stdin", stdin=dovecot.password(user) + "\n"
    )
    return tenant


def _sync(store: Store, dovecot: Dovecot, tenant: str, *more: str) -> Any:
    return store.json("sync", "-t", tenant, "-a", EMAIL, *more, POSTROOM_CA_FILE=str(dovecot.ca_file))


def _fill(dovecot: Dovecot, count: int, seed: int) -> None:
    dovecot.fill("alice", "INBOX", [each.raw for each in generate(count, seed)])


def test_the_store_follows_the_server(store: Store, dovecot: Dovecot) -> None:
    _fill(dovecot, 60, 7)
    tenant = _account(store, dovecot, "alice")
    assert _sync(store, dovecot, tenant)["stored"] == 60
    assert _sync(store, dovecot, tenant) | {"seconds": 0} == dict.fromkeys(
        (
            "stored",
            "already_there",
            "quarantined",
            "vanished",
            "reflagged",
            "pushed",
            "refused",
            "seconds",
        ),
        0,
    )
    with dovecot.imap("alice") as imap:
        imap.select("INBOX")
        imap.store("1:3", "+FLAGS", "(\\Deleted)")
        imap.expunge()
        imap.store("1:5", "+FLAGS", "(\\Flagged)")
        imap.copy("10:12", "Archive")
    tally = _sync(store, dovecot, tenant)
    assert (tally["stored"], tally["vanished"], tally["reflagged"], tally["already_there"]) == (0, 3, 5, 3)
    assert len(store.json("search", "-t", tenant, "-n", "100")["items"]) == 57
    assert len(store.json("search", "-t", tenant, "-n", "100", "is:flagged")["items"]) == 5
    twice = store.json("search", "-t", tenant, "-n", "100", "in:archive in:inbox")["items"]
    assert len(twice) == 3
    shown = store.json("show", "-t", tenant, twice[0]["id"])
    assert [folder["name"] for folder in shown["folders"]] == ["Archive", "INBOX"]


def test_a_suddenly_empty_folder_deletes_nothing_by_itself(store: Store, dovecot: Dovecot) -> None:
    _fill(dovecot, 20, 8)
    tenant = _account(store, dovecot, "alice")
    _sync(store, dovecot, tenant)
    with dovecot.imap("alice") as imap:
        imap.select("INBOX")
        imap.store("1:*", "+FLAGS", "(\\Deleted)")
        imap.expunge()
    held = store.cli("sync", "-t", tenant, "-a", EMAIL, check=False, POSTROOM_CA_FILE=str(dovecot.ca_file))
    assert held.returncode == 9
    assert "--accept-empty" in held.stderr
    assert len(store.json("search", "-t", tenant, "-n", "100")["items"]) == 20
    assert _sync(store, dovecot, tenant, "--accept-empty")["vanished"] == 20
    assert store.json("search", "-t", tenant)["items"] == []


def test_a_wrong_password_and_an_unknown_certificate_are_said(store: Store, dovecot: Dovecot) -> None:
    tenant = _account(store, dovecot, "alice")
    done = store.cli("sync", "-t", tenant, "-a", EMAIL, check=False)
    assert done.returncode == 5
    assert "certificate" in done.stderr
    options = (
        "--email",
        EMAIL,
        "--host",
        "localhost",
        "--port",
        str(dovecot.imaps_port),
        "--username",
        "alice",
    )
    store.cli("account", "add", "-t", tenant, *options, "--password-stdin", stdin="wrong\n")
    done = store.cli("sync", "-t", tenant, "-a", EMAIL, check=False, POSTROOM_CA_FILE=str(dovecot.ca_file))
    assert done.returncode == 5
    assert "refused the sign-in" in done.stderr
    assert "wrong" not in done.stderr.replace("wrong password", "")


def test_a_renumbered_folder_is_matched_again_and_nothing_is_stored_twice(
    store: Store, dovecot: Dovecot
) -> None:
    letters = [each.raw for each in generate(25, 10)]
    dovecot.fill("alice", "Work", letters)
    tenant = _account(store, dovecot, "alice")
    assert _sync(store, dovecot, tenant)["stored"] == 25
    with dovecot.imap("alice") as imap:
        imap.delete("Work")
    time.sleep(1.1)  # UIDVALIDITY is the second of the folder's making
    dovecot.fill("alice", "Work", letters)
    tally = _sync(store, dovecot, tenant)
    assert (tally["stored"], tally["already_there"]) == (0, 25)
    assert len(store.json("search", "-t", tenant, "-n", "100", "in:Work")["items"]) == 25
    with store.connect("postgres") as connection:
        row = connection.execute(
            "select count(*), count(distinct p.uidvalidity) from email_placements p"
            " join email_tenants t using (tenant_id) where t.name = %s and p.vanished_at is null",
            [tenant],
        ).fetchone()
    assert row == (25, 1)


def test_threads_are_of_the_messages_that_are_there_whatever_was_there_before(
    store: Store, dovecot: Dovecot
) -> None:
    letters = MailingList(21).messages(80)
    dovecot.fill("alice", "INBOX", letters)
    tenant = _account(store, dovecot, "alice")
    _sync(store, dovecot, tenant)
    whole = _threads(store, tenant)
    rng = random.Random(3)
    gone = sorted(rng.sample(range(1, 81), 30))
    with dovecot.imap("alice") as imap:
        imap.select("INBOX")
        imap.store(",".join(map(str, gone)), "+FLAGS", "(\\Deleted)")
        imap.expunge()
    assert _sync(store, dovecot, tenant)["vanished"] == 30
    fresh = _account(store, dovecot, "alice")
    _sync(store, dovecot, fresh)
    assert len(_threads(store, tenant)) < len(whole)
    assert _threads(store, tenant) == _threads(store, fresh)
    dovecot.fill("alice", "INBOX", [letters[number - 1] for number in gone])
    assert _sync(store, dovecot, tenant)["already_there"] == 30
    assert _threads(store, tenant) == whole


def _threads(store: Store, tenant: str) -> set[frozenset[bytes]]:
    """Which living messages, known by their hashes, are in a thread together."""
    with store.connect("postgres") as connection:
        rows = connection.execute(
            "select array_agg(content_hash) from email_messages m join email_tenants t using (tenant_id)"
            " where t.name = %s and not m.is_deleted group by thread_id",
            [tenant],
        ).fetchall()
    return {frozenset(hashes) for (hashes,) in rows}


def test_an_account_is_trusted_by_its_own_certificates(
    store: Store, dovecot: Dovecot, tmp_path: Path
) -> None:
    _fill(dovecot, 5, 11)
    tenant, bundle = store.tenant(), tmp_path / "bundle.pem"
    key = (dovecot.ca_file.parent / "key.pem").read_text()
    bundle.write_text(f"Ours\n{dovecot.ca_file.read_text()}{key}")
    server = (
        "--host",
        "localhost",
        "--port",
        str(dovecot.imaps_port),
        "--username",
        "alice",
        "--password-stdin",
    )

    def add(*more: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        options = ("account", "add", "-t", tenant, "--email", EMAIL, *server, *more)
        return store.cli(*options, stdin=dovecot.password("alice") + "\n", check=check)

    add("--ca-file", str(bundle))
    bundle.unlink()
    with store.connect("postgres") as connection:
        row = connection.execute(b"select ca_pem from email_accounts where ca_pem is not null").fetchone()
    assert row
    assert row[0].startswith("-----BEGIN CERTIFICATE-----")
    assert "KEY" not in row[0]
    assert store.json("sync", "-t", tenant, "-a", EMAIL)["stored"] == 5
    # The account's own certificates, and not those of the settings.
    other = make_certificate(tmp_path)
    store.cli("sync", "-t", tenant, "-a", EMAIL, POSTROOM_CA_FILE=str(other))
    add("--ca-file", str(other))
    refused = store.cli("sync", "-t", tenant, "-a", EMAIL, check=False, POSTROOM_CA_FILE=str(dovecot.ca_file))
    assert (refused.returncode, "--ca-file" in refused.stderr) == (5, True), refused.stderr
    add()
    store.cli("sync", "-t", tenant, "-a", EMAIL, POSTROOM_CA_FILE=str(dovecot.ca_file))
    (tmp_path / "empty.pem").write_text("nothing")
    for name, says in (("empty.pem", "holds no certificates"), ("missing.pem", "cannot be read")):
        done = add("--ca-file", str(tmp_path / name), check=False)
        assert (done.returncode, says in done.stderr) == (2, True), done.stderr
