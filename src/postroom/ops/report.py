"""Report: what the server says of itself, section by section."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.rows import dict_row

from postroom import sql
from postroom.errors import UsageError
from postroom.model import Query
from postroom.store.database import translated

Row = dict[str, Any]

_OPS = sql.queries("ops")


@dataclass(frozen=True, slots=True)
class Section:
    """One table of the report."""

    name: str
    title: str
    query: Query
    when_empty: str
    for_machines: tuple[str, ...] = ()
    """Columns that a table for people has no room for."""


SECTIONS = (
    Section("connections", "Connections", _OPS.connections, "Nobody is connected."),
    Section("long-queries", "Statements that run for more than a second", _OPS.long_queries, "None."),
    Section("locks", "Who waits for a lock, and who holds it", _OPS.lock_waits, "Nobody waits."),
    Section("slow-statements", "Statements by the time they took in all", _OPS.slow_statements, "None yet."),
    Section("tables", "Tables, the largest first", _OPS.tables, "No tables."),
    Section("vacuum", "Autovacuum", _OPS.vacuum, "No tables.", ("changed_since_analyze", "transaction_age")),
    Section("wraparound", "Transaction numbers used", _OPS.wraparound, "No databases."),
    Section("cache", "Blocks found in memory", _OPS.cache, "No tables."),
    Section(
        "indexes",
        "Indexes, the most read first",
        _OPS.indexes,
        "No indexes.",
        ("table_name", "entries_read", "is_valid"),
    ),
    Section("unused-indexes", "Indexes that nothing has read", _OPS.unused_indexes, "None.", ("table_name",)),
    Section(
        "duplicate-indexes",
        "Indexes that another one covers",
        _OPS.duplicate_indexes,
        "None.",
        ("table_name",),
    ),
    Section("replication", "Standbys", _OPS.replication, "No standby is connected."),
    Section("slots", "Replication slots", _OPS.slots, "None."),
    Section("archiving", "Archive of the log", _OPS.archiving, "Unknown."),
    Section("tenants", "Tenants, the largest first", _OPS.tenant_sizes, "No tenants."),
)


def chosen_sections(names: Sequence[str]) -> list[Section]:
    """The sections of these names, in the report's order; all of them where none is named. Raises UsageError."""
    known = [each.name for each in SECTIONS]
    if unknown := [name for name in names if name not in known]:
        raise UsageError(reason=f"There is no section {unknown[0]!r}; there are {', '.join(known)}.")
    return [each for each in SECTIONS if each.name in names or not names]


def report(url: str, sections: Sequence[Section]) -> dict[str, list[Row]]:
    """The rows of each section. Raises StoreError."""
    with (
        translated("report"),
        psycopg.Connection[Row].connect(
            url,
            autocommit=True,
            row_factory=dict_row,
        ) as connection,
    ):
        return {each.name: connection.execute(each.query.text.encode()).fetchall() for each in sections}


def end_idle(url: str, *, seconds: int) -> list[Row]:
    """End the sessions that have been idle for longer, never this one; which they were. Raises StoreError."""
    with (
        translated("kill-idle"),
        psycopg.Connection[Row].connect(
            url,
            autocommit=True,
            row_factory=dict_row,
        ) as connection,
    ):
        return connection.execute(_OPS.end_idle.text.encode(), {"seconds": seconds}).fetchall()
