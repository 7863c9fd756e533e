"""What the server tells beside the tables: statistics, statements of other sessions, locks, large objects."""

from __future__ import annotations

import psycopg
import pytest

from tests.leaks.expected import CROSSES_TENANTS, SEES_ALL_ROWS, sees
from tests.leaks.fill import OTHER, OWN
from tests.leaks.matrix import BOUND
from tests.leaks.outcome import Visit
from tests.leaks.places import Place
from tests.leaks.surroundings import ask_for_all, functions, neighbour, relations, shows_the_neighbour

MINE = f"set local app.current_tenant_id = '{OWN.id}'"
DENIED = [
    "select count(*) from pg_stat_activity",
    "select pg_stat_get_backend_activity(n) from pg_stat_get_backend_idset() n",
    "select n_live_tup, n_tup_ins from pg_stat_user_tables",
    "select pg_stat_get_tuples_inserted('email_messages'::regclass)",
    "select tup_inserted from pg_stat_database",
    "select heap_blks_read from pg_statio_user_tables",
    "select idx_scan from pg_stat_user_indexes",
    "select pg_relation_size('email_messages')",
    "select pg_total_relation_size('email_messages')",
    "select pg_database_size(current_database())",
    "select * from pg_locks",
    "select query from pg_stat_statements",
    "select query from pg_stat_statements(true)",
    "select pg_terminate_backend(pid) from generate_series(1, 99999) pid",
    "select pg_cancel_backend(1)",
    "select lo_from_bytea(0, 'x')",
    "select lo_create(0)",
    "select * from pg_largeobject",
    "select * from pg_statistic",
    "select * from pg_authid",
    "select pg_read_file('postgresql.conf')",
    "copy (select 1) to program 'true'",
    "copy (select 1) to '/tmp/postroom-never'",
]
EMPTY = [
    "select * from pg_stats where schemaname = 'public' and tablename in"
    " (select relname from pg_class where relrowsecurity)",
    "select * from pg_stats_ext",
    "select * from pg_stats_ext_exprs",
    "select * from pg_sequences",
    "select * from pg_largeobject_metadata",
]


def test_no_catalog_shows_what_another_session_does(each_place: Place) -> None:
    told = list[str]()
    with each_place.superuser() as superuser:
        for login in [each for each in each_place.logins if sees(each) in BOUND]:
            url = each_place.url(login)
            with neighbour(url), psycopg.connect(url, autocommit=True) as connection:
                visit = Visit(connection)
                asked = {name: ask_for_all(visit, name) for name in relations(superuser, login)}
                for name in functions(superuser, login):
                    asked[name] = visit.ask("select", f"select * from {name.partition('(')[0]}() t")
            known = CROSSES_TENANTS | {table for who, table in SEES_ALL_ROWS if who == login}
            told += [
                f"{name}: shows {login} another tenant"
                for name, outcome in asked.items()
                if shows_the_neighbour(outcome) and name.partition("(")[0] not in known
            ]
            assert len(asked) > 200
    assert told == []


@pytest.mark.parametrize("login", ["email_service", "email_owner"])
@pytest.mark.parametrize("statement", DENIED)
def test_what_counts_all_tenants_together_is_denied(place: Place, login: str, statement: str) -> None:
    with psycopg.connect(place.url(login), autocommit=True) as connection:
        assert Visit(connection).ask(MINE, statement).is_denied


@pytest.mark.parametrize("statement", EMPTY)
def test_statistics_of_columns_are_not_shown(place: Place, statement: str) -> None:
    with psycopg.connect(place.url("email_service"), autocommit=True) as connection:
        outcome = Visit(connection).ask(MINE, statement)
        assert (outcome.rows, outcome.sqlstate) == ([], "")


def test_the_application_cannot_hold_a_lock_in_anothers_name(place: Place) -> None:
    lock = f"select pg_try_advisory_xact_lock(hashtextextended('postroom.blobs.{OTHER.id}', 0))"
    with psycopg.connect(place.url("email_service"), autocommit=True) as connection:
        assert Visit(connection).ask(MINE, lock).is_denied
    with psycopg.connect(place.url("email_worker"), autocommit=True) as connection:
        assert Visit(connection).ask(MINE, lock).rows == ["t"]


def test_whoever_watches_the_server_still_can(place: Place) -> None:
    with place.superuser() as connection, connection.transaction(force_rollback=True):
        connection.execute(
            b"create role watcher; grant pg_monitor to watcher; grant usage on schema public to watcher"
        )
        connection.execute(b"set local role watcher")
        for relation in ("pg_stat_activity", "pg_stat_user_tables", "pg_locks", "pg_stat_statements"):
            assert connection.execute(f"select count(*) from {relation}".encode()).fetchone()
        assert connection.execute(b"select pg_database_size(current_database())").fetchone()
