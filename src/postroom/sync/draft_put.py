"""Drafts on the server: each is put into the Drafts folder as it is here, and taken out when it was sent or thrown away.

A version is put before the one before is taken out, so that there is always one. Every version has a Message-ID of its
own, by which it is known after a crash. What became of a draft on the server is followed where it was not changed here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Protocol, TypeVar

from postroom.blobs import Blobs
from postroom.compose.addresses import for_wire
from postroom.compose.read import read
from postroom.mime.parse import parse
from postroom.model import Account, Folder, MessageId, TenantId
from postroom.posting import original
from postroom.store import draft_copies, folders, intent_rows
from postroom.store.database import Database, TenantTx
from postroom.store.draft_copies import DraftCopy
from postroom.store.drafts import DraftContent
from postroom.store.intent_rows import Intent
from postroom.store.placements import Place
from postroom.wire.imap_write import DELETED, MailboxWriter, Numbers, Refused

T = TypeVar("T")
_FLAGS = ("\\Draft", "\\Seen")


class HeldUp(Exception):
    """What comes next must wait."""


class Doing(Protocol):
    """How something is done on the server."""

    def __call__(self, work: Callable[[MailboxWriter], T], /) -> Awaitable[T]: ...


class DraftPut:
    """`await DraftPut(…).run(intent)`: the server has of the draft what it is to have. Raises Refused and HeldUp."""

    def __init__(self, db: Database, blobs: Blobs, tenant_id: TenantId, do: Doing, *, is_last: bool) -> None:
        self._db = db
        self._blobs = blobs
        self._tenant_id = tenant_id
        self._do = do
        self._is_last = is_last

    async def run(self, intent: Intent) -> None:
        async with self._db.tenant(self._tenant_id) as tx:
            draft = await _draft_of(tx, intent)
            folder = await folders.get(tx, intent.folder_id)
        if draft.put_version is not None:
            draft = await self._find_out(draft, folder, intent)
        if draft.copy_folder_id not in (None, folder.id):
            draft = await self._take_out(draft, is_all=True)
        if draft.is_alive and draft.copy_version != draft.version:
            draft = await self._put(draft, folder, intent)
        if draft.stale_uids or not draft.is_alive:
            await self._take_out(draft, is_all=not draft.is_alive)

    async def _find_out(self, draft: DraftCopy, folder: Folder, intent: Intent) -> DraftCopy:
        """It was about to be put, and the answer is not known."""
        numbers = Numbers(uidvalidity=intent.sent_uidvalidity or 0, uidnext=intent.sent_uidnext)
        try:
            place = await self._found(folder, numbers, draft.put_message_id)
        except Refused:
            place = None  # there is no such folder
        async with self._db.tenant(self._tenant_id) as tx:
            if place is None:
                await draft_copies.not_put(tx, draft)
            else:
                await draft_copies.put(tx, draft, place)
            return await _draft_of(tx, intent)

    async def _put(self, draft: DraftCopy, folder: Folder, intent: Intent) -> DraftCopy:
        if not folder.wire_name or folder.is_deleted:
            raise Refused(f"it has no folder {folder.name}")
        numbers = await self._do(lambda writer: writer.numbers(folder.wire_name))
        if draft.copy_uid is not None and draft.copy_uidvalidity != numbers.uidvalidity:
            await self._follow_numbers(draft, folder)
        async with self._db.tenant(self._tenant_id) as tx:
            raw = await self._blobs.read_all(tx, draft.raw_blob)
            message_id = parse(raw).message_id or ""
            await intent_rows.sent(tx, [intent], uidvalidity=numbers.uidvalidity, uidnext=numbers.uidnext)
            await draft_copies.putting(tx, draft, message_id)
        moment = datetime.fromtimestamp(draft.updated_at / 1000, UTC)
        said = await self._do(
            lambda writer: writer.append(folder.wire_name, raw, flags=_FLAGS, moment=moment)
        )
        if said.uidvalidity is not None and said.uid is not None:
            place: Place | None = Place(folder.id, said.uidvalidity, said.uid)
        else:
            place = await self._found(folder, numbers, message_id)
        if place is None:
            raise Refused("it said that it took it, and did not")
        async with self._db.tenant(self._tenant_id) as tx:
            await draft_copies.put(tx, draft, place)
            return await _draft_of(tx, intent)

    async def _found(self, folder: Folder, numbers: Numbers, message_id: str | None) -> Place | None:
        """What has come into the folder since it had these numbers, and is this version."""
        uidvalidity, seen = await self._do(lambda writer: writer.since(folder.wire_name, numbers))
        for uid, each in seen.items():
            if each.header is not None and parse(each.header).message_id == message_id:
                return Place(folder.id, uidvalidity, uid)
        return None

    async def _take_out(self, draft: DraftCopy, *, is_all: bool) -> DraftCopy:
        """The earlier versions, or all that the server has of it."""
        uids = [*draft.stale_uids, *([draft.copy_uid] if is_all and draft.copy_uid else [])]
        gone: list[Place] = []
        if uids and draft.copy_folder_id is not None:
            async with self._db.tenant(self._tenant_id) as tx:
                folder = await folders.get(tx, draft.copy_folder_id)
            gone = await self._expunge(draft, folder, uids)
        async with self._db.tenant(self._tenant_id) as tx:
            await draft_copies.taken_out(tx, draft, gone, is_all=is_all)
            return await draft_copies.get(tx, draft.id)

    async def _expunge(self, draft: DraftCopy, folder: Folder, uids: list[int]) -> list[Place]:
        """The places where nothing lies any more, as far as that was seen."""
        try:
            numbers = await self._do(lambda writer: writer.open(folder.wire_name))
        except Refused as refusal:
            if refusal.is_passing:
                raise
            return []  # the folder is gone, and they with it
        if numbers.uidvalidity != draft.copy_uidvalidity:
            found = await self._follow_numbers(draft, folder)
            if found is None:
                return []
            uids = [found.uid]
        await self._do(lambda writer: writer.expunge(uids))
        words = await self._do(lambda writer: writer.words(uids))
        if any(DELETED not in each for each in words.values()):
            raise Refused("it does not let a draft be deleted")
        return [Place(folder.id, numbers.uidvalidity, uid) for uid in uids if uid not in words]

    async def _follow_numbers(self, draft: DraftCopy, folder: Folder) -> Place | None:
        """The folder was renumbered; where the copy lies now is known once it has been read."""
        if not self._is_last:
            raise HeldUp
        assert draft.copy_message_id is not None
        async with self._db.tenant(self._tenant_id) as tx:
            found = await draft_copies.lies(tx, folder.id, draft.copy_message_id)
            if found is None:
                return None
            await draft_copies.moved(tx, draft, found[0])
        return found[0]


async def follow_drafts(db: Database, blobs: Blobs, tenant_id: TenantId, account: Account) -> None:
    """The folders were read. A draft that was not changed here since its server had it is as it is there now: changed by
    another program, which keeps its Message-ID; or sent or thrown away, and then it is no draft here either."""
    async with db.tenant(tenant_id) as tx:
        await tx.rows(intent_rows.QUERIES.hold, account_ids=[account.id])
        for draft in await draft_copies.missing(tx, account.id):
            assert draft.copy_folder_id is not None
            assert draft.copy_message_id is not None
            found = await draft_copies.lies(tx, draft.copy_folder_id, draft.copy_message_id)
            if found is None:
                await draft_copies.let_go(tx, draft)
            else:
                await _follow(tx, blobs, draft, *found)


async def _follow(tx: TenantTx, blobs: Blobs, draft: DraftCopy, place: Place, message_id: MessageId) -> None:
    raw = await original(tx, blobs, message_id)
    raw_blob = hashlib.sha256(raw).digest()
    if raw_blob == draft.raw_blob:
        await draft_copies.moved(tx, draft, place)
        return
    letter = read(raw)
    await blobs.put(tx, raw_blob, raw)
    content = DraftContent(
        subject=letter.subject,
        recipients=[for_wire(each.address) for each in (*letter.to, *letter.cc, *letter.bcc)],
        raw_blob=raw_blob,
        size_bytes=len(raw),
    )
    await draft_copies.adopt(tx, draft, content, place)


async def _draft_of(tx: TenantTx, intent: Intent) -> DraftCopy:
    assert intent.draft_id is not None
    return await draft_copies.get(tx, intent.draft_id)
