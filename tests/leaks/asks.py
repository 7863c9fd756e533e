"""The statements of the matrix: every way to read and write a table, with and without the name of another tenant."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from psycopg import sql

from tests.leaks.catalog import Catalog
from tests.leaks.fill import OTHER, Row, insertion, new_row
from tests.leaks.rights import Rights


class Gives(Enum):
    """How an answer tells how many rows there are."""

    ROWS = "a line for each"
    NUMBER = "their number"
    TOUCHED = "how many were written"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    name: str
    statement: str
    gives: Gives = Gives.ROWS
    is_granted: bool = True


def blind(catalog: Catalog, table: str, rights: Rights) -> list[Ask]:
    """Statements that name nobody: they show and touch what there is."""
    reads, may_read = names(rights.reads), bool(rights.reads)
    may_update = bool(rights.updates)
    update, delete = f"update {table} {_same(rights)}", f"delete from {table}"
    made = {column.name for column in catalog.columns[table] if column.is_made}
    # COPY of a table with row security and partitions looks at the table alone, which has no rows of its own.
    is_whole = table not in catalog.partitioned
    columns = f"({names([name for name in rights.reads if name not in made])})" if may_read else ""
    copied = Ask(name="copy out", statement=f"copy {table} {columns} to stdout", is_granted=may_read)
    return [
        *([copied] if is_whole or not may_read else []),
        Ask(name="select", statement=f"select {reads} from {table}", is_granted=may_read),
        Ask(
            name="count",
            statement=f"select count(*) from {table}",
            gives=Gives.NUMBER,
            is_granted=may_read,
        ),
        Ask(
            name="copy out a query",
            statement=f"copy (select {reads} from {table}) to stdout",
            is_granted=may_read,
        ),
        Ask(name="update", statement=update, gives=Gives.TOUCHED, is_granted=may_update),
        Ask(
            name="update returning",
            statement=f"{update} returning {reads}",
            gives=Gives.TOUCHED,
            is_granted=may_update and may_read,
        ),
        Ask(name="delete", statement=delete, gives=Gives.TOUCHED, is_granted=rights.deletes),
        Ask(
            name="delete returning",
            statement=f"{delete} returning {reads}",
            gives=Gives.TOUCHED,
            is_granted=rights.deletes and may_read,
        ),
        Ask(name="truncate", statement=f"truncate {table}", is_granted=False),
    ]


def pointed(catalog: Catalog, table: str, rights: Rights, theirs: Row) -> Iterator[Ask]:
    """Statements that name the other tenant. `theirs` is a row that it has."""
    reads, tenant = names(rights.reads), f"tenant_id = '{OTHER.id}'"
    keys = next(each.columns for each in catalog.unique_keys if each.relation == table)
    key = [f"{names([name])} = {sql.Literal(theirs[name]).as_string()}" for name in keys]
    which, of_target = " and ".join(key), " and ".join(f"t.{each}" for each in key)
    update, delete = f"update {table} {_same(rights)}", f"delete from {table}"
    for name, statement in {
        "select by tenant": f"select {reads} from {table} where {tenant}",
        "select by key": f"select {reads} from {table} where {which}",
        "exists": f"select exists (select from {table} where {which})",
        "copy out by tenant": f"copy (select {reads} from {table} where {tenant}) to stdout",
        "update by tenant": f"{update} where {tenant}",
        "update by key returning": f"{update} where {which} returning {reads}",
        "hand over": f"update {table} set tenant_id = '{OTHER.id}'",
        "delete by tenant": f"{delete} where {tenant}",
        "delete by key returning": f"{delete} where {which} returning {reads}",
        "merge": f"merge into {table} t using (values (1)) v (n) on {of_target} when matched then delete",
        "copy in": f"copy {table} from stdin",
    }.items():
        yield Ask(name=name, statement=statement)
    for name, row in {"there": theirs, "not there": _fresh(catalog, table, keys, theirs)}.items():
        insert = insertion(table, {each: row[each] for each in row if each in rights.inserts} or row)
        yield Ask(name=f"insert what is {name}", statement=insert)
        yield Ask(name=f"insert what is {name} returning", statement=f"{insert} returning {reads}")
        yield Ask(name=f"upsert what is {name} or nothing", statement=f"{insert} on conflict do nothing")
        yield Ask(
            name=f"upsert what is {name}",
            statement=f"{insert} on conflict ({names(keys)}) do update {_same(rights, 'excluded.')}",
        )


def names(columns: list[str]) -> str:
    return sql.SQL(", ").join(map(sql.Identifier, columns)).as_string() if columns else "*"


def _same(rights: Rights, source: str = "") -> str:
    """A column set to itself, so that no constraint is in the way."""
    columns = [name for name in rights.updates if name in rights.reads] or rights.updates or ["tenant_id"]
    column = names([columns[-1]])
    return f"set {column} = {source}{column}"


def _fresh(catalog: Catalog, table: str, keys: list[str], theirs: Row) -> Row:
    """Another row of the other tenant, with the words that the table's checks allow."""
    kept = {name: value for name, value in theirs.items() if name not in keys and not _is_marked(value)}
    return new_row(catalog, table, OTHER, 99) | kept


def _is_marked(value: object) -> bool:
    return any(mark in str(value) for mark in OTHER.marks)
