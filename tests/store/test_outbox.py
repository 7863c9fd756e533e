"""Outbox: the same request twice is done once, and two workers never take the same."""

from __future__ import annotations

from typing import Any

import pytest

from postroom.ids import new_id
from postroom.model import Account, AccountId, TenantId
from postroom.sql import queries
from postroom.store import accounts
from postroom.store.database import Database, TenantTx

pytestmark = pytest.mark.anyio
QUERIES = queries("outbox")


async def _enqueue(tx: TenantTx, account_id: AccountId, key: str | None, *, at: int = 0) -> Any:
    rows = await tx.rows(
        QUERIES.enqueue,
        id=new_id(),
        account_id=account_id,
        kind="send",
        payload="{}",
        idempotency_key=key,
        not_before=at,
        at=at,
    )
    return rows[0]["id"]


async def test_the_same_request_twice_is_done_once(tx: TenantTx, account: Account) -> None:
    other = await accounts.ensure(tx, "other@example.com")
    first = await _enqueue(tx, account.id, "key")
    assert await _enqueue(tx, account.id, "key") == first
    assert await _enqueue(tx, account.id, "another") != first
    assert await _enqueue(tx, other.id, "key") != first
    assert await _enqueue(tx, account.id, None) != await _enqueue(tx, account.id, None)


async def test_what_is_due_comes_the_longest_waiting_first(tx: TenantTx, account: Account) -> None:
    made = [await _enqueue(tx, account.id, None, at=at) for at in (30, 10, 20)]
    found = await tx.rows(QUERIES.due, account_id=account.id, at=20, limit=10)
    assert [each["id"] for each in found] == [made[1], made[2]]


async def test_two_workers_never_take_the_same(db: Database, tenant_id: TenantId) -> None:
    async with db.tenant(tenant_id) as tx:
        account = await accounts.ensure(tx, "me@example.com")
        made = {await _enqueue(tx, account.id, None, at=at) for at in (1, 2, 3)}
    asked = {"account_id": account.id, "at": 10}
    async with db.tenant(tenant_id) as one, db.tenant(tenant_id) as other:
        first = await one.rows(QUERIES.due, limit=2, **asked)
        second = await other.rows(QUERIES.due, limit=2, **asked)
    taken = [each["id"] for each in [*first, *second]]
    assert (len(taken), set(taken)) == (3, made)
