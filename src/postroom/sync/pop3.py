"""One POP3 account: what the server has and we never had is brought in; what we keep may then go there."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial

from postroom.blobs import Blobs
from postroom.ids import now_ms
from postroom.model import Account, Folder, FolderState, TenantId
from postroom.settings import Settings
from postroom.store import folders, placements, quarantine
from postroom.store.database import Database
from postroom.sync import statistics
from postroom.sync.aside import aside
from postroom.sync.batches import Batch, batches
from postroom.sync.folder import WORTH_MESSAGES
from postroom.sync.heartbeat import heartbeat
from postroom.sync.ingest import Arrival, Tally, ingest
from postroom.sync.progress import Report
from postroom.wire.pop3 import INBOX, NUMBERING, Pop3Source

_DAY_MS = 24 * 60 * 60 * 1000


class Pop3Sync:
    """Brings one account up to date. A message is known by its UIDL, which is committed with it: a run that ends
    anywhere is gone on with by the next. What leaves the server stays here, for most programs empty it."""

    def __init__(
        self,
        db: Database,
        blobs: Blobs,
        settings: Settings,
        tenant_id: TenantId,
        account: Account,
        source: Pop3Source,
    ) -> None:
        self._db = db
        self._blobs = blobs
        self._settings = settings
        self._tenant_id = tenant_id
        self._account = account
        self._source = source
        self.expected: int | None = None
        """How many messages this run is to bring in, once that is known."""

    async def run(self, *, accept_empty: bool = False, report: Report = lambda *_: None) -> Tally:
        """Fetch what is new, newest first, then delete on the server what the account's rule lets go.

        Raises SourceError where the server cannot be gone on with. `accept_empty` means nothing here.
        """
        began = time.monotonic()
        async with heartbeat(self._db, self._tenant_id, self._account.id):
            tally = await self._follow(report)
        tally.seconds = time.monotonic() - began
        return tally

    async def _follow(self, report: Report) -> Tally:
        remote = await aside(partial(self._source.state, INBOX))
        async with self._db.tenant(self._tenant_id) as tx:
            folder = (await folders.ensure(tx, self._account.id, [INBOX]))[INBOX.name]
            taken = await placements.taken(tx, folder.id, NUMBERING)
            await quarantine.let_go(tx, self._account.id, folder.name, NUMBERING, remote.uids)
        wanted = [uid for uid in reversed(list(remote.uids)) if uid not in taken]
        self.expected = len(wanted)
        tally = await self._fetch(folder, wanted, report)
        async with self._db.tenant(self._tenant_id) as tx:
            await folders.set_state(
                tx, folder.id, FolderState(uidvalidity=NUMBERING), sync_token=f"pop3:{remote.exists}"
            )
        tally.removed = await self._remove(folder)
        return tally

    async def _fetch(self, folder: Folder, wanted: Sequence[int], report: Report) -> Tally:
        tally, done, count = Tally(), 0, 0
        async for batch in batches(
            self._source.messages(INBOX, wanted),
            max_messages=self._settings.batch_messages,
            max_bytes=self._settings.batch_bytes,
        ):
            tally.add(await self._keep(folder, batch))
            if len(batch.prepared) >= WORTH_MESSAGES:
                count += 1
                await statistics.refresh(self._db, count)
            done += len(batch.prepared) + len(batch.unreadable)
            report(folder.name, done, len(wanted))
        return tally

    async def _keep(self, folder: Folder, batch: Batch) -> Tally:
        arrivals = [
            Arrival(prepared=each, places=((folder, NUMBERING, each.raw.uid),)) for each in batch.prepared
        ]
        async with self._db.tenant(self._tenant_id) as tx:
            tally = await ingest(
                tx,
                self._blobs,
                self._account,
                arrivals,
                {folder.name: batch.unreadable},
                uidvalidity=NUMBERING,
            )
            await quarantine.resolve(
                tx, self._account.id, folder.name, [each.raw.where for each in batch.prepared]
            )
        return tally

    async def _remove(self, folder: Folder) -> int | None:
        """Delete on the server what has been committed here for long enough: read again, for that is the proof."""
        days = self._account.server_keep_days
        if days is None:
            return None
        async with self._db.tenant(self._tenant_id) as tx:
            taken = await placements.taken(tx, folder.id, NUMBERING)
        before = now_ms() - days * _DAY_MS
        due = [uid for uid, created_at in taken.items() if created_at <= before]
        return await aside(partial(self._source.remove, due)) if due else 0
