"""The door: a tenant or nothing, and nothing half done."""

from __future__ import annotations

import asyncio
from uuid import UUID, uuid4

import pytest

from postroom.errors import DatabaseUnreachable, NotFound
from postroom.model import TenantId
from postroom.sql import queries
from postroom.store import accounts, system
from postroom.store.database import Database
from tests.support.site import Store


def _tenant(store: Store) -> TenantId:
    return TenantId(UUID(store.json("tenant", "create", f"t{uuid4().hex[:12]}")["id"]))


def test_an_error_rolls_back_all_of_the_transaction(store: Store) -> None:
    tenant_id = _tenant(store)

    async def fail(db: Database) -> None:
        async with db.tenant(tenant_id) as tx:
            await accounts.ensure(tx, "a@b.example")
            raise RuntimeError

    async def work() -> None:
        async with Database(store.site.url("email_worker")) as db:
            with pytest.raises(RuntimeError):
                await fail(db)
            async with db.tenant(tenant_id) as tx:
                with pytest.raises(NotFound):
                    await accounts.by_email(tx, "a@b.example")

    asyncio.run(work())


def test_a_connection_forgets_its_tenant_when_the_transaction_ends(store: Store) -> None:
    one, other = _tenant(store), _tenant(store)

    async def work() -> None:
        async with Database(store.site.url("email_worker"), max_connections=1) as db:
            async with db.tenant(one) as tx:
                await accounts.ensure(tx, "a@b.example")
            async with db.tenant(other) as tx:
                assert await accounts.all_accounts(tx) == []
            async with db.tenant(one) as tx:
                assert len(await accounts.all_accounts(tx)) == 1

    asyncio.run(work())


def test_the_door_without_a_tenant_opens_for_its_own_statements_only(store: Store) -> None:
    async def work() -> None:
        async with Database(store.site.url("email_worker")) as db, db.system() as tx:
            assert await system.tenants(tx)
            with pytest.raises(ValueError, match=r"system\.sql"):
                await tx.rows(queries("accounts").all_accounts)

    asyncio.run(work())


def test_a_server_that_is_not_there_is_one_sentence() -> None:
    async def work() -> None:
        async with Database("postgresql://x:y@127.0.0.1:1/none") as db, db.system() as tx:
            await system.tenants(tx)

    with pytest.raises(DatabaseUnreachable, match=r"127\.0\.0\.1:1/none"):
        asyncio.run(work())
