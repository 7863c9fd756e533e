"""Migrations: how a database comes to the schema that this program knows.

A fresh database gets the three init files and the newest version number; an older one runs `sql/migrations/`, each
file in one transaction with its ledger row first. A file whose first line is `-- no transaction` holds statements
that cannot run in one (such as `create index concurrently`); they must be able to run twice.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg
from psycopg.conninfo import conninfo_to_dict

from postroom import sql
from postroom.errors import DatabaseUnreachable, SchemaChanged, SchemaTooNew
from postroom.store.database import first_line, translated

NO_TRANSACTION = "-- no transaction"
_LOCK = 0x506F7374726F6F6D  # "Postroom": one migration at a time in a database
_LOCK_WAIT = "10s"


class Migration:
    """One file of `sql/migrations/`: `0007_add_labels.sql` is version 7."""

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self.text = text
        self.version = int(name.split("_")[0])
        self.checksum = hashlib.sha256(text.encode()).hexdigest()

    @property
    def in_transaction(self) -> bool:
        return not self.text.startswith(NO_TRANSACTION)


def known_migrations() -> list[Migration]:
    """What this program carries, oldest first."""
    return [Migration(name, sql.read(f"migrations/{name}")) for name in sql.migrations()]


def migrate(
    dsn: str, known: list[Migration] | None = None, *, tell: Callable[[str], None] = lambda _: None
) -> int:
    """Bring the database at `dsn` (an administrator's URL) to the newest schema; the version it then has.

    Raises SchemaTooNew when a newer program has been here, SchemaChanged when a file's content is not what was
    applied, and StoreError when a statement fails: then that file has left no trace.
    """
    known = known_migrations() if known is None else known
    with _connected(dsn) as connection, translated("migrate"):
        connection.execute("select pg_advisory_lock(%s)", [_LOCK])
        # A statement that waits for a table makes everybody who comes after it wait too.
        connection.execute("select set_config('lock_timeout', %s, false)", [_LOCK_WAIT])
        applied = _ledger(connection)
        _refuse_what_we_do_not_know(applied, known)
        if not applied:
            tell("Making the schema")
            _make_fresh(connection, known)
        for migration in known:
            if applied and migration.version not in applied:
                tell(f"Migrating: {migration.name}")
                _apply(connection, migration)
    return known[-1].version


def is_current(dsn: str, known: list[Migration] | None = None) -> bool:
    """Whether a login gets in and finds the schema that this program knows: then nothing is left to be done."""
    known = known_migrations() if known is None else known
    try:
        with psycopg.connect(dsn, autocommit=True, connect_timeout=10) as connection:
            return _ledger(connection) == {each.version: each.checksum for each in known}
    except psycopg.Error:
        return False


def schema_version(dsn: str) -> int:
    """The newest version in the ledger, 0 for a database without our schema."""
    with _connected(dsn) as connection, translated("schema_version"):
        return max(_ledger(connection), default=0)


@contextmanager
def _connected(dsn: str) -> Iterator[psycopg.Connection]:
    try:
        connection = psycopg.connect(dsn, autocommit=True, connect_timeout=10)
    except psycopg.OperationalError as error:
        raise DatabaseUnreachable(where=_host(dsn), reason=first_line(error)) from error
    try:
        yield connection
    finally:
        connection.close()  # the advisory lock goes with the session


def _host(dsn: str) -> str:
    known = conninfo_to_dict(dsn)
    return f"{known.get('host', 'localhost')}:{known.get('port', 5432)}"


def _ledger(connection: psycopg.Connection) -> dict[int, str]:
    if not connection.execute("select to_regclass('public.email_schema_migrations')").fetchall()[0][0]:
        return {}
    return dict(connection.execute("select version, checksum from public.email_schema_migrations").fetchall())


def _refuse_what_we_do_not_know(applied: dict[int, str], known: list[Migration]) -> None:
    newest = known[-1].version
    if applied and max(applied) > newest:
        raise SchemaTooNew(found=max(applied), known=newest)
    for migration in known:
        if applied.get(migration.version, migration.checksum) != migration.checksum:
            raise SchemaChanged(name=migration.name)


def _make_fresh(connection: psycopg.Connection, known: list[Migration]) -> None:
    with connection.transaction():
        for name in sql.INIT_FILES:
            connection.execute(sql.read(name).encode())
        for migration in known:
            _record(connection, migration)


def _apply(connection: psycopg.Connection, migration: Migration) -> None:
    if not migration.in_transaction:
        for statement in _statements(migration.text):
            connection.execute(statement.encode())
        _record(connection, migration)
        return
    with connection.transaction():
        _record(connection, migration)
        connection.execute(migration.text.encode())


def _statements(text: str) -> list[str]:
    """The statements of a file without a transaction: each ends with a semicolon at the end of a line."""
    return [
        piece for piece in (each.strip() for each in text.split(";\n")) if piece and not _is_comment(piece)
    ]


def _is_comment(piece: str) -> bool:
    return all(line.startswith("--") or not line for line in piece.splitlines())


def _record(connection: psycopg.Connection, migration: Migration) -> None:
    connection.execute(
        "insert into public.email_schema_migrations (version, name, checksum) values (%s, %s, %s)",
        [migration.version, migration.name, migration.checksum],
    )
