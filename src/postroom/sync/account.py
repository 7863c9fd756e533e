"""One account: every folder of its server compared with the store, and made equal."""

from __future__ import annotations

import time

from postroom.blobs import Blobs
from postroom.model import Account, Folder, FolderState, SourceFolder, TenantId
from postroom.settings import Settings
from postroom.store import folders, placements
from postroom.store.database import Database
from postroom.sync.aside import aside
from postroom.sync.draft_put import follow_drafts
from postroom.sync.folder import FolderSync, has_mail
from postroom.sync.heartbeat import heartbeat
from postroom.sync.ingest import Tally
from postroom.sync.listing import Listing, as_wanted
from postroom.sync.progress import Report
from postroom.sync.write_back import write_back
from postroom.wire.imap import ImapSource


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
        self.expected: int | None = None
        """How many messages this run is to bring in, once that is known; servers without LIST-STATUS do not tell."""

    async def run(
        self,
        *,
        accept_empty: bool = False,
        looks_at_all: bool = False,
        report: Report = lambda *_: None,
    ) -> Tally:
        """Compare and mend every folder; with `looks_at_all` also where the server's numbers say that nothing
        changed. Raises SourceError where the server cannot be gone on with."""
        began = time.monotonic()
        tally = Tally()
        async with heartbeat(self._db, self._tenant_id, self._account.id) as troubles:
            await self._bring_up(tally, accept_empty=accept_empty, looks_at_all=looks_at_all, report=report)
            troubles += tally.held
        tally.seconds = time.monotonic() - began
        return tally

    async def _bring_up(
        self, tally: Tally, *, accept_empty: bool, looks_at_all: bool, report: Report
    ) -> None:
        pushed = await write_back(self._db, self._blobs, self._tenant_id, self._account, self._source)
        worker = await self._worker()
        looked_at = await self._looked_at(tally, accept_empty=accept_empty)
        self.expected = _missing(looked_at)
        for listed, folder, numbers in looked_at:
            if looks_at_all or numbers is None or not await self._agrees(folder, numbers):
                done = await worker.bring_up(
                    listed, folder, accept_empty=accept_empty, report=report, looks_at_all=looks_at_all
                )
                tally.add(done)
        if pushed.is_held_up:
            last = write_back(
                self._db, self._blobs, self._tenant_id, self._account, self._source, is_last=True
            )
            pushed.add(await last)
        await follow_drafts(self._db, self._blobs, self._tenant_id, self._account)
        tally.pushed, tally.refused = pushed.done, pushed.refused
        tally.notes += pushed.problems

    async def _worker(self) -> FolderSync:
        async with self._db.tenant(self._tenant_id) as tx:
            had_mail = await has_mail(tx, self._account)
        return FolderSync(
            self._db,
            self._blobs,
            self._settings,
            self._tenant_id,
            self._account,
            self._source,
            had_mail=had_mail,
        )

    async def _looked_at(
        self, tally: Tally, *, accept_empty: bool
    ) -> list[tuple[SourceFolder, Folder, FolderState | None]]:
        """The folders of the server with ours, and their numbers where one question gives them all."""
        found = await aside(self._source.folders)
        async with self._db.tenant(self._tenant_id) as tx:
            listed = await as_wanted(tx, self._account, found)
        numbers = await aside(self._source.states)
        listing = Listing(self._db, self._tenant_id, self._account, self._source)
        followed = await listing.follow(listed, numbers, accept_empty=accept_empty)
        tally.vanished += followed.vanished
        tally.held += followed.held
        tally.notes += followed.notes
        listed += followed.still_there
        async with self._db.tenant(self._tenant_id) as tx:
            ours = await folders.ensure(tx, self._account.id, listed)
        return [(each, ours[each.name], numbers.get(each.wire_name)) for each in listed if each.is_selectable]

    async def _agrees(self, folder: Folder, numbers: FolderState) -> bool:
        """Whether the server's numbers are those of the last agreement: nothing to do, nothing to load."""
        if numbers.highestmodseq is None or (folder.uidvalidity, folder.uidnext, folder.highestmodseq) != (
            numbers.uidvalidity,
            numbers.uidnext,
            numbers.highestmodseq,
        ):
            return False
        if folder.total_count == numbers.exists:
            return True
        # What was removed or purged here is no longer counted, and still on the server.
        async with self._db.tenant(self._tenant_id) as tx:
            return numbers.exists == await placements.count_listed(tx, folder.id, folder.uidvalidity or 0)


def _missing(looked_at: list[tuple[SourceFolder, Folder, FolderState | None]]) -> int | None:
    """How many messages the server has more than we, if it told."""
    counted = [(numbers.exists, folder.total_count) for _, folder, numbers in looked_at if numbers]
    if len(counted) < len(looked_at):
        return None
    return sum(max(0, (exists or 0) - ours) for exists, ours in counted)
