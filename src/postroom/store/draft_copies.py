"""Copies of drafts: what an account's server has of each, and that it is to have what the draft says now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from postroom.ids import now_ms
from postroom.model import AccountId, DraftId, FolderId, MessageId
from postroom.sql import queries
from postroom.store import audit, changes, folder_intents, folders, intent_rows, jobs, placements
from postroom.store.database import TenantTx
from postroom.store.drafts import DraftContent, columns
from postroom.store.intent_places import has_server
from postroom.store.intent_rows import Intent, Wanted
from postroom.store.placements import Place

QUERIES = queries("drafts")


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftCopy:
    """A draft, and what its server has of it."""

    id: DraftId
    account_id: AccountId
    version: int
    raw_blob: bytes
    updated_at: int
    is_alive: bool
    """Not given to the outbox, and not deleted."""
    copy_version: int | None
    copy_message_id: str | None
    copy_folder_id: FolderId | None
    copy_uidvalidity: int | None
    copy_uid: int | None
    stale_uids: list[int]
    put_version: int | None
    put_message_id: str | None

    @property
    def is_as_wanted(self) -> bool:
        """Whether the server has what it is to have."""
        wanted = self.version if self.is_alive else None
        return not self.stale_uids and self.copy_version == wanted


async def want(tx: TenantTx, draft_id: DraftId) -> None:
    """A draft was made, changed, sent or deleted: its server is to be told, if it has one whose folders are known."""
    draft = await get(tx, draft_id)
    if not await has_server(tx, draft.account_id):
        return
    await tx.rows(intent_rows.QUERIES.hold, account_ids=[draft.account_id])
    waiting = await intent_rows.of_draft(tx, draft_id)
    if waiting is not None and waiting.state != "refused":
        await jobs.wake(tx, draft.account_id)
        return
    if waiting is not None:
        await intent_rows.remove(tx, [waiting])
    if draft.is_as_wanted and draft.put_version is None:
        return
    if (folder_id := await _folder(tx, draft)) is not None:
        await intent_rows.append(
            tx, draft.account_id, [Wanted(kind="draft", folder_id=folder_id, draft_id=draft_id)]
        )


async def _folder(tx: TenantTx, draft: DraftCopy) -> FolderId | None:
    """Where drafts of the account go on its server; made where it has none. None: nobody has looked at it yet."""
    if not draft.is_alive and draft.copy_folder_id is not None:
        return draft.copy_folder_id
    known = await folders.of_account(tx, draft.account_id)
    if not any(each.wire_name for each in known):
        return None
    return (await folder_intents.of_use(tx, draft.account_id, "drafts", "Drafts")).id


async def get(tx: TenantTx, draft_id: DraftId) -> DraftCopy:
    """A draft, also one that was sent or deleted."""
    return DraftCopy(**(await tx.rows(QUERIES.copy, draft_id=draft_id))[0])


async def putting(tx: TenantTx, draft: DraftCopy, message_id: str) -> None:
    """The server is about to be given the version of now."""
    await tx.run(QUERIES.putting, draft_id=draft.id, version=draft.version, message_id=message_id)


async def not_put(tx: TenantTx, draft: DraftCopy) -> None:
    """It turned out that the server was not given it."""
    await tx.run(QUERIES.putting, draft_id=draft.id, version=None, message_id=None)


async def put(tx: TenantTx, draft: DraftCopy, place: Place) -> None:
    """The server has what it was given; the one before is to be taken out."""
    await tx.run(
        QUERIES.put,
        draft_id=draft.id,
        folder_id=place.folder_id,
        uidvalidity=place.uidvalidity,
        uid=place.uid,
    )


async def taken_out(tx: TenantTx, draft: DraftCopy, places: Sequence[Place], *, is_all: bool) -> None:
    """The earlier ones are out of the server's folder; `is_all`: so is the last. What lay at these places lies there no
    more: a folder that is empty then must not pass for one that lost its mail."""
    modseq = await changes.next_modseq(tx, draft.account_id)
    await tx.run(QUERIES.without_copy if is_all else QUERIES.taken_out, draft_id=draft.id)
    touched: list[MessageId] = []
    for each in places:
        was = await placements.forget(tx, each.folder_id, each.uidvalidity, [each.uid])
        await folders.count_listed(tx, each.folder_id, -len(was))
        touched += was
    alive, gone = await placements.settle(tx, touched)
    await changes.append(tx, draft.account_id, modseq, "updated", "message", alive)
    await changes.append(tx, draft.account_id, modseq, "deleted", "message", gone)


async def told(tx: TenantTx, intent: Intent) -> bool:
    """Whether the server has what the draft says now; then there is nothing more to be told."""
    assert intent.draft_id is not None
    await tx.rows(intent_rows.QUERIES.hold, account_ids=[intent.account_id])
    draft = await get(tx, intent.draft_id)
    if not draft.is_as_wanted:
        return False
    await intent_rows.remove(tx, [intent])
    return True


async def lies(tx: TenantTx, folder_id: FolderId, message_id: str) -> tuple[Place, MessageId] | None:
    """Where a message with this Message-ID lies in the folder, as the last look at it found."""
    rows = await tx.rows(QUERIES.lies, folder_id=folder_id, message_id=message_id)
    if not rows:
        return None
    place = Place(folder_id, rows[0]["uidvalidity"], rows[0]["uid"])
    return place, MessageId(rows[0]["message_id"])


async def missing(tx: TenantTx, account_id: AccountId) -> list[DraftCopy]:
    """Drafts that were not changed here since their server had them, and that it has no more where it had them."""
    rows = await tx.rows(QUERIES.missing, account_id=account_id)
    return [await get(tx, DraftId(row["id"])) for row in rows]


async def moved(tx: TenantTx, draft: DraftCopy, place: Place) -> None:
    """The folder was renumbered, and the copy lies there."""
    await tx.run(QUERIES.moved, draft_id=draft.id, uidvalidity=place.uidvalidity, uid=place.uid)


async def adopt(tx: TenantTx, draft: DraftCopy, content: DraftContent, place: Place) -> None:
    """Another program changed it on the server: so it says here."""
    await tx.run(
        QUERIES.adopt,
        draft_id=draft.id,
        version=draft.version,
        uidvalidity=place.uidvalidity,
        uid=place.uid,
        now=now_ms(),
        **columns(content),
    )
    await audit.append(tx, "draft.follow", "draft", draft.id, after={"is_deleted": False})


async def let_go(tx: TenantTx, draft: DraftCopy) -> None:
    """Another program sent it or threw it away: it is no draft here either."""
    await tx.run(QUERIES.without_copy, draft_id=draft.id)
    await tx.run(QUERIES.delete, draft_id=draft.id, now=now_ms())
    await audit.append(tx, "draft.follow", "draft", draft.id, after={"is_deleted": True})
