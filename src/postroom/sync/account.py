"""One account: every folder of its server compared with the store, and made equal."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import partial

from postroom.blobs import Blobs
from postroom.model import Account, Folder, FolderState, SourceFolder, TenantId
from postroom.settings import Settings
from postroom.store import accounts, changes, folders, placements, quarantine
from postroom.store.database import Database
from postroom.sync import statistics
from postroom.sync.aside import aside
from postroom.sync.batches import Batch, batches
from postroom.sync.heartbeat import heartbeat
from postroom.sync.ingest import Arrival, Tally, ingest
from postroom.sync.plan import Fetch, Forget, Hold, Reflag, Restart, plan
from postroom.wire.imap import ImapSource

Report = Callable[[str, int, int], None]
"""Told (folder, messages done, messages to do) after every batch."""
_UIDS_AT_ONCE = 5000


class AccountSync:
    """Brings one account up to date. Each batch is one transaction with its placements; what was committed stays,
    so that a run that ends anywhere is gone on with by the next."""

    def __init__(
        self,
        db: Database,
        blobs: Blobs,
        settings: Settings,
        tenant_id: TenantId,
        account: Account,
        source: ImapSource,
    ) -> None:
        self._db = db
        self._blobs = blobs
        self._settings = settings
        self._tenant_id = tenant_id
        self._account = account
        self._source = source
        self._batches = 0
        self.expected: int | None = None
        """How many messages this run is to bring in, once that is known; servers without LIST-STATUS do not tell."""

    async def run(self, *, accept_empty: bool = False, report: Report = lambda *_: None) -> Tally:
        """Compare and mend every folder. Raises SourceError where the server cannot be gone on with."""
        began = time.monotonic()
        tally = Tally()
        problem: str | None = accounts.INTERRUPTED
        try:
            async with heartbeat(self._db, self._tenant_id, self._account.id):
                looked_at = await self._looked_at()
                self.expected = _missing(looked_at)
                for listed, folder, remote in looked_at:
                    tally.add(
                        await self._folder(listed, folder, remote, accept_empty=accept_empty, report=report)
                    )
            problem = "; ".join(tally.held) or None
        except Exception as error:
            problem = str(error)
            raise
        finally:
            async with self._db.tenant(self._tenant_id) as tx:
                await accounts.sync_ended(tx, self._account.id, last_error=problem)
        tally.seconds = time.monotonic() - began
        return tally

    async def _looked_at(self) -> list[tuple[SourceFolder, Folder, FolderState | None]]:
        """The folders of the server with ours, and their numbers where one question gives them all."""
        listed = await aside(self._source.folders)
        numbers = await aside(self._source.states)
        async with self._db.tenant(self._tenant_id) as tx:
            ours = await folders.ensure(tx, self._account.id, listed)
        return [(each, ours[each.name], numbers.get(each.wire_name)) for each in listed if each.is_selectable]

    async def _folder(
        self,
        listed: SourceFolder,
        folder: Folder,
        numbers: FolderState | None,
        *,
        accept_empty: bool,
        report: Report,
    ) -> Tally:
        if numbers is not None and _agrees(folder, numbers):
            return Tally()
        local = await self._local(folder)
        known = local if folder.highestmodseq is not None else None
        remote = await aside(partial(self._source.state, listed, known))
        tally = Tally()
        for action in plan(local, remote, accept_empty=accept_empty):
            match action:
                case Hold(reason=reason):
                    tally.held.append(
                        f"{folder.name} was left as it is: {reason}; if that is right, sync with --accept-empty"
                    )
                    return tally
                case Reflag(words=words):
                    tally.reflagged += await self._reflag(folder, remote, words)
                case Forget(uids=uids):
                    tally.vanished += await self._forget(folder, remote, uids)
                case Fetch(uids=uids):
                    tally.add(await self._fetch(listed, folder, remote, uids, report))
                case Restart():
                    pass  # everything is matched anew first; the old numbering goes at the end
        async with self._db.tenant(self._tenant_id) as tx:
            modseq = await changes.next_modseq(tx, self._account.id)
            void = await placements.forget_generation(tx, folder.id, remote.uidvalidity or 0)
            alive, gone = await placements.settle(tx, void)
            await changes.append(tx, self._account.id, modseq, "updated", "message", alive)
            await changes.append(tx, self._account.id, modseq, "deleted", "message", gone)
            tally.vanished += len(gone)
            token = f"{remote.uidvalidity}:{remote.uidnext}:{remote.highestmodseq}"
            await folders.set_state(tx, folder.id, remote, sync_token=token)
        return tally

    async def _local(self, folder: Folder) -> FolderState:
        async with self._db.tenant(self._tenant_id) as tx:
            uids = await placements.living(tx, folder.id, folder.uidvalidity or 0)
            if not uids and folder.uidvalidity is None:
                return FolderState(uidvalidity=None)
        return FolderState(
            uidvalidity=folder.uidvalidity,
            uidnext=folder.uidnext,
            highestmodseq=folder.highestmodseq,
            exists=len(uids),
            uids=uids,
        )

    async def _fetch(
        self, listed: SourceFolder, folder: Folder, remote: FolderState, uids: tuple[int, ...], report: Report
    ) -> Tally:
        uidvalidity = remote.uidvalidity or 0
        async with self._db.tenant(self._tenant_id) as tx:
            there = await placements.living(tx, folder.id, uidvalidity)
        wanted = [uid for uid in uids if uid not in there]  # an earlier run brought in a part of them
        tally, done = Tally(), 0
        messages = self._source.messages(listed, wanted)
        async for batch in batches(
            messages, max_messages=self._settings.batch_messages, max_bytes=self._settings.batch_bytes
        ):
            tally.add(await self._keep(folder, uidvalidity, batch))
            if len(batch.prepared) >= statistics.WORTH_MESSAGES:  # not after each letter that comes in
                self._batches += 1
                await statistics.refresh(self._db, self._batches)
            done += len(batch.prepared) + len(batch.unreadable)
            report(folder.name, done, len(wanted))
        return tally

    async def _keep(self, folder: Folder, uidvalidity: int, batch: Batch) -> Tally:
        arrivals = [
            Arrival(prepared=each, places=((folder, uidvalidity, each.raw.uid),)) for each in batch.prepared
        ]
        async with self._db.tenant(self._tenant_id) as tx:
            tally = await ingest(tx, self._blobs, self._account, arrivals, {folder.name: batch.unreadable})
            await quarantine.resolve(
                tx, self._account.id, folder.name, [each.raw.where for each in batch.prepared]
            )
        return tally

    async def _reflag(self, folder: Folder, remote: FolderState, words: Mapping[int, frozenset[str]]) -> int:
        async with self._db.tenant(self._tenant_id) as tx:
            modseq = await changes.next_modseq(tx, self._account.id)
            touched = await placements.reflag(tx, folder.id, remote.uidvalidity or 0, words)
            await placements.settle(tx, touched)
            await changes.append(tx, self._account.id, modseq, "updated", "message", touched)
        return len(touched)

    async def _forget(self, folder: Folder, remote: FolderState, uids: tuple[int, ...]) -> int:
        async with self._db.tenant(self._tenant_id) as tx:
            modseq = await changes.next_modseq(tx, self._account.id)
            touched = await placements.forget(tx, folder.id, remote.uidvalidity or 0, uids)
            alive, gone = await placements.settle(tx, touched)
            await changes.append(tx, self._account.id, modseq, "updated", "message", alive)
            await changes.append(tx, self._account.id, modseq, "deleted", "message", gone)
        return len(touched)


def _missing(looked_at: list[tuple[SourceFolder, Folder, FolderState | None]]) -> int | None:
    """How many messages the server has more than we, if it told."""
    counted = [(numbers.exists, folder.total_count) for _, folder, numbers in looked_at if numbers]
    if len(counted) < len(looked_at):
        return None
    return sum(max(0, (exists or 0) - ours) for exists, ours in counted)


def _agrees(folder: Folder, numbers: FolderState) -> bool:
    """Whether the server's numbers are those of the last agreement: nothing to do, nothing to load."""
    return (
        numbers.highestmodseq is not None
        and folder.total_count == numbers.exists
        and (folder.uidvalidity, folder.uidnext, folder.highestmodseq)
        == (numbers.uidvalidity, numbers.uidnext, numbers.highestmodseq)
    )
