"""Changes: a feed in the order of commits, from which a client that was away catches up without a gap."""

from __future__ import annotations

import asyncio
from uuid import UUID

import pytest

from postroom.model import Account, TenantId
from postroom.store import accounts, changes
from postroom.store.database import Database, TenantTx

pytestmark = pytest.mark.anyio
ONE, TWO = UUID(int=1), UUID(int=2)


async def test_what_changed_comes_back_in_order_after_any_number(tx: TenantTx, account: Account) -> None:
    for number in (1, 2, 3):
        assert await changes.next_modseq(tx, account.id) == number
        await changes.append(tx, account.id, number, "created", "message", [ONE, TWO])
    await changes.append(tx, account.id, 3, "deleted", "thread", [ONE])
    found = await changes.since(tx, account.id, 1)
    assert [(each.modseq, each.kind, each.object_type) for each in found] == [
        (2, "created", "message"),
        (3, "created", "message"),
        (3, "deleted", "thread"),
    ]
    assert found[0].object_ids == (ONE, TWO)
    assert await changes.since(tx, account.id, 3) == []


async def test_a_long_feed_comes_in_pieces(tx: TenantTx, account: Account) -> None:
    for number in range(1, 6):
        await changes.append(tx, account.id, number, "updated", "message", [ONE])
    first = await changes.since(tx, account.id, 0, limit=3)
    rest = await changes.since(tx, account.id, first[-1].modseq, limit=3)
    assert [each.modseq for each in [*first, *rest]] == [1, 2, 3, 4, 5]


async def test_nothing_changed_is_nothing_said(tx: TenantTx, account: Account) -> None:
    await changes.append(tx, account.id, 1, "created", "message", [])
    assert await changes.since(tx, account.id, 0) == []


async def test_what_was_rolled_back_leaves_no_gap(db: Database, tenant_id: TenantId) -> None:
    async with db.tenant(tenant_id) as tx:
        account = await accounts.ensure(tx, "me@example.com")

    async def fail() -> None:
        async with db.tenant(tenant_id) as tx:
            await changes.next_modseq(tx, account.id)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fail()
    async with db.tenant(tenant_id) as tx:
        assert await changes.next_modseq(tx, account.id) == 1


async def test_writers_of_one_account_stand_in_a_row(db: Database, tenant_id: TenantId) -> None:
    """The second gets its number when the first has committed: a reader never sees 2 before 1."""
    async with db.tenant(tenant_id) as tx:
        account = await accounts.ensure(tx, "me@example.com")
    ended: list[str] = []

    async def second() -> None:
        async with db.tenant(tenant_id) as tx:
            assert await changes.next_modseq(tx, account.id) == 2
            ended.append("second")

    async with db.tenant(tenant_id) as tx:
        assert await changes.next_modseq(tx, account.id) == 1
        waiting = asyncio.create_task(second())
        await asyncio.sleep(0.3)
        ended.append("first")
    await waiting
    assert ended == ["first", "second"]
