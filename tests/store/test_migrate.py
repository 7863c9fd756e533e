"""Migrations: one transaction a file, never applied twice, and a clear refusal instead of a guess."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import psycopg
import pytest

from postroom.errors import SchemaChanged, SchemaTooNew, StoreError
from postroom.store.migrate import Migration, known_migrations, migrate, schema_version
from tests.support.site import Store


@pytest.fixture
def url(store: Store) -> Iterator[str]:
    """A database of its own with the current schema."""
    name = f"migrate_{uuid4().hex[:12]}"
    with store.connect("postgres") as connection:
        connection.execute(f"create database {name}".encode())
    parts = urlsplit(store.site.url("postgres"))
    found = urlunsplit(parts._replace(path=f"/{name}"))
    migrate(found)
    yield found
    with store.connect("postgres") as connection:
        connection.execute(f"drop database {name} with (force)".encode())


def _tables(url: str) -> set[str]:
    with psycopg.connect(url) as connection:
        return {
            row[0] for row in connection.execute("select relname from pg_class where relname like 'mine%'")
        }


def _with(*more: Migration) -> list[Migration]:
    return [*known_migrations(), *more]


def test_a_newer_file_is_applied_once(url: str) -> None:
    newer = Migration("9001_mine.sql", "create table mine (x int);")
    assert migrate(url, _with(newer)) == migrate(url, _with(newer)) == schema_version(url) == 9001
    assert _tables(url) == {"mine"}


def test_a_file_that_fails_leaves_no_trace(url: str) -> None:
    before = schema_version(url)
    broken = Migration("9001_broken.sql", "create table mine (x int); select nonsense;")
    with pytest.raises(StoreError, match="nonsense"):
        migrate(url, _with(broken))
    assert (_tables(url), schema_version(url)) == (set(), before)


def test_a_database_of_a_newer_program_is_refused(url: str) -> None:
    migrate(url, _with(Migration("9001_mine.sql", "create table mine (x int);")))
    with pytest.raises(SchemaTooNew, match="version 9001"):
        migrate(url)


def test_a_file_that_changed_after_it_was_applied_is_refused(url: str) -> None:
    migrate(url, _with(Migration("9001_mine.sql", "create table mine (x int);")))
    with pytest.raises(SchemaChanged, match="9001_mine"):
        migrate(url, _with(Migration("9001_mine.sql", "create table mine (x bigint);")))


def test_statements_that_allow_no_transaction_have_their_marker(url: str) -> None:
    text = "create table mine (x int);\ncreate index concurrently mine_x on mine (x);\n"
    with pytest.raises(StoreError, match="transaction"):
        migrate(url, _with(Migration("9001_mine.sql", text)))
    assert migrate(url, _with(Migration("9001_mine.sql", f"-- no transaction\n{text}"))) == 9001
    assert _tables(url) == {"mine", "mine_x"}


def test_a_table_in_use_is_not_waited_for_without_end(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("postroom.store.migrate._LOCK_WAIT", "100ms")
    before = schema_version(url)
    newer = Migration("9001_mine.sql", "create table mine (x int); alter table email_folders add mine int;")
    with psycopg.connect(url) as reading:
        reading.execute("select count(*) from email_folders")
        with pytest.raises(StoreError, match="lock timeout"):
            migrate(url, _with(newer))
    assert (_tables(url), schema_version(url)) == (set(), before)
    assert migrate(url, _with(newer)) == 9001
