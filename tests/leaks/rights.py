"""What the grants give a login, column by column, as the server itself answers."""

from __future__ import annotations

from dataclasses import dataclass

from tests.leaks.catalog import Connection

_QUESTION = """
select c.relname, a.attname,
  has_column_privilege(r.oid, c.oid, a.attnum, 'select'),
  has_column_privilege(r.oid, c.oid, a.attnum, 'insert') and a.attgenerated = '',
  has_column_privilege(r.oid, c.oid, a.attnum, 'update') and a.attgenerated = ''
from pg_class c
join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
cross join pg_roles r
where r.rolname = %s and c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')
order by c.relname, a.attnum
"""
_WHOLE = """
select c.relname, has_table_privilege(%s, c.oid, 'delete')
from pg_class c
where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rights:
    """Of one login on one table."""

    reads: list[str]
    inserts: list[str]
    updates: list[str]
    deletes: bool


def rights_of(connection: Connection, login: str) -> dict[str, Rights]:
    """By table. As a superuser."""
    columns = connection.execute(_QUESTION.encode(), [login]).fetchall()
    return {
        table: Rights(
            reads=[name for where, name, yes, _, _ in columns if where == table and yes],
            inserts=[name for where, name, _, yes, _ in columns if where == table and yes],
            updates=[name for where, name, _, _, yes in columns if where == table and yes],
            deletes=deletes,
        )
        for table, deletes in connection.execute(_WHOLE.encode(), [login]).fetchall()
    }
