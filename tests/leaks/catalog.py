"""What there is, read from pg_catalog: tables, columns, keys, functions, logins. The next ones come in by themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.rows import class_row

Connection = psycopg.Connection[Any]

_OURS = "not exists (select from pg_depend d where d.objid = {}.oid and d.deptype = 'e')"
_RELATIONS = f"""
select c.relname as name, c.relkind::text as kind, c.relispartition as is_partition
from pg_class c
where c.relnamespace = 'public'::regnamespace
  and c.relkind in ('r', 'p', 'v', 'm', 'f')
  and {_OURS.format("c")}
order by c.relname
"""
_COLUMNS = """
select c.relname as relation, a.attname as name, format_type(a.atttypid, a.atttypmod) as type,
  a.attnotnull as is_required, a.attgenerated <> '' or a.attidentity <> '' as is_made, a.attnum as number
from pg_attribute a
join pg_class c on c.oid = a.attrelid
where c.relnamespace = 'public'::regnamespace and a.attnum > 0 and not a.attisdropped
order by c.relname, a.attnum
"""
_FOREIGN_KEYS = """
select f.conname as name, t.relname as relation, r.relname as refers_to,
  (select array_agg(a.attname order by k.n) from unnest(f.conkey) with ordinality k (number, n)
     join pg_attribute a on a.attrelid = t.oid and a.attnum = k.number)::text[] as columns,
  (select array_agg(a.attname order by k.n) from unnest(f.confkey) with ordinality k (number, n)
     join pg_attribute a on a.attrelid = r.oid and a.attnum = k.number)::text[] as keys
from pg_constraint f
join pg_class t on t.oid = f.conrelid
join pg_class r on r.oid = f.confrelid
where f.contype = 'f' and f.conparentid = 0 and t.relnamespace = 'public'::regnamespace
order by t.relname, f.conname
"""
_UNIQUE_KEYS = """
select i.relname as name, t.relname as relation,
  (select array_agg(coalesce(a.attname, '(expression)') order by k.n)
     from unnest(x.indkey) with ordinality k (number, n)
     left join pg_attribute a on a.attrelid = t.oid and a.attnum = k.number
    where k.n <= x.indnkeyatts)::text[] as columns
from pg_index x
join pg_class i on i.oid = x.indexrelid
join pg_class t on t.oid = x.indrelid
where x.indisunique and t.relnamespace = 'public'::regnamespace and not i.relispartition
order by t.relname, i.relname
"""
_FUNCTIONS = f"""
select p.oid, p.proname as name, p.prosecdef as is_definer, p.prorettype = 'trigger'::regtype as is_trigger,
  pg_get_function_identity_arguments(p.oid) as arguments,
  coalesce((select array_agg(format_type(t, null) order by n)
    from unnest(p.proargtypes) with ordinality k (t, n)), '{{}}')::text[] as types
from pg_proc p
where p.pronamespace = 'public'::regnamespace and {_OURS.format("p")}
order by p.proname, p.oid
"""
_LOGINS = """
select rolname from pg_roles where rolcanlogin and rolname not like 'pg\\_%' and not rolsuper order by rolname
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Relation:
    name: str
    kind: str
    is_partition: bool

    @property
    def is_table(self) -> bool:
        return self.kind in ("r", "p")


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    relation: str
    name: str
    type: str
    is_required: bool
    is_made: bool
    """Generated or an identity: nobody writes it."""
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignKey:
    name: str
    relation: str
    refers_to: str
    columns: list[str]
    keys: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class UniqueKey:
    name: str
    relation: str
    columns: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    oid: int
    name: str
    is_definer: bool
    is_trigger: bool
    arguments: str
    types: list[str]


class Catalog:
    """The schema `public` as it is now."""

    def __init__(self, connection: Connection) -> None:
        self.relations = _all(connection, Relation, _RELATIONS)
        self.foreign_keys = _all(connection, ForeignKey, _FOREIGN_KEYS)
        self.unique_keys = _all(connection, UniqueKey, _UNIQUE_KEYS)
        self.functions = _all(connection, Function, _FUNCTIONS)
        self.logins = [row[0] for row in connection.execute(_LOGINS.encode()).fetchall()]
        self.columns: dict[str, list[Column]] = {}
        for column in _all(connection, Column, _COLUMNS):
            self.columns.setdefault(column.relation, []).append(column)

    @property
    def tables(self) -> list[str]:
        """What can be written to by its own name: partitions are reached through the table that they belong to."""
        return [each.name for each in self.relations if each.is_table and not each.is_partition]

    @property
    def tenant_tables(self) -> list[str]:
        return [name for name in self.tables if self.has_tenant(name)]

    @property
    def partitioned(self) -> set[str]:
        return {each.name for each in self.relations if each.kind == "p"}

    @property
    def views(self) -> list[str]:
        return [each.name for each in self.relations if not each.is_table]

    def has_tenant(self, relation: str) -> bool:
        return any(column.name == "tenant_id" for column in self.columns[relation])


def _all(connection: Connection, kind: type[Any], question: str) -> list[Any]:
    with connection.cursor(row_factory=class_row(kind)) as cursor:
        return cursor.execute(question.encode()).fetchall()
