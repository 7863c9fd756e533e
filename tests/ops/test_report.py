"""The report on PostgreSQL 16, 17 and 18, on an empty server and on a busy one; and the end of idle sessions."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from postroom.ops.report import SECTIONS, chosen_sections, end_idle, report
from tests.support.majors import MAJORS, programs_of
from tests.support.site import Store, running_store


@pytest.fixture(scope="module", params=MAJORS)
def server(request: pytest.FixtureRequest) -> Iterator[Store]:
    with running_store(POSTROOM_POSTGRES_BIN=str(programs_of(request.param))) as store:
        yield store


def _rows(store: Store, name: str) -> list[dict[str, Any]]:
    return report(store.site.url("postgres"), chosen_sections([name]))[name]


def _until(rows: Callable[[], list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """What is there as soon as something is."""
    for _ in range(100):
        if found := rows():
            return found
        time.sleep(0.05)
    raise AssertionError("nothing came")


def test_an_empty_server_has_a_report(server: Store) -> None:
    found = server.json("db", "report")
    assert list(found) == [each.name for each in SECTIONS]
    assert found["archiving"][0]["state"] == "off"
    assert found["locks"] == found["duplicate-indexes"] == found["tenants"] == []
    printed = server.cli("db", "report").stdout
    assert all(each.title in printed for each in SECTIONS)


def test_a_busy_server_has_a_report(server: Store) -> None:
    tenant = server.tenant()
    with server.connect("postgres") as holder, server.connect("postgres") as waiter:
        holder.execute(
            b"create table busy (x int); create index busy_x on busy (x); create index busy_y on busy (x)"
        )
        holder.execute(b"insert into busy select generate_series(1, 1000); delete from busy where x > 10")
        holder.execute(b"select pg_stat_force_next_flush()")
        holder.execute(b"begin; lock table busy")
        waiting = threading.Thread(target=waiter.execute, args=(b"select count(*) from busy",))
        waiting.start()
        try:
            (lock,) = _until(lambda: _rows(server, "locks"))
            slow = _until(lambda: _rows(server, "long-queries"))
        finally:
            holder.execute(b"commit")
            waiting.join()
        assert (lock["pid"], lock["blocked_by"]) == (waiter.info.backend_pid, holder.info.backend_pid)
        assert lock["lock"] == "AccessShareLock on busy"
        assert lock["blocker_query"] == "begin; lock table busy"
        assert {row["query"] for row in slow} <= {"begin; lock table busy", "select count(*) from busy"}
        (twin,) = _rows(server, "duplicate-indexes")
        assert (twin["index_name"], twin["covered_by"], twin["how"]) == ("busy_y", "busy_x", "the same")
        (bloated,) = (row for row in _rows(server, "tables") if row["table_name"] == "busy")
        assert bloated["dead_rows"] == 990
        assert [row["tenant"] for row in _rows(server, "tenants")] == [tenant]
        holder.execute(b"drop table busy")


def test_without_pg_stat_statements_the_report_says_so(server: Store) -> None:
    with server.connect("postgres") as connection:
        connection.execute(b"begin; drop extension pg_stat_statements")
        rows = connection.execute(b"select note from pg_slow_statements()").fetchall()
        connection.execute(b"rollback")
    assert rows == [("pg_stat_statements is not installed: create extension pg_stat_statements",)]
    assert _until(lambda: _rows(server, "slow-statements"))[0]["note"] is None


def test_the_application_may_not_look_and_a_watcher_may(server: Store) -> None:
    with server.connect("postgres") as connection:
        connection.execute(b"create role watcher login password 'w' in role pg_monitor")
        connection.execute(b"grant connect on database email_service to watcher")
    parts = server.site.url("postgres").rpartition("@")
    watcher = f"postgresql://watcher:w@{parts[2]}"
    everything_but_tenants = SECTIONS[:-1]
    assert report(watcher, everything_but_tenants)["slow-statements"][0]["note"] is None
    with psycopg.connect(watcher) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("select * from email_tenant_sizes()")
    with psycopg.connect(watcher) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("select count(*) from email_messages")
    with server.connect("email_service") as connection:
        for each in (*SECTIONS, "pg_stat_statements", "pg_stat_statements(true)"):
            what = each if isinstance(each, str) else each.query.text.split("from ")[-1].split()[0]
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(f"select * from {what}".encode())


def test_idle_sessions_are_ended_and_named_and_a_standbys_is_not(server: Store) -> None:
    url = server.site.url("postgres")
    standby = psycopg.pq.PGconn.connect(f"{url}?replication=true".encode())
    assert standby.exec_(b"IDENTIFY_SYSTEM").status == psycopg.pq.ExecStatus.TUPLES_OK
    with server.connect("email_service") as idle, server.connect("email_service") as open_transaction:
        open_transaction.execute(b"begin; select 1")
        time.sleep(0.2)
        assert end_idle(url, seconds=3600) == []
        done = server.json("db", "kill-idle", "--older-than", "0s")
        ended = {row["pid"]: row["state"] for row in done["items"]}
        assert ended == {
            idle.info.backend_pid: "idle",
            open_transaction.info.backend_pid: "idle in transaction",
        }
        for gone in (idle, open_transaction):
            with pytest.raises(psycopg.OperationalError):
                gone.execute(b"select 1")
    assert standby.exec_(b"IDENTIFY_SYSTEM").status == psycopg.pq.ExecStatus.TUPLES_OK
    standby.finish()
    assert "No session has been idle for 1d." in server.cli("db", "kill-idle", "--older-than", "1d").stdout


def test_a_section_or_a_time_that_is_none_is_refused(server: Store) -> None:
    refused = server.cli("db", "report", "--section", "nonsense", check=False)
    assert refused.returncode == 2
    assert "there are connections, long-queries" in refused.stderr
    assert server.cli("db", "kill-idle", "--older-than", "soon", check=False).returncode == 2
