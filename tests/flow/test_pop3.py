"""A POP3 account, whole: fetched once, kept on the server or not, and never lost in between."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from typing import Any

from postroom.sample import generate
from tests.support.dovecot import Dovecot
from tests.support.hostile_pop3 import SECRET, HostilePop3
from tests.support.site import Store
from tests.wire.contract import letter

EMAIL = "alice@example.test"
NOTHING = dict.fromkeys(("stored", "already_there", "quarantined", "vanished", "reflagged"), 0)


def _account(store: Store, dovecot: Dovecot, *options: str) -> str:
    tenant = store.tenant()
    _add(store, tenant, "localhost", dovecot.pop3s_port, dovecot.password("alice"), "tls", *options)
    return tenant


def _add(
    store: Store, tenant: str, host: str, port: int, password: str, encryption: str, *options: str
) -> None:
    place = ("--host", host, "--port", str(port), "--username", "alice", "--encryption", encryption)
    store.cli(
        *("account", "add", "-t", tenant, "--email", EMAIL, "--protocol", "pop3", *place, *options),
        "--password-stdin",
        stdin=password + "\n",
    )


def _sync(store: Store, tenant: str, dovecot: Dovecot | None = None) -> Any:
    trust = {"POSTROOM_CA_FILE": str(dovecot.ca_file)} if dovecot else {}
    tally = store.json("sync", "-t", tenant, "-a", EMAIL, **trust)
    del tally["seconds"]
    return tally


def _on_server(dovecot: Dovecot) -> int:
    with dovecot.imap("alice") as imap:
        return int((imap.select("INBOX", readonly=True)[1][0] or b"0").decode())


def _fill(dovecot: Dovecot, count: int, seed: int) -> None:
    dovecot.fill("alice", "INBOX", [each.raw for each in generate(count, seed)])


def _rows(store: Store, tenant: str) -> tuple[int, int]:
    with store.connect("postgres") as connection:
        row = connection.execute(
            "select count(*), count(distinct p.uid) from email_placements p"
            " join email_messages m on m.tenant_id = p.tenant_id and m.id = p.message_id"
            " join email_tenants t on t.tenant_id = p.tenant_id"
            " where t.name = %s and p.vanished_at is null and not m.is_deleted",
            [tenant],
        ).fetchone()
    assert row
    return row[0], row[1]


def test_everything_comes_once_and_stays_on_the_server_unless_told_otherwise(
    store: Store, dovecot: Dovecot
) -> None:
    _fill(dovecot, 40, 3)
    tenant = _account(store, dovecot)
    assert _sync(store, tenant, dovecot) == NOTHING | {"stored": 40}
    assert _sync(store, tenant, dovecot) == NOTHING
    dovecot.fill("alice", "INBOX", [letter(1), letter(2)])
    assert _sync(store, tenant, dovecot) == NOTHING | {"stored": 2}
    assert _on_server(dovecot) == 42


def test_what_leaves_the_server_stays_here(store: Store, dovecot: Dovecot) -> None:
    _fill(dovecot, 10, 4)
    tenant = _account(store, dovecot)
    _sync(store, tenant, dovecot)
    with dovecot.imap("alice") as imap:
        imap.select("INBOX")
        imap.store("1:*", "+FLAGS", "(\\Deleted)")
        imap.expunge()
    assert _sync(store, tenant, dovecot) == NOTHING
    assert _rows(store, tenant) == (10, 10)


def test_what_was_deleted_and_purged_here_does_not_come_again(store: Store, dovecot: Dovecot) -> None:
    _fill(dovecot, 10, 4)
    tenant = _account(store, dovecot)
    _sync(store, tenant, dovecot)
    store.cli("message", "delete", "-t", tenant, "--search", "")
    store.cli("tenant", "retention", tenant, "--keep-deleted", "0d")
    assert store.json("purge", "-t", tenant)["items"][0]["purged"] == 10
    assert _sync(store, tenant, dovecot) == NOTHING
    assert _rows(store, tenant) == (0, 0)


def test_keep_on_server_0_deletes_what_was_stored(store: Store, dovecot: Dovecot) -> None:
    _fill(dovecot, 25, 5)
    tenant = _account(store, dovecot, "--keep-on-server", "0")
    assert _sync(store, tenant, dovecot) == NOTHING | {"stored": 25, "removed": 25}
    assert _on_server(dovecot) == 0
    assert _sync(store, tenant, dovecot) == NOTHING | {"removed": 0}
    assert _rows(store, tenant) == (25, 25)


def test_keep_on_server_for_days_deletes_what_was_stored_so_long_ago(store: Store, dovecot: Dovecot) -> None:
    _fill(dovecot, 6, 6)
    tenant = _account(store, dovecot, "--keep-on-server", "14")
    assert _sync(store, tenant, dovecot) == NOTHING | {"stored": 6, "removed": 0}
    with store.connect("postgres") as connection:
        days = 24 * 60 * 60 * 1000
        aged = connection.execute(
            "update email_placements p set created_at = p.created_at - case when p.uid = any (array("
            " select q.uid from email_placements q where q.tenant_id = p.tenant_id order by q.uid limit 4))"
            " then %s else %s end from email_tenants t where t.tenant_id = p.tenant_id and t.name = %s",
            [14 * days + 1000, 13 * days, tenant],
        )
        assert aged.rowcount == 6
    assert _sync(store, tenant, dovecot) == NOTHING | {"removed": 4}
    assert _on_server(dovecot) == 2
    assert _rows(store, tenant) == (6, 6)


def test_what_could_not_be_read_stays_on_the_server_and_comes_later(store: Store) -> None:
    letters = [letter(n) for n in range(1, 6)]
    with HostilePop3(letters, tricks={2: "refuse"}) as server:
        tenant = store.tenant()
        _add(store, tenant, "127.0.0.1", server.port, SECRET, "none", "--keep-on-server", "0")
        done = store.cli("sync", "-t", tenant, "-a", EMAIL, check=False)
        assert done.returncode == 9
        assert "4 stored" in done.stdout
        assert "4 deleted on the server" in done.stdout
        assert list(server.messages) == [2]
        server.tricks.clear()
        assert _sync(store, tenant) == NOTHING | {"stored": 1, "removed": 1}
        assert server.messages == {}
    assert _rows(store, tenant) == (5, 5)


def test_a_session_that_breaks_before_it_ends_has_lost_and_doubled_nothing(store: Store) -> None:
    """The server hears every DELE and no QUIT: it keeps its mail, we keep ours, the next run deletes it."""
    with HostilePop3([letter(n) for n in range(1, 6)]) as server:
        server.answers["QUIT"] = b""
        tenant = store.tenant()
        _add(store, tenant, "127.0.0.1", server.port, SECRET, "none", "--keep-on-server", "0")
        done = store.cli("sync", "-t", tenant, "-a", EMAIL, check=False)
        assert done.returncode == 6
        assert len(server.messages) == 5
        assert _rows(store, tenant) == (5, 5)
        server.answers.clear()
        assert _sync(store, tenant) == NOTHING | {"removed": 5}
        assert server.messages == {}
    assert _rows(store, tenant) == (5, 5)


def test_kill_9_at_any_moment_loses_and_doubles_nothing(store: Store, dovecot: Dovecot) -> None:
    """Each run deletes on the server what it stored: at every moment a message is there, or here, or both."""
    count = 800
    _fill(dovecot, count, 9)
    tenant = _account(store, dovecot, "--keep-on-server", "0")
    rng = random.Random(5)
    env = os.environ | {"POSTROOM_HOME": str(store.home), "POSTROOM_CA_FILE": str(dovecot.ca_file)}
    env["POSTROOM_BATCH_MESSAGES"] = "40"
    program = [
        sys.executable,
        "-c",
        "from postroom.cli import main; main()",
        "sync",
        "-t",
        tenant,
        "-a",
        EMAIL,
    ]
    for _ in range(5):
        running = subprocess.Popen(program, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(0.4 + rng.random())
        running.kill()
        running.wait()
    _sync(store, tenant, dovecot)
    assert _on_server(dovecot) == 0
    assert _rows(store, tenant) == (count, count)


def test_an_account_does_not_change_its_protocol_under_its_mail(store: Store, dovecot: Dovecot) -> None:
    tenant = _account(store, dovecot)
    _sync(store, tenant, dovecot)
    place = ("--email", EMAIL, "--host", "localhost", "--protocol", "imap", "--password-stdin")
    done = store.cli("account", "add", "-t", tenant, *place, stdin="x\n", check=False)
    assert done.returncode == 2
    assert "came by pop3" in done.stderr
