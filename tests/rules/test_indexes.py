"""What an index is for, where it is a rule: a key that must be unique, a foreign key that must be checked.

That the queries read the indexes that name them is held by tests/store/test_plans.py.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.store.indexes import purposes
from tests.support.site import Store

# Every foreign key with the indexes that lead with its columns. A partial index finds every reference only where what
# it leaves out is null. Rows that nobody may delete are never looked for.
FOREIGN_KEYS = """
select f.conrelid::regclass || ' ' || f.conname as foreign_key,
  f.confdeltype = 'c' or has_table_privilege('email_service', f.confrelid, 'delete')
    or has_table_privilege('email_worker', f.confrelid, 'delete') as deletable,
  coalesce(array_agg(i.indexrelid::regclass::text) filter (where i.indpred is null or pg_get_expr(i.indpred, i.indrelid)
    in (select '(' || attname || ' IS NOT NULL)' from pg_attribute where attrelid = f.conrelid and attnum = any (f.conkey))
  ), '{}') as of_all,
  coalesce(array_agg(i.indexrelid::regclass::text) filter (where i.indexrelid is not null), '{}') as of_any
from pg_constraint f
left join pg_index i on i.indrelid = f.conrelid
  and (i.indkey::int2[])[0:cardinality(f.conkey) - 1] @> f.conkey
where f.contype = 'f'
group by f.oid
"""


@pytest.fixture(scope="module")
def foreign_keys(store: Store) -> list[tuple[Any, ...]]:
    with store.connect("postgres") as connection:
        return connection.execute(FOREIGN_KEYS.encode()).fetchall()


def test_every_foreign_key_has_an_index(foreign_keys: list[tuple[Any, ...]]) -> None:
    assert len(foreign_keys) > 20
    for name, deletable, of_all, of_any in foreign_keys:
        assert of_all if deletable else of_any, name


def test_an_index_for_a_foreign_key_leads_with_its_columns(foreign_keys: list[tuple[Any, ...]]) -> None:
    serving = {index for *_, of_all, _ in foreign_keys for index in of_all}
    assert {each.index for each in purposes() if each.rule == "Foreign key"} <= serving


def test_an_index_for_uniqueness_is_unique(store: Store) -> None:
    with store.connect("postgres") as connection:
        rows = connection.execute(
            b"select indexrelid::regclass::text from pg_index where indisunique"
        ).fetchall()
    assert {each.index for each in purposes() if each.rule == "Unique"} <= {row[0] for row in rows}
