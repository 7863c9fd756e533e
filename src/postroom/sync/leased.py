"""One sync of one account under its lease, from the claim to the time when it is due again."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from postroom.blobs import Blobs
from postroom.errors import LeaseLost
from postroom.model import Account
from postroom.settings import Settings
from postroom.store import accounts, jobs
from postroom.store.credentials import MasterKey
from postroom.store.database import Database
from postroom.store.jobs import Lease
from postroom.sync import retry
from postroom.sync.ingest import Tally
from postroom.sync.lease import kept
from postroom.sync.opening import Source, opened
from postroom.sync.progress import Progress, Report

Duty = Callable[[Database, Account], Awaitable[None]]
"""What else is done for an account while it is ours, such as sending its mail. Writes go through the door that is given."""
After = Callable[[Lease, Account, Source], Awaitable[None]]
_OF_THE_INSTALLATION = 300
"""The `sync_interval` that every account begins with: who has it follows IMAP_POLL_INTERVAL."""


class Paused(Exception):
    """Raised by a report, between two batches: the rest is to come later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What every sync of a process needs."""

    db: Database
    blobs: Blobs
    settings: Settings
    master: MasterKey
    duties: Sequence[Duty] = ()
    """In this order, before the sync: what people want done comes before what the server holds is looked at."""
    chance: Callable[[], float] = field(default=random.random)


async def sync_leased(
    around: Surroundings,
    lease: Lease,
    *,
    accept_empty: bool = False,
    report: Report = lambda *_: None,
    after: After | None = None,
) -> Tally:
    """Sync, then say when the account is due again. Whatever goes wrong is written down and raised.

    Raises Paused where `report` did, LeaseLost where another process has taken over: then nothing more is written.
    """
    try:
        account, tally = await _synced(around, lease, accept_empty=accept_empty, report=report, after=after)
    except LeaseLost:
        raise
    except (Paused, asyncio.CancelledError) as reason:
        async with around.db.tenant(lease.tenant_id, in_any_state=True) as tx:
            if isinstance(reason, Paused):
                await accounts.sync_paused(tx, lease.account_id)
            await jobs.release(tx, lease, due_in_ms=0)
        raise
    except Exception as error:
        async with around.db.tenant(lease.tenant_id, in_any_state=True) as tx:
            failures = await jobs.failures(tx, lease.account_id)
            verdict = retry.after(error, failures, around.chance)
            await jobs.hold(tx, lease)
            await accounts.sync_ended(tx, lease.account_id, last_error=str(error))
            await jobs.release(
                tx,
                lease,
                due_in_ms=int(verdict.seconds * 1000),
                failures=failures + 1,
                trouble=verdict.trouble,
            )
        raise
    async with around.db.tenant(lease.tenant_id) as tx:
        seconds = retry.spread(interval_seconds(account, around.settings), around.chance)
        await jobs.release(tx, lease, due_in_ms=int(seconds * 1000))
    return tally


async def _synced(
    around: Surroundings, lease: Lease, *, accept_empty: bool, report: Report, after: After | None
) -> tuple[Account, Tally]:
    progress = Progress(time.monotonic)

    def reported(folder: str, done: int, total: int) -> None:
        progress.report(folder, done, total)
        report(folder, done, total)

    lease_seconds = around.settings.lease_seconds
    async with kept(around.db, lease, lease_seconds=lease_seconds, advance=progress.advance) as fenced:
        async with fenced.tenant(lease.tenant_id) as tx:
            account = await accounts.by_id(tx, lease.account_id)
        # Tokens are renewed through the open door: they are wanted also when the account is another's by then.
        found = await opened(
            around.db,
            around.blobs,
            around.settings,
            lease.tenant_id,
            account,
            around.master,
            fenced=fenced,
        )
        run = found.worker
        try:
            for duty in around.duties:
                await duty(fenced, account)
            progress.expected = lambda: run.expected
            tally = await run.run(accept_empty=accept_empty, report=reported)
            if after:
                await after(lease, account, found.source)
        finally:
            found.source.close()
    return account, tally


def interval_seconds(account: Account, settings: Settings) -> int:
    """The account's own interval, or the installation's where it has none."""
    if account.sync_interval == _OF_THE_INSTALLATION:
        return settings.imap_poll_interval
    return account.sync_interval
