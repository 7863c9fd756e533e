"""Push: the accounts that a worker waits for news of, each on its own quiet connection."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Collection, Coroutine, Hashable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from uuid import UUID

from postroom.errors import PostroomError, SourceError, StoreError, TenantErasing, TenantSuspended
from postroom.model import Account, AccountId, Folder, FolderState, SourceFolder, TenantId
from postroom.settings import Settings
from postroom.store import folders, jobs
from postroom.store.database import Database
from postroom.store.jobs import Lease
from postroom.sync.aside import aside
from postroom.wire.idle import IdleThread, News
from postroom.wire.imap import ImapSource
from postroom.wire.throttling import BY_ACCOUNT

log = logging.getLogger("postroom.push")
_SHORT_SECONDS = 60.0
"""A connection that ended sooner is not offered again at once."""
_LOOK_SECONDS = 60.0


@dataclass(slots=True)
class _Watched:
    tenant_id: TenantId
    reach: Hashable
    """How the server is reached, and which folders are wanted: with another the connections are made anew."""
    folders: set[str] = field(default_factory=set)


class Push:
    """Call `after_sync` behind each sync; `nudge` is called when an account has become due by news of it."""

    def __init__(self, db: Database, worker_id: UUID, settings: Settings, nudge: Callable[[], None]) -> None:
        loop = asyncio.get_running_loop()
        self._db, self._worker_id, self._settings, self._nudge = db, worker_id, settings, nudge
        self._accounts: dict[AccountId, _Watched] = {}
        self._without: set[Hashable] = set()
        self._woken: set[AccountId] = set()
        self._short_lived: dict[AccountId, int] = {}
        self._tasks: set[asyncio.Task[None]] = set()

        def told(key: Hashable, what: News, seconds: float) -> None:
            with suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(self._heard, key, what, seconds)

        self._thread = IdleThread(told, refresh_seconds=settings.push_refresh_seconds)
        self._do(self._look_after())

    @property
    def connections(self) -> int:
        """How many wait now."""
        return sum(len(each.folders) for each in self._accounts.values())

    def sync_begins(self, account_id: AccountId) -> None:
        """What is heard from now on is news again."""
        self._woken.discard(account_id)

    async def after_sync(self, lease: Lease, account: Account, source: ImapSource) -> None:
        """Wait for news of the account from now on, if it can be waited for and nobody does."""
        room = BY_ACCOUNT.get((account.hostname or "").lower(), self._settings.connections_per_account) - 1
        wanted = list(account.push_folders)[: max(0, room)]
        reach = (
            account.hostname,
            account.port,
            account.encryption,
            account.username,
            account.credential_id,
            *wanted,
        )
        watched = self._accounts.get(account.id)
        if watched and watched.reach != reach:
            self._drop(account.id)
            watched = None
        missing = [name for name in wanted if not watched or name not in watched.folders]
        is_full = self.connections + len(missing) > self._settings.push_connections
        if not missing or is_full or reach in self._without:
            return
        async with self._db.tenant(lease.tenant_id) as tx:
            if not await jobs.watch(tx, account.id, self._worker_id):
                return
            ours = {each.name: each for each in await folders.of_account(tx, account.id)}
            spelled = await folders.wire_names(tx, account.id, missing)
        watched = self._accounts.setdefault(account.id, _Watched(lease.tenant_id, reach))
        for name in [each for each in missing if each in spelled]:
            listed = SourceFolder(name=name, wire_name=spelled[name])
            if not await self._wait_on(account.id, watched, ours[name], listed, source):
                break
        if not watched.folders:
            self._drop(account.id)
            async with self._db.tenant(lease.tenant_id) as tx:
                await jobs.unwatch(tx, [account.id], self._worker_id)

    async def close(self) -> None:
        """Wait for nothing any more."""
        for task in self._tasks:
            task.cancel()
        self._accounts.clear()
        await aside(self._thread.close)

    async def _wait_on(
        self,
        account_id: AccountId,
        watched: _Watched,
        folder: Folder,
        listed: SourceFolder,
        source: ImapSource,
    ) -> bool:
        try:
            given = await aside(partial(source.watched, listed))
        except SourceError as error:  # the next look at the account tries again
            log.info("account=%s folder=%s waits for no news: %s", account_id, folder.name, error)
            return False
        if given is None:
            self._without.add(watched.reach)
            return False
        connection, now = given
        self._thread.add((account_id, folder.name), connection)
        watched.folders.add(folder.name)
        if _has_changed(folder, now):
            self._heard((account_id, folder.name), "news", 0.0)
        return True

    def _heard(self, key: Any, what: News, seconds: float) -> None:
        account_id, folder_name = key
        watched = self._accounts.get(account_id)
        if watched is None:
            return
        if what == "news":
            self._short_lived.pop(account_id, None)
            if account_id not in self._woken:
                self._woken.add(account_id)
                self._do(self._wake(watched.tenant_id, account_id))
            return
        log.info("account=%s folder=%s the connection ended after %.0f s", account_id, folder_name, seconds)
        self._drop(account_id)
        times = 0 if seconds > _SHORT_SECONDS else self._short_lived.get(account_id, 0) + 1
        self._short_lived[account_id] = times
        wait_seconds = (1 + 4 * random.random()) if times < 2 else min(3600, 30 * 2**times)
        self._do(self._hasten(watched.tenant_id, account_id, wait_seconds))

    async def _wake(self, tenant_id: TenantId, account_id: AccountId) -> None:
        is_wanted = False
        with suppress(TenantSuspended, TenantErasing):
            async with self._db.tenant(tenant_id) as tx:
                is_wanted = await jobs.wake(tx, account_id)
        if is_wanted:
            self._nudge()
        else:
            self._drop(account_id)

    async def _hasten(self, tenant_id: TenantId, account_id: AccountId, wait_seconds: float) -> None:
        async with self._db.tenant(tenant_id) as tx:
            await jobs.hasten(tx, account_id, due_in_ms=int(wait_seconds * 1000))

    async def _look_after(self) -> None:
        """Let go of accounts that were disabled or deleted, or their tenants suspended."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            of_tenants: dict[TenantId, list[AccountId]] = {}
            for account_id, watched in self._accounts.items():
                of_tenants.setdefault(watched.tenant_id, []).append(account_id)
            for tenant_id, account_ids in of_tenants.items():
                for account_id in await self._unwanted(tenant_id, account_ids):
                    self._drop(account_id)

    async def _unwanted(self, tenant_id: TenantId, account_ids: list[AccountId]) -> Collection[AccountId]:
        try:
            async with self._db.tenant(tenant_id) as tx:
                return await jobs.unwanted(tx, account_ids)
        except (TenantSuspended, TenantErasing):
            return account_ids
        except StoreError:
            return ()

    def _drop(self, account_id: AccountId) -> None:
        watched = self._accounts.pop(account_id, None)
        self._woken.discard(account_id)
        for name in watched.folders if watched else ():
            self._thread.remove((account_id, name))

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(_without_trouble(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _without_trouble(work: Coroutine[Any, Any, None]) -> None:
    """The database is away, or the tenant suspended: the interval brings in what was missed."""
    try:
        await work
    except PostroomError as error:
        log.warning("news could not be passed on: %s", error)


def _has_changed(ours: Folder, now: FolderState) -> bool:
    """Whether something came in between the sync and now."""
    return (ours.uidvalidity, ours.uidnext) != (now.uidvalidity, now.uidnext) or (
        ours.total_count != now.exists or ours.highestmodseq != now.highestmodseq
    )
