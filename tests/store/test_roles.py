"""Each login may do its own work and no other."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict
from psycopg.errors import InsufficientPrivilege, ReadOnlySqlTransaction, UndefinedTable

from postroom.errors import SettingError
from postroom.ops.cluster import Cluster
from postroom.ops.provision import LOGINS, open_site
from postroom.settings import load
from tests.store.mailroom import new_tenant
from tests.support.site import Store

WRITES = [
    "insert into email_folders (id, tenant_id, account_id, name, created_at, updated_at)"
    " values (gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), 'x', 0, 0)",
    "update email_accounts set account_name = 'x'",
    "delete from email_messages",
    "truncate email_messages",
    "create table mine (x int)",
    "create temp table mine (x int)",
    "alter table email_messages disable row level security",
    "set role email_owner",
    "set row_security = off; select * from email_messages",
    "copy email_messages to program 'cat'",
    "select pg_read_file('PG_VERSION')",
]


def _rows(connection: psycopg.Connection[Any], question: str) -> list[Any]:
    return connection.execute(question.encode()).fetchall()


@pytest.mark.parametrize("login", ["email_readonly", "email_backup", "email_monitor", "email_replication"])
@pytest.mark.parametrize("statement", WRITES)
def test_those_who_look_change_nothing(store: Store, login: str, statement: str) -> None:
    with store.connect(login) as connection:
        connection.execute(b"set default_transaction_read_only = off")
        with pytest.raises(
            (InsufficientPrivilege, UndefinedTable)
        ):  # to a standby's login none of ours exists
            connection.execute(statement.encode())


def test_an_analyst_reads_the_tenant_that_is_set_and_no_secret(store: Store) -> None:
    mine, _ = new_tenant(store), new_tenant(store)
    with store.connect("email_readonly") as connection:
        assert _rows(connection, "select * from email_tenants") == []
        connection.execute(f"set app.current_tenant_id = '{mine}'".encode())
        assert _rows(connection, "select tenant_id from email_tenants") == [(mine,)]
        search = f"select * from email_search_messages('{mine}', '{{\"all\": true}}', null, 9, null, null)"
        assert _rows(connection, search) == []
        for secret in ("email_credentials", "email_search_entries", "email_tenant_list()"):
            with pytest.raises(InsufficientPrivilege):
                _rows(connection, f"select * from {secret}")
        with pytest.raises(ReadOnlySqlTransaction):
            connection.execute(b"create temp table mine (x int)")


def test_a_backup_holds_every_tenant_and_is_never_made_of_a_part_in_silence(store: Store) -> None:
    ids = {str(new_tenant(store)), str(new_tenant(store))}
    command = [
        str(Cluster(store.home).psql().with_name("pg_dump")),
        store.site.url("email_backup"),
        "--inserts",
    ]
    refused = subprocess.run(command, capture_output=True, text=True, check=False)
    assert refused.returncode != 0
    assert "row-level security" in refused.stderr
    done = subprocess.run([*command, "--enable-row-security"], capture_output=True, text=True, check=True)
    assert all(f"'{each}'" in done.stdout for each in ids)


def test_the_monitor_sees_what_others_run_and_no_mail(store: Store) -> None:
    with store.connect("email_monitor") as connection:
        assert _rows(connection, "select * from pg_connection_stats")
        assert _rows(connection, "select * from pg_table_bloat_status()")
        with pytest.raises(InsufficientPrivilege):
            _rows(connection, "select * from email_messages")


def test_a_standby_may_follow_and_reads_nothing_by_sql(store: Store) -> None:
    with psycopg.connect(
        store.site.url("email_replication"), replication="true", autocommit=True
    ) as connection:
        assert connection.pgconn.exec_(b"IDENTIFY_SYSTEM").ntuples == 1
    with store.connect("email_replication") as connection, pytest.raises(InsufficientPrivilege):
        _rows(connection, "select * from public.email_messages")


@pytest.mark.parametrize("login", LOGINS)
def test_nobody_waits_or_sits_for_ever(store: Store, login: str) -> None:
    with store.connect("postgres") as connection:
        (settings,) = _rows(connection, f"select rolconfig from pg_roles where rolname = '{login}'")[0]
        assert _rows(
            connection, f"select rolpassword like 'SCRAM-SHA-256$%' from pg_authid where rolname = '{login}'"
        )[0][0]
    names = {each.partition("=")[0] for each in settings}
    wanted = {"search_path"}
    if login != "email_replication":  # speaks another protocol
        wanted |= {"lock_timeout", "idle_in_transaction_session_timeout"}
    if login not in ("email_owner", "email_backup", "email_replication"):  # who may take as long as it takes
        wanted |= {"statement_timeout"}
    assert wanted <= names


def test_passwords_may_be_given_by_files_and_by_the_variable(store: Store, tmp_path: Path) -> None:
    (tmp_path / "email_monitor").write_text("in a/file\n")
    given = {"POSTGRES_PASSWORD": "p@ss word", "POSTROOM_PASSWORDS_DIR": str(tmp_path)}
    try:
        site = open_site(load(store.environment | given), renew_passwords=True)
        for login, password in (("email_service", "p@ss word"), ("email_monitor", "in a/file")):
            assert conninfo_to_dict(site.url(login))["password"] == password
            psycopg.connect(site.url(login)).close()
        (tmp_path / "email_monitor").write_text("\n")
        with pytest.raises(SettingError):
            site.url("email_monitor")
    finally:
        open_site(store.settings, renew_passwords=True)


def test_how_often_others_ask_is_not_for_everybody(store: Store) -> None:
    for login in ("email_service", "email_readonly", "email_backup"):
        with store.connect(login) as connection:
            for source in ("pg_stat_statements", "pg_stat_statements(true)", "pg_stat_statements_info"):
                with pytest.raises(InsufficientPrivilege):
                    _rows(connection, f"select * from {source}")
