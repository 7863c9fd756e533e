"""A database of ten tenants of very different size, and what the planner says in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from uuid import UUID

import psycopg
import pytest
from psycopg.rows import dict_row

from postroom.store.migrate import migrate
from tests.support.site import Store

DATABASE = "crowd"
_SECONDARY = """
select indexrelid::regclass::text as name, pg_get_indexdef(indexrelid) as definition
from pg_index
join pg_class on pg_class.oid = indexrelid
where relname like 'idx_email%'
"""
_PARTS = """
select c.relname, p.relname
from pg_inherits i
join pg_class c on c.oid = i.inhrelid
join pg_class p on p.oid = i.inhparent
where p.relname like 'idx_email%'
"""

_EXAMPLES = """
select m.tenant_id, m.account_id, m.folder_id, m.id as message_id, m.thread_id, m.thread_family_id as family_id,
  m.content_hash as hash, m.raw_blob as sha256, m.message_id as key, m.imap_uid, f.name as folder_name, a.user_id,
  a.email_address, a.credential_id, a.id as object_id,
  (select outbox_id from email_sends s where s.tenant_id = m.tenant_id limit 1) as outbox_id,
  (select id from email_drafts d where d.tenant_id = m.tenant_id limit 1) as draft_id,
  (select id from email_webhooks w where w.tenant_id = m.tenant_id order by id limit 1) as webhook_id,
  (select id from email_standing_searches s where s.tenant_id = m.tenant_id order by id limit 1) as search_id,
  (select id from email_standing_matches s where s.tenant_id = m.tenant_id order by id limit 1) as match_id
from email_messages m
join email_folders f on f.tenant_id = m.tenant_id and f.id = m.folder_id
join email_accounts a on a.tenant_id = m.tenant_id and a.id = m.account_id
where m.imap_uid = '12'
order by (select count(*) from email_messages o where o.tenant_id = m.tenant_id) desc
"""


class Crowd:
    """The tenants by size, the largest first."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.message_of: dict[UUID, dict[str, Any]] = {}
        """A message of each tenant, with the ids of all that it belongs to."""
        with self.connect("postgres") as connection, connection.cursor(row_factory=dict_row) as cursor:
            for row in cursor.execute(_EXAMPLES.encode()).fetchall():
                self.message_of[row["tenant_id"]] = row

    @property
    def tenants(self) -> list[UUID]:
        return list(self.message_of)

    def connect(self, role: str) -> psycopg.Connection[Any]:
        """Values are put into the statement as literals, so that each plan is made for its own."""
        return psycopg.connect(_url(self._store, role), autocommit=True, cursor_factory=psycopg.ClientCursor)

    def whole(self, indexes: set[str]) -> set[str]:
        """The indexes as the schema names them: a partition's is a part of one."""
        with self.connect("postgres") as connection:
            parts = dict(connection.execute(_PARTS.encode()).fetchall())
        return {parts.get(index, index) for index in indexes}

    @contextmanager
    def tenant(self, role: str, tenant_id: UUID) -> Iterator[psycopg.Connection[Any]]:
        """As the program sees it: a login without power, and the tenant that is set."""
        with self.connect(role) as connection:
            connection.execute(f"set app.current_tenant_id = '{tenant_id}'".encode())
            yield connection


@pytest.fixture(scope="session")
def crowd(store: Store) -> Iterator[Crowd]:
    with store.connect("postgres") as connection:
        connection.execute(f"create database {DATABASE}".encode())
    migrate(_url(store, "postgres"))
    with psycopg.connect(_url(store, "postgres"), autocommit=True) as connection:
        _fill(connection)
    yield Crowd(store)
    with store.connect("postgres") as connection:
        connection.execute(f"drop database {DATABASE} with (force)".encode())


def _fill(connection: psycopg.Connection[Any]) -> None:
    """Indexes are built after the rows: that takes a quarter of the time."""
    indexes = connection.execute(_SECONDARY.encode()).fetchall()
    for name, _ in indexes:
        connection.execute(f"drop index {name}".encode())
    *statements, last = Path(__file__).with_name("crowd.sql").read_text().rstrip(";\n").split(";\n")
    for statement in statements:
        connection.execute(statement.encode())
    for _, definition in indexes:
        connection.execute(definition.replace(" ON ONLY ", " ON ").encode())  # and on every partition
    connection.execute(last.encode())


def _url(store: Store, role: str) -> str:
    return urlunsplit(urlsplit(store.site.url(role))._replace(path=f"/{DATABASE}"))


def explain(connection: psycopg.Connection[Any], statement: str, values: dict[str, Any]) -> dict[str, Any]:
    """The plan of a statement, which is not run."""
    row = connection.execute(f"explain (format json) {statement}".encode(), values).fetchone()
    assert row
    return row[0][0]["Plan"]


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The plan and everything below it."""
    yield plan
    for below in plan.get("Plans", ()):
        yield from nodes(below)


def indexes_of(plan: dict[str, Any]) -> set[str]:
    """Every index that the plan reads, or asks whether a row is there already."""
    return {
        name
        for node in nodes(plan)
        for name in [node.get("Index Name"), *node.get("Conflict Arbiter Indexes", ())]
        if name
    }
