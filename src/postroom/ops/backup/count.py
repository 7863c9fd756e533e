"""Counting: how many rows each table has, for a restored server to be held against."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from postroom import sql as source
from postroom.errors import BackupError
from postroom.model import Query
from postroom.store.database import first_line

QUERIES = source.queries("backup")
Row = dict[str, Any]


def connected(url: str) -> psycopg.Connection[Row]:
    """A session of the administrator. Raises BackupError."""
    try:
        return psycopg.Connection[Row].connect(
            url, autocommit=True, row_factory=dict_row, connect_timeout=10, application_name="postroom backup"
        )
    except psycopg.OperationalError as error:
        raise BackupError(reason=f"The server does not let the backup in: {first_line(error)}.") from error


def rows(connection: psycopg.Connection[Row], query: Query, **parameters: Any) -> list[Row]:
    """Raises BackupError."""
    try:
        return connection.execute(query.text.encode(), parameters).fetchall()
    except psycopg.Error as error:
        raise BackupError(reason=f"The server refused {query.name}: {first_line(error)}.") from error


def row_counts(connection: psycopg.Connection[Row]) -> dict[str, int]:
    """Exactly, table by table."""
    counts: dict[str, int] = {}
    for name in [row["name"] for row in rows(connection, QUERIES.tables)]:
        statement = sql.SQL("select count(*) as rows from public.{}").format(sql.Identifier(name))
        counts[name] = connection.execute(statement).fetchall()[0]["rows"]
    return counts
