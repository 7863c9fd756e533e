"""What is due goes out by a worker by itself, of whom it may, and by one of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from uuid import uuid4

import psycopg
import pytest

from postroom.compose.addresses import mailboxes
from postroom.compose.letter import Letter
from postroom.errors import DraftChanged
from postroom.model import Address, OutboxId
from postroom.outbox.posting import Posting
from postroom.posting import post_draft, save_draft, stamp_for
from postroom.store import accounts, drafts, intent_rows, jobs, sends, workers
from tests.outbox.desk import MASTER, Desk
from tests.support.smtp import SmtpServer

pytestmark = pytest.mark.anyio


def _no_tokens(*_: object) -> None:
    raise AssertionError("nobody signs in by token here")


@asynccontextmanager
async def _posting(desk: Desk, *, count: int = 1) -> AsyncIterator[None]:
    stop = asyncio.Event()
    tokens = partial(lambda *_: _no_tokens)
    made = [
        Posting(desk.db, desk.blobs, desk.settings, master=MASTER, tokens=tokens)  # pyright: ignore[reportArgumentType]
        for _ in range(count)
    ]
    tasks = [asyncio.create_task(each.run(stop)) for each in made]
    try:
        yield
    finally:
        stop.set()
        await asyncio.gather(*tasks)


async def _until(desk: Desk, outbox_id: OutboxId, state: str) -> None:
    for _ in range(1200):
        if await desk.state(outbox_id) == state:
            return
        await asyncio.sleep(0.05)
    pytest.fail(f"it never was {state}")


async def _claimed(desk: Desk) -> bool:
    """Whether a worker would get this desk's account now."""
    async with desk.db.system() as tx:
        found = await workers.claim_sends(tx, limit=1000, lease_ms=0)
    return (desk.tenant_id, desk.account.id) in found


async def test_what_is_posted_while_a_worker_runs_is_sent_by_it(desk: Desk, smtp: SmtpServer) -> None:
    async with _posting(desk):
        for number in range(3):
            await _until(desk, await desk.write(f"Number {number}"), "done")
    assert len(smtp.received) == 3
    assert not await _claimed(desk)


async def test_several_workers_send_each_once(desk: Desk, smtp: SmtpServer) -> None:
    written = [await desk.write(f"Number {number}") for number in range(20)]
    async with _posting(desk, count=3):
        for each in written:
            await _until(desk, each, "done")
    assert set(smtp.counts().values()) == {1}
    assert len(smtp.received) == 20


async def test_what_is_for_later_is_due_at_its_time_and_not_before(desk: Desk) -> None:
    outbox_id = await desk.write(in_seconds=3600)
    assert not await _claimed(desk)
    async with desk.db.tenant(desk.tenant_id) as tx:
        await jobs.sends_next(tx, desk.account.id, lost_after_ms=0, look_again_at=0)
    assert not await _claimed(desk)
    desk.later()
    assert await _claimed(desk)
    async with _posting(desk):
        await _until(desk, outbox_id, "done")


async def test_a_worker_that_died_is_followed_by_another(desk: Desk) -> None:
    await desk.write()
    async with desk.db.system() as tx:
        await workers.claim_sends(tx, limit=1000, lease_ms=3_600_000)
    assert not await _claimed(desk)
    _as_superuser(desk, "update email_sync_jobs set send_due_at = send_due_at - 7200000 where tenant_id = %s")
    assert await _claimed(desk)


async def test_nothing_of_a_paused_account_is_sent_until_it_goes_on(desk: Desk) -> None:
    async with desk.db.tenant(desk.tenant_id) as tx:
        await accounts.pause(tx, desk.account.id, is_paused=True)
    await desk.write()
    assert not await _claimed(desk)
    async with desk.db.tenant(desk.tenant_id) as tx:
        await accounts.pause(tx, desk.account.id, is_paused=False)
    assert await _claimed(desk)


@pytest.mark.parametrize("state", ["suspended_at", "erasing_at"])
async def test_nothing_of_a_tenant_that_is_shut_out_is_sent(desk: Desk, state: str) -> None:
    await desk.write()
    _as_superuser(desk, f"update email_tenants set {state} = 1 where tenant_id = %s")
    assert not await _claimed(desk)
    _as_superuser(desk, f"update email_tenants set {state} = null where tenant_id = %s")
    assert await _claimed(desk)


async def test_what_nobody_knows_the_end_of_is_looked_at_again(desk: Desk) -> None:
    await desk.write()
    _as_superuser(desk, "update email_outbox set state = 'unknown' where tenant_id = %s")
    async with desk.db.tenant(desk.tenant_id) as tx:
        await jobs.sends_next(tx, desk.account.id, lost_after_ms=0, look_again_at=0)
    assert await _claimed(desk)


def _as_superuser(desk: Desk, statement: str) -> None:
    with psycopg.connect(desk.store.site.url("postgres"), autocommit=True) as connection:
        connection.execute(statement.encode(), [desk.tenant_id])


async def test_a_draft_that_somebody_else_changed_is_neither_overwritten_nor_sent(desk: Desk) -> None:
    address = desk.account.email_address
    letter = Letter(from_=Address(address=address), to=mailboxes(["bob@example.com"]), text="First")
    stamp = stamp_for(address, uuid4(), datetime.now(UTC))
    async with desk.db.tenant(desk.tenant_id) as tx:
        draft_id = await save_draft(tx, desk.blobs, desk.account.id, letter, stamp)
        read = await drafts.get(tx, draft_id)
    changed = replace(letter, text="Second")
    async with desk.db.tenant(desk.tenant_id) as tx:
        version = (draft_id, read["version"])
        await save_draft(tx, desk.blobs, desk.account.id, changed, stamp, replaces=version)
        now = await drafts.get(tx, draft_id)
    with pytest.raises(DraftChanged):
        async with desk.db.tenant(desk.tenant_id) as tx:
            await save_draft(tx, desk.blobs, desk.account.id, letter, stamp, replaces=version)
    with pytest.raises(DraftChanged):
        async with desk.db.tenant(desk.tenant_id) as tx:
            await post_draft(tx, desk.blobs, read, letter, stamp, not_before=0)
    async with desk.db.tenant(desk.tenant_id) as tx:
        assert await drafts.get(tx, draft_id) == now
        assert await sends.of_account(tx, desk.account.id) == []


async def test_mail_is_posted_while_somebody_changes_the_account(desk: Desk) -> None:
    """Each held what the other waited for, and one of them was ended by the database."""
    async with desk.db.tenant(desk.tenant_id) as tx:
        await tx.rows(intent_rows.QUERIES.hold, account_ids=[desk.account.id])
        async with asyncio.timeout(30):
            await desk.write("Meanwhile")
