"""Sync jobs: who may sync what, for how long, in which order, and what a lost lease may still write: nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID, uuid4

import pytest

from postroom.errors import LeaseLost
from postroom.ids import new_id
from postroom.model import Account, AccountId, TenantId
from postroom.store import accounts, credentials, jobs, workers
from postroom.store.credentials import MasterKey
from postroom.store.database import Database
from postroom.store.jobs import Advance, Lease
from tests.store.mailroom import new_tenant
from tests.support.site import Store

pytestmark = pytest.mark.anyio
MASTER = MasterKey("test", bytes(32))
LEASE_MS = 60_000


@pytest.fixture(autouse=True)
def _nothing_else_is_due(store: Store) -> None:
    """A claim looks at all tenants: what other tests have left is not due."""
    with store.connect("postgres") as connection:
        connection.execute(b"update email_sync_jobs set due_at = null, worker_id = null, watcher_id = null")
        connection.execute(b"delete from email_workers")


async def mailbox(
    db: Database, tenant_id: TenantId, email: str = "a@example.com", host: str = "imap.example.com"
) -> Account:
    """An account with a server and a secret: due at once."""
    async with db.tenant(tenant_id) as tx:
        account = await accounts.ensure(tx, email)
        credential_id = await credentials.put_password(tx, account.id, "secret", MASTER)
        await accounts.connect(
            tx,
            account.id,
            protocol="imap",
            hostname=host,
            port=993,
            encryption="tls",
            username=email,
            credential_id=credential_id,
        )
        return await accounts.by_id(tx, account.id)


async def claim(
    db: Database,
    worker_id: UUID | None = None,
    *,
    limit: int = 10,
    per_host: int = 1000,
    lease_ms: int = LEASE_MS,
) -> list[Lease]:
    async with db.system() as tx:
        return await workers.claim(
            tx,
            worker_id or new_id(),
            limit=limit,
            lease_ms=lease_ms,
            per_host=per_host,
            uncounted_hosts=["imap.gmail.com"],
        )


async def release(db: Database, lease: Lease, *, due_in_ms: int = 3_600_000) -> None:
    async with db.tenant(lease.tenant_id) as tx:
        await jobs.release(tx, lease, due_in_ms=due_in_ms)


@asynccontextmanager
async def beating(db: Database, worker_id: UUID, *, dead_ms: int = 60_000) -> AsyncIterator[None]:
    async with db.system() as tx:
        await workers.beat(
            tx,
            worker_id,
            host="here",
            pid=1,
            concurrency=4,
            running=0,
            watching=1,
            is_stopping=False,
            dead_ms=dead_ms,
        )
    yield


def account_ids(leases: list[Lease]) -> set[AccountId]:
    return {lease.account_id for lease in leases}


async def test_an_account_with_a_server_is_due_at_once_and_one_without_never(
    db: Database, tenant_id: TenantId
) -> None:
    async with db.tenant(tenant_id) as tx:
        await accounts.ensure(tx, "imported@example.com")
    assert await claim(db) == []
    account = await mailbox(db, tenant_id)
    found = await claim(db)
    assert [(each.tenant_id, each.account_id) for each in found] == [(tenant_id, account.id)]


async def test_an_account_is_one_process_s_until_it_is_released(db: Database, tenant_id: TenantId) -> None:
    account = await mailbox(db, tenant_id)
    (lease,) = await claim(db)
    assert await claim(db) == []
    async with db.tenant(tenant_id) as tx:
        assert await jobs.acquire(tx, account.id, new_id(), lease_ms=LEASE_MS) is None
    await release(db, lease)
    assert await claim(db) == []
    async with db.tenant(tenant_id) as tx:
        assert await jobs.acquire(tx, account.id, new_id(), lease_ms=LEASE_MS)


async def test_whoever_lost_an_account_writes_nothing_more_of_it(db: Database, tenant_id: TenantId) -> None:
    account = await mailbox(db, tenant_id)
    (old,) = await claim(db, lease_ms=0)
    (new,) = await claim(db)
    assert (new.account_id, new.token) == (account.id, old.token + 1)
    fenced = db.watched(lambda tx: jobs.hold(tx, old))
    with pytest.raises(LeaseLost):
        async with fenced.tenant(tenant_id) as tx:
            await accounts.sync_ended(tx, account.id, last_error="written by a ghost")
    async with db.tenant(tenant_id) as tx:
        assert (await accounts.by_id(tx, account.id)).last_error is None
        assert not await jobs.extend(tx, old, lease_ms=LEASE_MS, advance=Advance())
        await jobs.release(tx, old, due_in_ms=0)
    assert await claim(db) == []
    async with db.watched(lambda tx: jobs.hold(tx, new)).tenant(tenant_id) as tx:
        await accounts.sync_ended(tx, account.id, last_error=None)


async def test_a_commit_under_way_is_not_taken_over(db: Database, tenant_id: TenantId) -> None:
    await mailbox(db, tenant_id)
    (lease,) = await claim(db, lease_ms=0)
    async with db.tenant(tenant_id) as tx:
        await jobs.hold(tx, lease)
        assert await claim(db) == []
    assert len(await claim(db)) == 1


async def test_tenants_take_turns_however_much_one_of_them_has(store: Store, db: Database) -> None:
    large, small = new_tenant(store), new_tenant(store)
    for number in range(30):
        await mailbox(db, large, f"{number}@example.com")
    only = await mailbox(db, small)
    first = await claim(db, limit=4)
    assert only.id in account_ids(first)
    later = await mailbox(db, small, "later@example.com")
    for lease in first[:2]:
        await release(db, lease)
    assert later.id in account_ids(await claim(db, limit=2))


async def test_of_a_tenant_the_longest_waiting_comes_first_and_news_before_all(
    db: Database, tenant_id: TenantId
) -> None:
    made = [await mailbox(db, tenant_id, f"{number}@example.com") for number in range(4)]
    async with db.tenant(tenant_id) as tx:
        assert await jobs.wake(tx, made[3].id)
    assert account_ids(await claim(db, limit=2)) == {made[3].id, made[0].id}


async def test_news_during_a_sync_makes_it_due_again(db: Database, tenant_id: TenantId) -> None:
    account = await mailbox(db, tenant_id)
    (lease,) = await claim(db)
    async with db.tenant(tenant_id) as tx:
        await jobs.wake(tx, account.id)
    assert await claim(db) == []
    await release(db, lease)
    (again,) = await claim(db)
    assert again.is_woken
    await release(db, again)
    assert await claim(db) == []


async def test_a_host_has_so_many_and_no_more_but_one_that_counts_by_account(
    store: Store, db: Database, tenant_id: TenantId
) -> None:
    other = new_tenant(store)
    for number in range(6):
        await mailbox(db, tenant_id, f"{number}@example.com", "IMAP.example.com")
        await mailbox(db, other, f"{number}@example.com", "imap.example.com")
        await mailbox(db, tenant_id, f"{number}@gmail.com", "imap.gmail.com")
    found = await claim(db, limit=50, per_host=5)
    assert len(found) == 5 + 6
    assert {each.tenant_id for each in found} == {tenant_id, other}
    assert await claim(db, limit=50, per_host=5) == []
    await release(db, next(each for each in found if each.tenant_id == other))
    assert len(await claim(db, limit=50, per_host=5)) == 1


@pytest.mark.parametrize("column", ["is_enabled", "is_sync_enabled"])
async def test_a_disabled_account_is_left_alone_until_it_is_enabled(
    store: Store, db: Database, tenant_id: TenantId, column: str
) -> None:
    account = await mailbox(db, tenant_id)
    with store.connect("postgres") as connection:
        change = f"update email_accounts set {column} = %s where id = %s".encode()
        connection.execute(change, [False, account.id])
        assert await claim(db) == []
        async with db.tenant(tenant_id) as tx:
            assert not await jobs.wake(tx, account.id)
            assert await jobs.unwanted(tx, [account.id]) == {account.id}
        connection.execute(change, [True, account.id])
    assert len(await claim(db)) == 1


async def test_a_changed_password_is_tried_at_once(db: Database, tenant_id: TenantId) -> None:
    await mailbox(db, tenant_id)
    (lease,) = await claim(db)
    async with db.tenant(tenant_id) as tx:
        await jobs.release(tx, lease, due_in_ms=3_600_000, failures=4, trouble="refused")
    assert await claim(db) == []
    account = await mailbox(db, tenant_id)
    async with db.tenant(tenant_id) as tx:
        state = (await jobs.of_tenant(tx))[account.id]
    assert (state.failures, state.trouble) == (0, None)
    assert len(await claim(db)) == 1


async def test_what_a_dead_worker_watched_is_due_at_once_and_anothers_to_watch(
    db: Database, tenant_id: TenantId
) -> None:
    dead, alive = uuid4(), uuid4()
    account = await mailbox(db, tenant_id)
    async with beating(db, dead):
        (lease,) = await claim(db, dead)
    async with db.tenant(tenant_id) as tx:
        assert await jobs.watch(tx, account.id, dead)
    await release(db, lease)
    async with beating(db, alive), db.tenant(tenant_id) as tx:
        assert not await jobs.watch(tx, account.id, alive)
    async with beating(db, alive, dead_ms=-1), db.system() as tx:
        assert [each.id for each in await workers.all_workers(tx)] == [alive]
    assert len(await claim(db)) == 1
    async with db.tenant(tenant_id) as tx:
        assert await jobs.watch(tx, account.id, alive)
    async with db.system() as tx:
        await workers.gone(tx, alive)
        assert await workers.all_workers(tx) == []
