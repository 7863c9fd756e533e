"""Comparing: what is counted and read in the old server, and must be the same in the new one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import psycopg
from psycopg import sql as composed

from postroom import sql
from postroom.errors import BackupError
from postroom.ops.backup.count import Row, connected, row_counts, rows

QUERIES = sql.queries("upgrade")


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """Rows of each table, a sum over all messages, row security, what each login may do."""

    counts: dict[str, int]
    widths: dict[str, int]
    """How long all values of a table are, written out: each of them was read. Empty where they were not."""
    hashes: str
    guards: list[str]
    powers: list[str]
    grants: list[str]

    @property
    def rows(self) -> int:
        return sum(self.counts.values())


def take(url: str, *, read_all: bool) -> Inventory:
    """Raises BackupError, also for a value that the server cannot read."""
    with connected(url) as connection:
        counts = row_counts(connection)
        return Inventory(
            counts=counts,
            widths={name: _width(connection, name) for name in counts} if read_all else {},
            hashes=rows(connection, QUERIES.messages)[0]["hashes"],
            guards=[row["guard"] for row in rows(connection, QUERIES.guards)],
            powers=[row["power"] for row in rows(connection, QUERIES.powers)],
            grants=[row["granted"] for row in rows(connection, QUERIES.grants)],
        )


def _width(connection: psycopg.Connection[Row], table: str) -> int:
    statement = composed.SQL(
        "select coalesce(sum(octet_length(each::text)), 0)::bigint as width from public.{} each"
    ).format(composed.Identifier(table))
    try:
        return connection.execute(statement).fetchall()[0]["width"]
    except psycopg.Error as error:
        raise BackupError(
            reason=f"The server cannot read all of {table}: {error.diag.message_primary}."
        ) from error


def has_lz4_values(url: str) -> bool:
    """Whether a value is compressed by lz4, which not every PostgreSQL was built to read."""
    with connected(url) as connection:
        for row in rows(connection, QUERIES.compressible):
            table, column = row["table_name"], row["column_name"]
            question = f"select from {table} where pg_column_compression({column}) = 'lz4' limit 1"
            if connection.execute(question.encode()).rowcount:
                return True
    return False


def differences(before: Inventory, after: Inventory) -> Iterator[str]:
    """Each in a few words; none when all is the same."""
    for name in sorted({*before.counts, *after.counts}):
        was, now = before.counts.get(name), after.counts.get(name)
        if was != now:
            yield f"{name} had {was} rows and has {now}"
    for name, width in before.widths.items():
        if width != after.widths.get(name):
            yield f"{name} does not hold the same"
    if before.hashes != after.hashes:
        yield "the messages are not the same"
    for what, was, now in (
        ("row security", before.guards, after.guards),
        ("a login", before.powers, after.powers),
        ("a right", before.grants, after.grants),
    ):
        for each in sorted({*was} ^ {*now}):
            yield f"{what} is another: {each[:80]}"
