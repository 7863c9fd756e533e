"""What the server tells beside the tables: every relation of its catalogs, and every function that wants nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from tests.leaks.catalog import Connection
from tests.leaks.fill import OTHER
from tests.leaks.outcome import Outcome, Visit

_RELATIONS = """
select c.oid::regclass::text from pg_class c
where c.relkind in ('r', 'v', 'm') and has_any_column_privilege(%s, c.oid, 'select')
  and c.relnamespace in ('pg_catalog'::regnamespace, 'information_schema'::regnamespace, 'public'::regnamespace)
order by 1
"""
_FUNCTIONS = """
select p.oid::regprocedure::text from pg_proc p
where p.pronargs = p.pronargdefaults and p.prokind = 'f' and has_function_privilege(%s, p.oid, 'execute')
  and p.prorettype not in ('trigger'::regtype, 'event_trigger'::regtype) and p.provolatile <> 'i'
  and p.oid::regprocedure::text !~ '^(pg_sleep|pg_logical|pg_stop|pg_backup|pg_wal_replay|pg_promote|lo_)'
order by 1
"""


def relations(connection: Connection, login: str) -> list[str]:
    """What the login may read at least a column of."""
    return [row[0] for row in connection.execute(_RELATIONS.encode(), [login]).fetchall()]


def functions(connection: Connection, login: str) -> list[str]:
    """What the login may call without an argument."""
    return [row[0] for row in connection.execute(_FUNCTIONS.encode(), [login]).fetchall()]


@contextmanager
def neighbour(url: str) -> Iterator[None]:
    """Another tenant on the same login, who has just asked for something of its own and holds a lock by its name."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"begin; set local app.current_tenant_id = '{OTHER.id}'".encode())
        connection.execute(f"select '{OTHER.word}', count(*) from email_tenants".encode())
        yield


def shows_the_neighbour(outcome: Outcome) -> bool:
    return any(mark in outcome.text for mark in OTHER.marks)


def ask_for_all(visit: Visit, relation: str) -> Outcome:
    return visit.ask("select", f"select * from {relation} t")
