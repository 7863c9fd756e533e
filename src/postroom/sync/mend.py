"""Mend: what a comparison found is put right, from the server or from what is still whole here."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from postroom.blobs import Blobs
from postroom.errors import BlobDamaged, BlobMissing
from postroom.model import Account, MessageId, RawMessage, TenantId
from postroom.settings import Settings
from postroom.store import attachments, changes, folders, inventory, messages, placements, search
from postroom.store.database import Database, TenantTx
from postroom.store.inventory import Item
from postroom.sync.account import AccountSync
from postroom.sync.aside import aside
from postroom.sync.folder import FolderSync
from postroom.sync.ingest import Tally
from postroom.sync.prepare import Prepared, prepare
from postroom.sync.verify import Verified, is_whole
from postroom.wire.imap import ImapSource

_HELD_BYTES = 64 * 2**20
"""A message is mended from what is stored here only up to this size; a larger one is fetched again."""


class Mender:
    """Puts right what can be: fetches what is missing, follows flags and deletions, writes damaged bytes anew."""

    def __init__(
        self,
        db: Database,
        blobs: Blobs,
        settings: Settings,
        tenant_id: TenantId,
        account: Account,
        source: ImapSource | None,
    ) -> None:
        self._db = db
        self._blobs = blobs
        self._settings = settings
        self._tenant_id = tenant_id
        self._account = account
        self._source = source

    async def run(self, found: Sequence[Verified]) -> Tally:
        """Mend all of it. What the sync among it came to, with what it held back."""
        for each in found:
            await self._settle(each)
            each.difference.damaged -= await self._rows(each)
        async with self._db.tenant(self._tenant_id) as tx:
            await folders.recount(tx, self._account.id)
        if self._source is None:
            return Tally()
        for each in found:
            await self._bytes(each, self._source)
            await self._replaced(each, self._source)
        worker = AccountSync(
            self._db, self._blobs, self._settings, self._tenant_id, self._account, self._source
        )
        return await worker.run(looks_at_all=True)

    async def _settle(self, found: Verified) -> None:
        """Let the messages say again what their places say."""
        unsettled = [item.message_id for item in found.items.values() if not item.is_settled]
        if not unsettled:
            return
        async with self._db.tenant(self._tenant_id) as tx:
            modseq = await changes.next_modseq(tx, self._account.id)
            alive, _ = await placements.settle(tx, unsettled)
            await changes.append(tx, self._account.id, modseq, "updated", "message", alive)

    async def _rows(self, found: Verified) -> set[int]:
        """Rows that are missing of messages whose bytes are whole. The UIDs that are mended."""
        mended: set[int] = set()
        for uid in sorted(found.difference.damaged):
            item = found.items[uid]
            async with self._db.tenant(self._tenant_id) as tx:
                if item.size_bytes > _HELD_BYTES or not await is_whole(tx, self._blobs, item):
                    continue
                pieces = self._blobs.message(tx, item.content_hash, item.raw_blob, item.recipe)
                body = b"".join([piece async for piece in pieces])
                await self._restore(tx, item, prepare(RawMessage(uid=uid, body=body)))
            mended.add(uid)
        return mended

    async def _bytes(self, found: Verified, source: ImapSource) -> None:
        """Bytes that are damaged here and whole on the server."""
        wanted = [
            uid
            for uid in sorted(found.difference.damaged)
            if found.items[uid].uid not in found.difference.surplus
        ]
        if found.listed is None or not wanted:
            return
        raw = source.messages(found.listed, wanted)
        while (message := await aside(partial(next, raw, None))) is not None:
            if not isinstance(message, RawMessage):
                continue
            item, prepared = found.items[message.uid], prepare(message)
            if prepared.content_hash == item.content_hash:
                async with self._db.tenant(self._tenant_id) as tx:
                    await self._restore(tx, item, prepared)

    async def _replaced(self, found: Verified, source: ImapSource) -> None:
        """The server has other bytes under this UID: what was there before is let go, what is there now is fetched."""
        uids = sorted(found.difference.content)
        if not uids or found.listed is None or found.folder is None:
            return
        worker = FolderSync(
            self._db,
            self._blobs,
            self._settings,
            self._tenant_id,
            self._account,
            source,
            had_mail=False,  # it looks the same and is not: only its bytes tell
        )
        remote = await aside(partial(source.state, found.listed))
        await worker.forget(found.folder, remote, uids)
        await worker.fetch(found.listed, found.folder, remote, uids, lambda *_: None)

    async def _restore(self, tx: TenantTx, item: Item, prepared: Prepared) -> None:
        """Write over what is damaged, and add the rows that are missing."""
        for sha256, content in prepared.blobs.items():
            try:
                async for _ in self._blobs.read(tx, sha256):
                    pass
            except (BlobDamaged, BlobMissing):
                await self._blobs.renew(tx, sha256, content)
        await self._add_rows(tx, item.message_id, item, prepared)

    async def _add_rows(self, tx: TenantTx, message_id: MessageId, item: Item, prepared: Prepared) -> None:
        positions, addresses, is_findable = await inventory.rows_of(tx, message_id)
        if not is_findable:
            entry = search.Entry(
                message_id=message_id,
                received_at=item.received_at,
                size_bytes=item.size_bytes,
                words=prepared.words,
                is_capped=prepared.is_capped,
            )
            await search.insert(tx, self._account.id, [entry])
        await messages.add_addresses(tx, self._account.id, message_id, prepared.parsed, there=addresses)
        lacking = [
            (position, part)
            for position, part in enumerate(prepared.parsed.attachments)
            if position not in positions
        ]
        if lacking:
            stored = {part.sha256: await self._blobs.find(tx, part.sha256) for _, part in lacking}
            await attachments.insert(
                tx,
                self._account.id,
                [
                    attachments.NewAttachment(
                        message_id=message_id,
                        position=position,
                        part=part,
                        storage_type=stored[part.sha256].storage_type,
                        storage_path=stored[part.sha256].storage_path,
                    )
                    for position, part in lacking
                ],
            )
