"""Verify: an account compared afresh with its server and with its own hashes, folder by folder."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial

from postroom.blobs import Blobs
from postroom.errors import BlobDamaged, BlobMissing
from postroom.model import (
    Account,
    Folder,
    FolderState,
    Ledger,
    MessageId,
    RawMessage,
    Sighting,
    SourceFolder,
    TenantId,
)
from postroom.store import folders, intent_rows, inventory, placements, quarantine
from postroom.store.database import Database, TenantTx
from postroom.store.inventory import Item
from postroom.store.placements import OUR_NUMBERING
from postroom.sync.aside import aside
from postroom.sync.compare import Difference, compare
from postroom.sync.listing import as_wanted
from postroom.sync.prepare import hash_of
from postroom.sync.progress import Report
from postroom.wire.imap import ImapSource

_PAGE = 500


@dataclass(slots=True, kw_only=True)
class Verified:
    """One folder, compared."""

    name: str
    ledger: Ledger | None
    """None for a folder that only the server has."""
    listed: SourceFolder | None
    """None for a folder that the server does not list, or that no server knows."""
    folder: Folder | None
    server: int | None
    """How many messages the server has in it; None where no server knows of it."""
    difference: Difference = field(default_factory=Difference)
    items: dict[int, Item] = field(default_factory=dict)
    """Those that differ."""
    changes: int = 0
    """How many messages are otherwise here because the server is yet to be told."""


class Verifier:
    """Looks, and changes nothing. Without a source only what is stored is held against its hashes."""

    def __init__(
        self,
        db: Database,
        blobs: Blobs,
        tenant_id: TenantId,
        account: Account,
        source: ImapSource | None,
        *,
        is_deep: bool,
        report: Report = lambda *_: None,
    ) -> None:
        self._db = db
        self._blobs = blobs
        self._tenant_id = tenant_id
        self._account = account
        self._source = source
        self._is_deep = is_deep
        self._report = report
        self._whole: dict[MessageId, bool] = {}

    async def run(self) -> list[Verified]:
        """Every folder of both sides, by name; those that are gone for good at the end."""
        listed = {each.name: each for each in await self._listed()}
        async with self._db.tenant(self._tenant_id) as tx:
            ours = {each.name: each for each in await folders.of_account(tx, self._account.id)}
            ledger = await folders.ledger(tx, self._account.id)
        living = {each.name: each for each in ledger if not each.is_deleted}
        done = [
            await self._folder(name, listed.get(name), ours.get(name), living.get(name))
            for name in sorted({*listed, *ours}, key=lambda name: (name != "INBOX", name))
            if _holds_mail(listed.get(name), ours.get(name))
        ]
        gone = [each for each in ledger if each.is_deleted and (each.is_followed or each.gone)]
        return done + [
            Verified(name=each.name, ledger=each, listed=None, folder=None, server=None) for each in gone
        ]

    async def _listed(self) -> Sequence[SourceFolder]:
        if self._source is None:
            return []
        listed = await aside(self._source.folders)
        async with self._db.tenant(self._tenant_id) as tx:
            return await as_wanted(tx, self._account, listed)

    async def _folder(
        self, name: str, listed: SourceFolder | None, folder: Folder | None, ledger: Ledger | None
    ) -> Verified:
        state, server = await self._on_server(listed)
        is_compared = self._source is not None and (
            state is not None or (folder is not None and folder.uidvalidity is not None)
        )
        here = {} if folder is None else await self._here(folder)
        found = Verified(
            name=name,
            ledger=ledger,
            listed=listed if state is not None else None,
            folder=folder,
            server=len(server) if is_compared else None,
        )
        quarantined, purged, pending = await self._waiting(folder)
        changed, landing = await self._changed(folder)
        if folder is not None and state is not None and folder.uidvalidity != state.uidvalidity:
            # Renumbered: no UID of ours means anything there.
            found.difference.missing, found.difference.surplus = set(server), set(here)
        elif is_compared:
            found.difference, resized = compare(
                server,
                here,
                quarantined=quarantined,
                purged=purged,
                pending=pending,
                changed=changed,
                landing=landing,
            )
            found.changes = len(changed)
            if listed is not None and state is not None:
                await self._fetch_again(found, listed, here, set(here) if self._is_deep else resized)
        else:
            found.difference, _ = compare({}, here, quarantined=(), purged=(), pending=())
            found.difference.surplus.clear()
        await self._damaged(found, here)
        differing = {uid for uids in found.difference.by_kind().values() for uid in uids}
        found.items = {uid: item for uid, item in here.items() if uid in differing}
        return found

    async def _on_server(self, listed: SourceFolder | None) -> tuple[FolderState | None, dict[int, Sighting]]:
        """All that the server shows, asked afresh: no cursor is believed."""
        if self._source is None or listed is None or not listed.is_selectable:
            return None, {}
        state = await aside(partial(self._source.state, listed))
        uids = sorted(state.uids)
        seen = await aside(partial(self._source.sightings, listed, uids))
        return state, {uid: seen.get(uid, Sighting(uid=uid, words=state.uids[uid])) for uid in uids}

    async def _here(self, folder: Folder) -> dict[int, Item]:
        uidvalidity = folder.uidvalidity or OUR_NUMBERING
        items: dict[int, Item] = {}
        last = 0
        while True:
            async with self._db.tenant(self._tenant_id) as tx:
                page = await inventory.of_folder(tx, folder.id, uidvalidity, after_uid=last, limit=_PAGE)
            if not page:
                return items
            items |= {each.uid: each for each in page}
            last = page[-1].uid

    async def _waiting(self, folder: Folder | None) -> tuple[set[int], set[int], set[int]]:
        if folder is None:
            return set(), set(), set()
        async with self._db.tenant(self._tenant_id) as tx:
            uidvalidity = folder.uidvalidity or OUR_NUMBERING
            purged = await placements.purged(tx, folder.id, uidvalidity)
            ranges = await folders.pending(tx, folder.id)
            quarantined = await quarantine.uids(tx, self._account.id, folder.name, uidvalidity)
        return quarantined, purged, {uid for each in ranges for uid in each}

    async def _changed(self, folder: Folder | None) -> tuple[set[int], int]:
        """What the server is yet to be told of, by UID; and how many it may have taken in already, the answer being lost."""
        if folder is None:
            return set(), 0
        async with self._db.tenant(self._tenant_id) as tx:
            waiting = [
                each for each in await intent_rows.of_folder_mail(tx, folder.id) if each.state != "refused"
            ]
        own = {each.uid for each in waiting if each.folder_id == folder.id and each.uid and each.uid > 0}
        coming = [each for each in waiting if each.to_folder_id == folder.id and each.state == "sent"]
        return own, len(coming)

    async def _fetch_again(
        self, found: Verified, listed: SourceFolder, here: dict[int, Item], uids: Iterable[int]
    ) -> None:
        """Hold the hashes of the server's bytes against ours. Some servers say sizes that are not right."""
        assert self._source is not None
        wanted = sorted(set(uids) - found.difference.surplus)
        if not wanted:
            return
        messages = self._source.messages(listed, wanted)
        done = 0
        while (message := await aside(partial(next, messages, None))) is not None:
            if isinstance(message, RawMessage) and hash_of(message.body) != here[message.uid].content_hash:
                found.difference.content.add(message.uid)
            done += 1
            self._report(f"{found.name} from the server", done, len(wanted))

    async def _damaged(self, found: Verified, here: dict[int, Item]) -> None:
        """Hold what is stored against its own hashes, each message once."""
        items = list(here.values())
        for start in range(0, len(items), _PAGE):
            async with self._db.tenant(self._tenant_id) as tx:
                for item in items[start : start + _PAGE]:
                    if item.message_id not in self._whole:
                        self._whole[item.message_id] = await is_whole(tx, self._blobs, item)
                    if not self._whole[item.message_id]:
                        found.difference.damaged.add(item.uid)
            self._report(found.name, min(start + _PAGE, len(items)), len(items))


def _holds_mail(listed: SourceFolder | None, folder: Folder | None) -> bool:
    """Not so a mere level of the tree (RFC 9051 7.3.1)."""
    return bool(listed and listed.is_selectable) or bool(
        folder and (folder.is_selectable or folder.total_count)
    )


async def is_whole(tx: TenantTx, blobs: Blobs, item: Item) -> bool:
    """Whether the message and all its attachments can be put together from what is stored."""
    try:
        async for _ in blobs.message(tx, item.content_hash, item.raw_blob, item.recipe):
            pass
        for sha256 in item.other_blobs:
            async for _ in blobs.read(tx, sha256):
                pass
    except (BlobDamaged, BlobMissing):
        return False
    return True
