"""Three tenants with rows in every table, made from the catalog: whatever belongs to one bears its mark."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from psycopg import errors, sql

from tests.leaks.catalog import Catalog, Column, Connection

Row = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    """Every UUID and every hash of it begins with `hex`, every text with `word`."""

    hex: str
    word: str
    rows: int
    """In each table, so that a count tells whose rows were counted."""

    @property
    def id(self) -> str:
        return self.uuid(0)

    def uuid(self, number: int) -> str:
        return f"{self.hex}-0000-4000-8000-{number:012x}"

    @property
    def marks(self) -> tuple[str, str]:
        return self.hex, self.word


OWN = Tenant(hex="aaaaaaaa", word="apple", rows=2)
OTHER = Tenant(hex="bbbbbbbb", word="zebra", rows=3)
THIRD = Tenant(hex="cccccccc", word="cedar", rows=4)
NOBODY = Tenant(hex="dddddddd", word="quoll", rows=0)
"""A tenant that does not exist: of all that the server says, nothing may tell it from one that does."""
TENANTS = (OWN, OTHER, THIRD)
_LEFT_OUT = {"suspended_at", "erasing_at"}
"""Such a tenant is refused before anything can leak."""


def fill(connection: Connection, catalog: Catalog) -> None:
    """As a superuser. Triggers rest; the foreign keys hold nevertheless, for a row takes its keys from another row."""
    connection.execute(b"set session_replication_role = replica")
    connection.execute(b"select email_audit_month('1970-01-01')")  # in which numbers of rows are times
    for tenant in TENANTS:
        made: dict[str, list[Row]] = {}
        for table in parents_first(catalog):
            made[table] = [
                insert_row(connection, catalog, table, tenant, made, number)
                for number in range(1 if table == "email_tenants" else tenant.rows)
            ]
    connection.execute(b"reset session_replication_role")
    connection.execute(b"analyze")


def new_row(
    catalog: Catalog, table: str, tenant: Tenant, number: int, made: dict[str, list[Row]] | None = None
) -> Row:
    """A value for every column that can be written. Keys of other tables come from the rows made there."""
    row = {
        column.name: _value(column, tenant, number)
        for column in catalog.columns[table]
        if not column.is_made and column.name not in _LEFT_OUT
    }
    row["tenant_id"] = tenant.id
    for key in catalog.foreign_keys:
        if key.relation == table and made and made.get(key.refers_to):
            parents = made[key.refers_to]
            parent = parents[number % len(parents)]
            row |= {mine: parent[theirs] for mine, theirs in zip(key.columns, key.keys, strict=True)}
    return row


def insertion(table: str, row: Row) -> str:
    """The statement, its values as literals."""
    columns = sql.SQL(", ").join(map(sql.Identifier, row))
    values = sql.SQL(", ").join(map(sql.Literal, row.values()))
    return (
        sql.SQL("insert into {} ({}) values ({})").format(sql.Identifier(table), columns, values).as_string()
    )


def insert_row(
    connection: Connection,
    catalog: Catalog,
    table: str,
    tenant: Tenant,
    made: dict[str, list[Row]],
    number: int,
    fixed: Row | None = None,
) -> Row:
    """One row; `fixed` are values that are not up to this file."""
    row = new_row(catalog, table, tenant, number, made) | (fixed or {})
    allowed = _allowed_values(connection, table)
    row |= {name: values[0] for name, values in allowed.items() if name in row and name not in (fixed or {})}
    optional = [
        column.name
        for column in catalog.columns[table]
        if column.name in row and not column.is_required and column.name not in (fixed or {})
    ]
    # All of it; all but one, for some things rule each other out; only what must be.
    attempts = [row, *(row | {name: None} for name in optional), row | dict.fromkeys(optional)]
    refused: Exception | None = None
    for attempt in attempts:
        try:
            with connection.transaction():
                connection.execute(insertion(table, attempt).encode())
        except (errors.CheckViolation, errors.DataException) as error:
            refused = error
        else:
            return attempt
    raise AssertionError(f"{table}: tests/leaks/fill.py finds no row that it takes: {refused}")


def _allowed_values(connection: Connection, table: str) -> dict[str, list[str]]:
    """Of the columns with a list of words: `check (kind in ('send', 'flags'))`."""
    question = """
        select a.attname, array(select m[1] from regexp_matches(pg_get_constraintdef(c.oid), $$'([^']*)'::text$$, 'g') m)
        from pg_constraint c
        join pg_attribute a on a.attrelid = c.conrelid and a.attnum = c.conkey[1]
        where c.conrelid = %s::regclass and c.contype = 'c' and cardinality(c.conkey) = 1
          and pg_get_constraintdef(c.oid) like '%%= ANY (ARRAY[%%'
    """
    return dict(connection.execute(question.encode(), [table]).fetchall())


def parents_first(catalog: Catalog) -> list[str]:
    """The tables that others refer to before those."""
    wanted, found = list(catalog.tenant_tables), list[str]()
    while wanted:
        ready = [
            table
            for table in wanted
            if not any(
                key.relation == table and key.refers_to in set(wanted) - {table}
                for key in catalog.foreign_keys
            )
        ]
        assert ready, f"foreign keys go round in a circle: {wanted}"
        found += ready
        wanted = [table for table in wanted if table not in ready]
    return found


def _value(column: Column, tenant: Tenant, number: int) -> Any:
    """By type; what tells rows apart is the number, so that no two rows clash in a unique key."""
    seed = f"{tenant.word}{column.number:02d}{number:02d}"
    kind = column.type.partition("(")[0].removesuffix("[]")
    values: dict[str, Any] = {
        "uuid": tenant.uuid(256 * column.number + number + 1),
        "text": seed,
        "character varying": seed,
        "name": seed,
        "bytea": bytes.fromhex(tenant.hex) + column.number.to_bytes(14, "big") + number.to_bytes(14, "big"),
        "jsonb": json.dumps({tenant.word: [seed]}),
        "json": json.dumps({tenant.word: [seed]}),
        "tsvector": f"'{seed}'",
        "boolean": False,
        "integer": number + 1,
        "bigint": number + 1,
        "smallint": number + 1,
        "int8multirange": f"{{[{number + 1},{number + 2})}}",
        "numeric": number + 1,
        "real": number + 1,
        "double precision": number + 1,
        "timestamp with time zone": "2026-11-01T00:00:00Z",
        "date": date(2026, 11, 1) + timedelta(days=number),
        "interval": "1 day",
        "inet": "192.0.2.1",
    }
    if kind not in values:
        raise AssertionError(
            f"{column.relation}.{column.name}: tests/leaks/fill.py knows no value of {column.type}"
        )
    return [values[kind]] if column.type.endswith("[]") else values[kind]
