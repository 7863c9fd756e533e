"""One folder of a server compared with ours, and made equal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

from postroom.blobs import Blobs
from postroom.model import Account, Folder, FolderState, MessageId, Sighting, SourceFolder, TenantId
from postroom.settings import Settings
from postroom.store import changes, folders, messages, placements, quarantine
from postroom.store.database import Database, TenantTx
from postroom.sync import statistics
from postroom.sync.aside import aside
from postroom.sync.batches import Batch, batches
from postroom.sync.ingest import Arrival, Tally, ingest
from postroom.sync.plan import Fetch, Forget, Hold, Reflag, Restart, is_unchanged, plan, reflagged
from postroom.sync.progress import Report
from postroom.sync.recognise import recognise
from postroom.wire.imap import ImapSource

_PLACED_AT_ONCE = 2000
_LET_GO = "the server let it go before it was fetched"

WORTH_MESSAGES = 25
"""What a batch must hold for the statistics to be taken after it."""


class FolderSync:
    """Brings folders up to date, one after the other. Each batch is one transaction with its placements."""

    def __init__(
        self,
        db: Database,
        blobs: Blobs,
        settings: Settings,
        tenant_id: TenantId,
        account: Account,
        source: ImapSource,
        *,
        had_mail: bool,
    ) -> None:
        self._db = db
        self._blobs = blobs
        self._settings = settings
        self._tenant_id = tenant_id
        self._account = account
        self._source = source
        self._had_mail = had_mail
        self._batches = 0

    async def bring_up(
        self,
        listed: SourceFolder,
        folder: Folder,
        *,
        accept_empty: bool,
        report: Report,
        looks_at_all: bool = False,
    ) -> Tally:
        """Look, decide, act; the numbers are remembered last. `looks_at_all`: believe no count of changes."""
        local = await self._local(folder)
        known = None if looks_at_all or folder.highestmodseq is None else await self._known(folder, local)
        remote = await aside(partial(self._source.state, listed, known))
        tally = Tally()
        actions = plan(local, remote, accept_empty=accept_empty)
        if actions and isinstance(actions[0], Hold):
            tally.held.append(
                f"{folder.name} was left as it is: {actions[0].reason}; if that is right, sync with --accept-empty"
            )
            return tally
        if actions or remote.uids:
            await self._note_lost(folder, remote)
        missing = 0
        for action in actions:
            match action:
                case Reflag(words=words):
                    tally.reflagged += await self._reflag(folder, remote, words)
                case Forget(uids=uids):
                    tally.vanished += await self.forget(folder, remote, uids)
                case Fetch(uids=uids):
                    tally.add(await self.fetch(listed, folder, remote, uids, report))
                    missing = await self._note_left_out(folder, remote, uids)
                case Restart() | Hold():
                    pass  # everything is matched anew first; the old numbering goes at the end
        # EXISTS counts only where nothing was listed because nothing changed: some servers say more than they have.
        count = (remote.exists or 0) if is_unchanged(local, remote) else len(remote.uids)
        tally.vanished += await self._agree(folder, remote, count - missing)
        return tally

    async def fetch(
        self, listed: SourceFolder, folder: Folder, remote: FolderState, uids: Sequence[int], report: Report
    ) -> Tally:
        """Bring in these UIDs: what is here already is placed, the rest is fetched, what was in trouble at the end."""
        uidvalidity = remote.uidvalidity or 0
        async with self._db.tenant(self._tenant_id) as tx:
            there = await placements.living(tx, folder.id, uidvalidity)
            troubled = await quarantine.uids(tx, self._account.id, folder.name, uidvalidity)
            wanted = [uid for uid in uids if uid not in there]  # an earlier run brought in a part of them
            await folders.set_pending(
                tx, folder.id, uidvalidity=uidvalidity, listed_count=remote.exists, uids=wanted
            )
        wanted.sort(key=lambda uid: uid in troubled)
        tally, done = Tally(), 0
        # What an earlier run brought in has been flagged since, or mail was put into the folder before it was ever read.
        if stale := reflagged({uid: there[uid] for uid in uids if uid in there}, remote):
            tally.reflagged += await self._reflag(folder, remote, stale)
        seen = await self._seen(listed, wanted)
        known = await self._place_known(folder, uidvalidity, seen)
        tally.already_there = tally.recognised = len(known)
        wanted = [uid for uid in wanted if uid not in known]
        sizes = {uid: each.size_bytes for uid, each in seen.items() if each.size_bytes is not None}
        raw = self._source.messages(listed, wanted, sizes or None)
        async for batch in batches(
            raw, max_messages=self._settings.batch_messages, max_bytes=self._settings.batch_bytes
        ):
            tally.add(await self._keep(folder, uidvalidity, batch))
            self._had_mail = self._had_mail or self._source.knows_messages
            if len(batch.prepared) >= WORTH_MESSAGES:  # not after each letter that comes in
                self._batches += 1
                await statistics.refresh(self._db, self._batches)
            done += len(batch.prepared) + len(batch.unreadable)
            report(folder.name, done, len(wanted))
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

    async def _known(self, folder: Folder, local: FolderState) -> FolderState:
        """What we knew of the server: also what could not be had, or a deletion would make the numbers agree."""
        async with self._db.tenant(self._tenant_id) as tx:
            waiting = await quarantine.uids(tx, self._account.id, folder.name, folder.uidvalidity or 0)
            waiting |= {uid for each in await folders.pending(tx, folder.id) for uid in each}
        return replace(local, uids={**dict.fromkeys(waiting), **local.uids})

    async def _seen(self, listed: SourceFolder, uids: Sequence[int]) -> dict[int, Sighting]:
        """What they look like, where the account has mail that they could be."""
        if not self._had_mail or not uids:
            return {}
        headers = not self._source.knows_messages
        return await aside(partial(self._source.sightings, listed, uids, headers=headers))

    async def _place_known(
        self, folder: Folder, uidvalidity: int, seen: Mapping[int, Sighting]
    ) -> dict[int, MessageId]:
        if not seen:
            return {}
        async with self._db.tenant(self._tenant_id) as tx:
            known = await recognise(tx, self._account, seen)
        placed = list(known.items())
        for start in range(0, len(placed), _PLACED_AT_ONCE):
            several = placed[start : start + _PLACED_AT_ONCE]
            async with self._db.tenant(self._tenant_id) as tx:
                modseq = await changes.next_modseq(tx, self._account.id)
                await placements.insert(
                    tx, [_placement(folder, uidvalidity, seen[uid], message) for uid, message in several]
                )
                alive, _ = await placements.settle(tx, [message for _, message in several])
                await changes.append(tx, self._account.id, modseq, "updated", "message", alive)
                await quarantine.resolve_uids(
                    tx, self._account.id, folder.name, uidvalidity, [uid for uid, _ in several]
                )
        return known

    async def _keep(self, folder: Folder, uidvalidity: int, batch: Batch) -> Tally:
        arrivals = [
            Arrival(prepared=each, places=((folder, uidvalidity, each.raw.uid),)) for each in batch.prepared
        ]
        async with self._db.tenant(self._tenant_id) as tx:
            tally = await ingest(
                tx,
                self._blobs,
                self._account,
                arrivals,
                {folder.name: batch.unreadable},
                uidvalidity=uidvalidity,
            )
            uids = [each.raw.uid for each in batch.prepared]
            await quarantine.resolve_uids(tx, self._account.id, folder.name, uidvalidity, uids)
        return tally

    async def _reflag(self, folder: Folder, remote: FolderState, words: Mapping[int, frozenset[str]]) -> int:
        async with self._db.tenant(self._tenant_id) as tx:
            modseq = await changes.next_modseq(tx, self._account.id)
            touched = await placements.reflag(tx, folder.id, remote.uidvalidity or 0, words)
            await placements.settle(tx, touched)
            await changes.append(tx, self._account.id, modseq, "updated", "message", touched)
        return len(touched)

    async def forget(self, folder: Folder, remote: FolderState, uids: Sequence[int]) -> int:
        """The server no longer has these. How many there were."""
        async with self._db.tenant(self._tenant_id) as tx:
            modseq = await changes.next_modseq(tx, self._account.id)
            touched = await placements.forget(tx, folder.id, remote.uidvalidity or 0, uids)
            await self._let_go(tx, touched, modseq)
        return len(touched)

    async def _agree(self, folder: Folder, remote: FolderState, listed_count: int) -> int:
        """Write down the numbers on which both sides agree now. How many messages went with an old numbering."""
        async with self._db.tenant(self._tenant_id) as tx:
            modseq = await changes.next_modseq(tx, self._account.id)
            void = await placements.forget_generation(tx, folder.id, remote.uidvalidity or 0)
            gone = await self._let_go(tx, void, modseq)
            token = f"{remote.uidvalidity}:{remote.uidnext}:{remote.highestmodseq}"
            await folders.set_state(tx, folder.id, remote, listed_count=listed_count, sync_token=token)
        return gone

    async def _let_go(self, tx: TenantTx, touched: Sequence[MessageId], modseq: int) -> int:
        alive, gone = await placements.settle(tx, touched)
        await changes.append(tx, self._account.id, modseq, "updated", "message", alive)
        await changes.append(tx, self._account.id, modseq, "deleted", "message", gone)
        return len(gone)

    async def _note_lost(self, folder: Folder, remote: FolderState) -> None:
        """What an earlier run left pending or in quarantine, and the server has let go since: gone, and when."""
        async with self._db.tenant(self._tenant_id) as tx:
            waiting = {uid for each in await folders.pending(tx, folder.id) for uid in each}
            is_renumbered = folder.uidvalidity != remote.uidvalidity
            lost = waiting if is_renumbered else waiting - remote.uids.keys()
            await self._report_gone(tx, folder, folder.uidvalidity or 0, lost)
            if await quarantine.origins(tx, self._account.id, folder.name):
                await quarantine.let_go(tx, self._account.id, folder.name, remote.uidvalidity, remote.uids)

    async def _note_left_out(self, folder: Folder, remote: FolderState, uids: Sequence[int]) -> int:
        """What was listed, and gone before its turn came."""
        uidvalidity = remote.uidvalidity or 0
        async with self._db.tenant(self._tenant_id) as tx:
            troubled = await quarantine.uids(tx, self._account.id, folder.name, uidvalidity)
            return await self._report_gone(tx, folder, uidvalidity, set(uids) - troubled)

    async def _report_gone(self, tx: TenantTx, folder: Folder, uidvalidity: int, uids: set[int]) -> int:
        never = uids - await placements.ever(tx, folder.id, uidvalidity, uids) if uids else set()
        troubles = [
            quarantine.Trouble(
                folder_name=folder.name,
                origin=f"{folder.name}, UID {uid} of {uidvalidity}",
                reason=_LET_GO,
                uidvalidity=uidvalidity,
                uid=uid,
            )
            for uid in sorted(never)
        ]
        await quarantine.report(tx, self._account.id, troubles, is_gone=True)
        return len(never)


async def has_mail(tx: TenantTx, account: Account) -> bool:
    """Whether there is anything that a message could be recognised as."""
    return await messages.any_of(tx, account.id)


def _placement(
    folder: Folder, uidvalidity: int, seen: Sighting, message_id: MessageId
) -> placements.Placement:
    flags, keywords = placements.flags_and_keywords(seen.words or frozenset())
    return placements.Placement(
        folder_id=folder.id,
        uidvalidity=uidvalidity,
        uid=seen.uid,
        message_id=message_id,
        flags=flags,
        keywords=keywords,
        internal_date=int(seen.internal_date.timestamp() * 1000) if seen.internal_date else None,
        object_id=seen.object_id,
    )
