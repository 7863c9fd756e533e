"""Through a real PgBouncer in transaction mode: the program works, and a connection brings nothing of its last user."""

from __future__ import annotations

import asyncio
from pathlib import Path
from uuid import UUID

import psycopg
import pytest

from postroom.errors import StoreError
from postroom.model import Query
from postroom.store import accounts, system
from postroom.store.database import Database
from tests.support.pgbouncer import Bouncer
from tests.support.site import Store

SLEEP = Query(name="system.sleep", text="select pg_sleep(5)")
TENANT = Query(name="system.tenant", text="select current_setting('app.current_tenant_id', true) as tenant")


def test_mail_comes_in_and_is_found(store: Store, bouncer: Bouncer, tmp_path: Path) -> None:
    box, name = tmp_path / "box", store.tenant()
    store.cli("sample", str(box), "--messages", "60")
    through = {"POSTROOM_DATABASE_URL": bouncer.url(store.site.url("postgres"))}
    store.cli("import", "-t", name, "-a", "me@example.com", str(box), **through)
    found = store.json("search", "-t", name, "-n", "100", **through)["items"]
    assert len(found) == 60
    assert found == store.json("search", "-t", name, "-n", "100")["items"]


def test_tenants_that_share_the_connection_see_their_own(store: Store, bouncer: Bouncer) -> None:
    one, other = (_id(store, store.tenant()) for _ in range(2))

    async def addresses(db: Database, tenant_id: UUID) -> list[str]:
        async with db.tenant(tenant_id) as tx:
            return [each.email_address for each in await accounts.all_accounts(tx)]

    async def work() -> None:
        url = bouncer.url(store.site.url("email_worker"))
        async with Database(url) as mine, Database(url) as theirs:
            async with mine.tenant(one) as tx:
                await accounts.ensure(tx, "a@b.example")
            for _ in range(10):
                assert await addresses(theirs, other) == []
                assert await addresses(mine, one) == ["a@b.example"]

    asyncio.run(work())


def test_a_statement_has_its_time_there_too(store: Store, bouncer: Bouncer) -> None:
    async def work() -> None:
        url = bouncer.url(store.site.url("email_worker"))
        async with Database(url, statement_timeout_seconds=1) as db, db.system() as tx:
            with pytest.raises(StoreError, match="statement timeout"):
                await tx.rows(SLEEP)

    asyncio.run(work())


def test_the_door_takes_no_tenant_from_a_session_that_somebody_left(store: Store, bouncer: Bouncer) -> None:
    """What row security cannot stop: a `set` without `local` stays in the connection that others get."""
    tenant_id = _id(store, store.tenant())
    url = bouncer.url(store.site.url("email_worker"))
    with psycopg.connect(url, autocommit=True) as careless:
        careless.execute(f"set app.current_tenant_id = '{tenant_id}'".encode())

    async def work() -> None:
        async with Database(url) as db, db.system() as tx:
            assert await tx.rows(TENANT) == [{"tenant": ""}]
            assert await system.tenants(tx)

    asyncio.run(work())
    with psycopg.connect(url, autocommit=True) as next_one:
        row = next_one.execute(b"select current_setting('app.current_tenant_id', true)").fetchone()
        assert row == (str(tenant_id),)
        next_one.execute(b"reset app.current_tenant_id")


def _id(store: Store, name: str) -> UUID:
    with store.connect("postgres") as connection:
        row = connection.execute(b"select tenant_id from email_tenants where name = %s", [name]).fetchone()
    assert row
    return row[0]
