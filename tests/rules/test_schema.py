"""The promises that the catalog must keep: read from pg_catalog, so that the next table cannot forget them."""

from __future__ import annotations

import subprocess
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest

from postroom import sql
from postroom.ops.cluster import Cluster
from postroom.store.migrate import migrate, schema_version
from tests.support.site import Store
from tests.support.statements import NOUNS, OF_TENANTS, prepare

NOT_TENANTS_DATA = {"email_schema_migrations", "email_moves", "email_workers", "email_admin_keys"}
CONTRACT_INDEXES = [
    "idx_email_accounts_tenant_user",
    "idx_email_accounts_email_address",
    "idx_email_accounts_sync_enabled",
    "idx_email_folders_account_type",
    "idx_email_folders_tenant_account",
    "idx_email_folders_type",
    "idx_email_messages_folder_received",
    "idx_email_messages_thread_id",
    "idx_email_messages_account_read",
    "idx_email_messages_message_id",
    "idx_email_messages_imap_uid",
    "idx_email_messages_text_search",
    "idx_email_attachments_message_id",
    "idx_email_attachments_tenant",
    "idx_email_attachments_storage_path",
    "idx_email_attachments_content_hash",
]


def _column(connection: psycopg.Connection[Any], question: str) -> set[Any]:
    return {row[0] for row in connection.execute(question.encode()).fetchall()}


@pytest.fixture
def owner(store: Store) -> Any:
    with store.connect("postgres") as connection:
        yield connection


def test_every_tenant_table_has_forced_row_security_and_its_policy(owner: psycopg.Connection[Any]) -> None:
    tables = _column(
        owner,
        "select relname from pg_class where relkind in ('r', 'p') and not relispartition and relname like 'email%'",
    )
    guarded = _column(
        owner,
        "select c.relname from pg_class c join pg_policy p on p.polrelid = c.oid"
        " where c.relrowsecurity and c.relforcerowsecurity and p.polname = c.relname || '_tenant_policy'"
        " and p.polqual is not null and p.polwithcheck is not null",
    )
    assert tables - NOT_TENANTS_DATA == guarded


def test_every_key_of_a_tenant_table_begins_with_the_tenant(owner: psycopg.Connection[Any]) -> None:
    wrong = _column(
        owner,
        "select c.conname from pg_constraint c join pg_class t on t.oid = c.conrelid"
        " join pg_attribute a on a.attrelid = t.oid and a.attnum = c.conkey[1]"
        " where t.relname like 'email%' and c.contype in ('p', 'u', 'f') and a.attname <> 'tenant_id'",
    )
    assert wrong == {
        "email_schema_migrations_pkey",
        "email_moves_pkey",
        "email_workers_pkey",
        "email_admin_keys_pkey",
    }


def test_the_contracts_indexes_and_many_more_exist(owner: psycopg.Connection[Any]) -> None:
    found = _column(owner, "select indexname from pg_indexes where schemaname = 'public'")
    assert set(CONTRACT_INDEXES) <= found
    assert len(found) >= 30


def test_every_view_is_the_readers_own(owner: psycopg.Connection[Any]) -> None:
    wrong = _column(
        owner,
        "select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.relkind = 'v'"
        " and n.nspname = 'public' and not coalesce('security_invoker=true' = any (c.reloptions), false)"
        " and not exists (select from pg_depend d where d.objid = c.oid and d.deptype = 'e')",
    )
    assert wrong == set()


def test_every_definer_function_has_a_fixed_search_path(owner: psycopg.Connection[Any]) -> None:
    wrong = _column(
        owner,
        "select proname from pg_proc p where prosecdef and pronamespace = 'public'::regnamespace"
        " and not exists (select from unnest(proconfig) c where c like 'search_path=pg_catalog%')",
    )
    assert wrong == set()


def test_nothing_is_granted_to_everybody(owner: psycopg.Connection[Any]) -> None:
    wrong = _column(
        owner,
        "select c.relname from pg_class c, aclexplode(c.relacl) a where a.grantee = 0 and c.relname like 'email%'",
    )
    assert wrong == set()


def test_only_the_owner_may_empty_a_table_and_new_functions_are_for_nobody(
    owner: psycopg.Connection[Any],
) -> None:
    may = _column(
        owner,
        "select distinct a.grantee::regrole::text from pg_class c, aclexplode(c.relacl) a"
        " where c.relname like 'email%' and a.privilege_type in ('TRUNCATE', 'REFERENCES', 'TRIGGER', 'MAINTAIN')",
    )
    assert may == {"email_owner"}
    for maker in ("email_owner", "email_search"):
        owner.execute(f"begin; grant create on schema public to {maker}; set local role {maker}".encode())
        owner.execute(b"create function made_later() returns int language sql return 1")
        assert _column(
            owner, "select has_function_privilege('email_service', 'made_later()', 'execute')"
        ) == {False}
        owner.execute(b"rollback")


def test_a_backup_forgets_no_table(owner: psycopg.Connection[Any]) -> None:
    tables = _column(
        owner, "select relname from pg_class where relkind in ('r', 'p') and relname like 'email%'"
    )
    readable = "select relname from pg_class where has_table_privilege('email_backup', oid, 'select')"
    assert tables <= _column(owner, readable)
    whole = _column(
        owner,
        "select polrelid::regclass::text from pg_policy where polcmd = 'r' and polroles = array['email_backup'::regrole::oid]"
        " and pg_get_expr(polqual, polrelid) = 'true'",
    )
    assert tables - NOT_TENANTS_DATA == whole


def test_the_login_of_one_tenant_is_held_to_it_by_every_table(owner: psycopg.Connection[Any]) -> None:
    tables = _column(
        owner,
        "select relname from pg_class where relrowsecurity and not relispartition and relname like 'email%'",
    )
    held = _column(
        owner,
        "select polrelid::regclass::text from pg_policy where polcmd = '*' and not polpermissive"
        " and polroles = array['email_tenant_login'::regrole::oid]"
        " and pg_get_expr(polqual, polrelid) like '(COALESCE(%SESSION_USER%uuid_send(tenant_id)%AND (tenant_id =%CASE%SESSION_USER%'",
    )
    assert tables == held


def test_the_application_has_no_power(owner: psycopg.Connection[Any]) -> None:
    rows = owner.execute(
        b"select rolsuper or rolbypassrls or rolcreaterole or rolcreatedb from pg_roles where rolname like 'email%'"
    ).fetchall()
    assert len(rows) >= 4
    assert not any(row[0] for row in rows)


@pytest.mark.parametrize("noun", NOUNS)
def test_every_query_prepares_against_the_schema(store: Store, noun: str) -> None:
    with store.connect("postgres") as connection:
        for query in vars(sql.queries(noun)).values():
            prepare(connection, query)


@pytest.mark.parametrize("noun", OF_TENANTS)
def test_every_statement_names_the_tenant(noun: str) -> None:
    for query in vars(sql.queries(noun)).values():
        assert "%(tenant_id)s" in query.text, query.name


def _dump(store: Store, database: str) -> str:
    parts = urlsplit(store.site.url("postgres"))
    url = urlunsplit(parts._replace(path=f"/{database}"))
    program = Cluster(store.home).psql().with_name("pg_dump")
    done = subprocess.run([str(program), "--schema-only", url], capture_output=True, text=True, check=True)
    return "\n".join(line for line in done.stdout.splitlines() if not line.startswith("\\"))


def test_the_migrations_lead_to_the_schema_of_the_init_files(store: Store) -> None:
    with store.connect("postgres") as connection:
        for name in ("by_init", "by_migrations"):
            connection.execute(f"drop database if exists {name}".encode())
            connection.execute(f"create database {name}".encode())
    parts = urlsplit(store.site.url("postgres"))
    migrate(urlunsplit(parts._replace(path="/by_init")))
    with psycopg.connect(urlunsplit(parts._replace(path="/by_migrations")), autocommit=True) as connection:
        for name in sql.migrations():
            connection.execute(sql.read(f"migrations/{name}").encode())
    assert _dump(store, "by_init") == _dump(store, "by_migrations")


def test_the_schema_is_current_and_migrating_again_changes_nothing(store: Store) -> None:
    url = store.site.url("postgres")
    assert migrate(url) == schema_version(url) == int(sql.migrations()[-1][:4])


def test_the_first_migration_is_what_make_sql_writes() -> None:
    first = sql.read(f"migrations/{sql.migrations()[0]}")
    assert first.partition("\n")[2] == "".join(sql.read(name) for name in sql.INIT_FILES)
