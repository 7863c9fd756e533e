"""Ingest: a batch of prepared messages into the store, in one transaction, each once.

A message is known by the SHA-256 of its raw bytes within its account. What is there already is only placed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from postroom.blobs import Blobs, StoredBlob
from postroom.ids import new_id, now_ms
from postroom.mime.reports import delivery_report
from postroom.model import Account, Folder, FolderId, MessageId, RawMessage, ThreadNode, Unreadable
from postroom.store import (
    attachments,
    changes,
    messages,
    placements,
    quarantine,
    reports,
    search,
    standing,
    threads,
)
from postroom.store.database import TenantTx
from postroom.sync.prepare import Prepared
from postroom.threads import ancestry

_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class Tally:
    """What was done. `vanished` and `reflagged` are of a sync only."""

    stored: int = 0
    already_there: int = 0
    quarantined: int = 0
    vanished: int = 0
    reflagged: int = 0
    removed: int | None = None
    """Deleted on the server, having been stored here; only where POP3 is told to."""
    seconds: float = 0.0
    recognised: int = 0
    """Of those already there: what was known again without fetching it."""
    pushed: int | None = None
    """Changes of ours that the server has done; only where it takes any."""
    refused: int | None = None
    """Those that it would not do, and that were undone here."""
    held: list[str] = field(default_factory=list)
    """Folders that would have lost everything, and why they did not."""
    notes: list[str] = field(default_factory=list)
    """What else a person should know: folders that were renamed or are gone."""

    def add(self, other: Tally) -> None:
        self.stored += other.stored
        self.already_there += other.already_there
        self.quarantined += other.quarantined
        self.vanished += other.vanished
        self.reflagged += other.reflagged
        self.recognised += other.recognised
        if other.pushed is not None:
            self.pushed = (self.pushed or 0) + other.pushed
        if other.refused is not None:
            self.refused = (self.refused or 0) + other.refused
        if other.removed is not None:
            self.removed = (self.removed or 0) + other.removed
        self.held += other.held
        self.notes += other.notes


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A prepared message and the places it is to have."""

    prepared: Prepared
    places: tuple[tuple[Folder, int, int | None], ...]
    """Folder, UIDVALIDITY, and the UID there; no UID where we number the folder ourselves."""


async def ingest(
    tx: TenantTx,
    blobs: Blobs,
    account: Account,
    arrivals: Sequence[Arrival],
    unreadable: Mapping[str, Sequence[Unreadable]],
    *,
    uidvalidity: int | None = None,
) -> Tally:
    """Store what is new, place what is known, keep what is in trouble: under its UID where a server numbers it."""
    modseq = await changes.next_modseq(tx, account.id)
    known = await messages.known(tx, account.id, [each.prepared.content_hash for each in arrivals])
    new: dict[bytes, tuple[MessageId, Arrival]] = {}
    for arrival in arrivals:
        content_hash = arrival.prepared.content_hash
        if content_hash not in known and content_hash not in new:
            new[content_hash] = (MessageId(new_id()), arrival)
    if new:
        await _store(tx, blobs, account, list(new.values()), modseq)
    ids = known | {content_hash: message_id for content_hash, (message_id, _) in new.items()}
    placed = await _place(tx, arrivals, ids)
    replaced = [message_id for message_id in placed if message_id in set(known.values())]
    if replaced:
        alive, _ = await placements.settle(tx, replaced)
        await changes.append(tx, account.id, modseq, "updated", "message", alive)
    if new:
        await standing.ask(tx, account.id, modseq, [message_id for message_id, _ in new.values()])
    quarantined = await _keep_troubles(tx, blobs, account, unreadable, uidvalidity)
    return Tally(stored=len(new), already_there=len(arrivals) - len(new), quarantined=quarantined)


async def _store(
    tx: TenantTx, blobs: Blobs, account: Account, new: Sequence[tuple[MessageId, Arrival]], modseq: int
) -> None:
    stored = await _keep_bytes(tx, blobs, [arrival.prepared for _, arrival in new])
    times = {message_id: _times(arrival.prepared) for message_id, arrival in new}
    nodes = [_node(message_id, arrival.prepared, times[message_id]) for message_id, arrival in new]
    found_places, moved = await threads.place(tx, account.id, nodes)
    keys = await _keys(tx, account, [arrival.prepared for _, arrival in new])
    rows = []
    for message_id, arrival in new:
        prepared, (folder, _, uid) = arrival.prepared, arrival.places[0]
        sent_at, received_at = times[message_id]
        rows.append(
            messages.NewMessage(
                id=message_id,
                folder_id=folder.id,
                imap_uid=None if uid is None else str(uid),
                key=keys[prepared.content_hash],
                parsed=prepared.parsed,
                flags=prepared.raw.flags,
                place=found_places[message_id],
                received_at=received_at,
                sent_at=sent_at,
                size_bytes=prepared.size_bytes,
                content_hash=prepared.content_hash,
                raw_blob=prepared.raw_blob,
                raw_recipe=prepared.recipe.to_json() if prepared.recipe else None,
            )
        )
    entries = [
        search.Entry(
            message_id=message_id,
            received_at=times[message_id][1],
            size_bytes=arrival.prepared.size_bytes,
            words=arrival.prepared.words,
            is_capped=arrival.prepared.is_capped,
        )
        for message_id, arrival in new
    ]
    async with tx.unawaited():
        await messages.insert(tx, account.id, rows)
        await search.insert(tx, account.id, entries)
        await messages.insert_addresses(tx, account.id, rows)
        await attachments.insert(tx, account.id, _attachments(new, stored))
        created = [message_id for message_id, _ in new]
        await changes.append(tx, account.id, modseq, "created", "message", created)
        await changes.append(tx, account.id, modseq, "updated", "message", moved)
    for _, arrival in new:
        if (report := delivery_report(arrival.prepared.parsed)) is not None:
            await reports.apply(tx, report)


async def _keep_bytes(tx: TenantTx, blobs: Blobs, prepared: Sequence[Prepared]) -> dict[bytes, StoredBlob]:
    """Small blobs together, large ones in pieces."""
    small: dict[bytes, bytes] = {}
    stored: dict[bytes, StoredBlob] = {}
    for each in prepared:
        for sha256, content in each.blobs.items():
            if isinstance(content, bytes):
                small[sha256] = content
            elif sha256 not in stored:
                stored[sha256] = await blobs.put(tx, sha256, content)
    return stored | await blobs.put_many(tx, small)


def _attachments(
    new: Sequence[tuple[MessageId, Arrival]], stored: Mapping[bytes, StoredBlob]
) -> list[attachments.NewAttachment]:
    return [
        attachments.NewAttachment(
            message_id=message_id,
            position=position,
            part=part,
            storage_type=stored[part.sha256].storage_type,
            storage_path=stored[part.sha256].storage_path,
        )
        for message_id, arrival in new
        for position, part in enumerate(arrival.prepared.parsed.attachments)
    ]


async def _place(
    tx: TenantTx, arrivals: Sequence[Arrival], ids: Mapping[bytes, MessageId]
) -> list[MessageId]:
    """Put every message into its folders. Where we number the folder ourselves, once is enough."""
    wanted: list[placements.Placement] = []
    unnumbered: list[tuple[MessageId, Folder, int, RawMessage]] = []
    for arrival in arrivals:
        message_id = ids[arrival.prepared.content_hash]
        for folder, uidvalidity, uid in arrival.places:
            if uid is None:
                unnumbered.append((message_id, folder, uidvalidity, arrival.prepared.raw))
            else:
                wanted.append(_placement(message_id, folder.id, uidvalidity, uid, arrival.prepared.raw))
    wanted += await _numbered(tx, unnumbered)
    return await placements.insert(tx, wanted)


async def _numbered(
    tx: TenantTx, unnumbered: Sequence[tuple[MessageId, Folder, int, RawMessage]]
) -> list[placements.Placement]:
    if not unnumbered:
        return []
    folder_ids = {folder.id for _, folder, _, _ in unnumbered}
    taken = await placements.placed(tx, {message_id for message_id, _, _, _ in unnumbered}, folder_ids)
    following: dict[FolderId, int] = {}
    numbered = []
    for message_id, folder, uidvalidity, raw in unnumbered:
        if (message_id, folder.id) in taken:
            continue
        taken.add((message_id, folder.id))
        if folder.id not in following:
            following[folder.id] = await placements.next_uid(tx, folder.id, uidvalidity)
        numbered.append(_placement(message_id, folder.id, uidvalidity, following[folder.id], raw))
        following[folder.id] += 1
    return numbered


def _placement(
    message_id: MessageId, folder_id: FolderId, uidvalidity: int, uid: int, raw: RawMessage
) -> placements.Placement:
    return placements.Placement(
        folder_id=folder_id,
        uidvalidity=uidvalidity,
        uid=uid,
        message_id=message_id,
        flags=raw.flags - {"\\Recent"},
        keywords=raw.keywords,
        internal_date=_ms(raw.internal_date) if raw.internal_date else None,
        object_id=raw.object_id,
    )


async def _keys(tx: TenantTx, account: Account, prepared: Sequence[Prepared]) -> dict[bytes, str]:
    """The column message_id: the Message-ID when it is usable and free in this account, else one from the hash."""
    wanted = {each.content_hash: each.parsed.message_id for each in prepared}
    usable = {key for key in wanted.values() if key and len(key) <= messages.KEY_CHARACTERS}
    taken = await messages.taken_keys(tx, account.id, usable)
    keys: dict[bytes, str] = {}
    for content_hash, key in wanted.items():
        if key is None or key not in usable or key in taken:
            key = f"{content_hash.hex()}@sha256.postroom.invalid"
        taken.add(key)
        keys[content_hash] = key
    return keys


async def _keep_troubles(
    tx: TenantTx,
    blobs: Blobs,
    account: Account,
    unreadable: Mapping[str, Sequence[Unreadable]],
    uidvalidity: int | None,
) -> int:
    troubles = []
    for folder_name, several in unreadable.items():
        for each in several:
            raw_blob = None if each.body is None else hashlib.sha256(each.body).digest()
            if raw_blob is not None and each.body is not None:
                await blobs.put(tx, raw_blob, each.body)
            trouble = quarantine.Trouble(
                folder_name=folder_name,
                origin=each.where,
                reason=each.reason,
                raw_blob=raw_blob,
                uidvalidity=uidvalidity,
                uid=None if uidvalidity is None else each.uid,
            )
            troubles.append(trouble)
    await quarantine.report(tx, account.id, troubles)
    return len(troubles)


def _node(message_id: MessageId, prepared: Prepared, times: tuple[int | None, int]) -> ThreadNode:
    parsed = prepared.parsed
    sent_at, received_at = times
    return ThreadNode(
        key=message_id,
        message_id=parsed.message_id,
        references=ancestry(parsed.references, parsed.in_reply_to[:1]),
        subject=parsed.subject,
        sent_at=received_at if sent_at is None else sent_at,
    )


def _times(prepared: Prepared) -> tuple[int | None, int]:
    """When it was sent, if that can be believed at all, and when it was received: the best that there is."""
    parsed, raw = prepared.parsed, prepared.raw
    sent_at = _ms(parsed.sent_at) if parsed.sent_at else None
    for moment in (raw.internal_date, parsed.received_at, parsed.sent_at):
        if moment is not None and moment > _EARLIEST:
            return sent_at, _ms(moment)
    return sent_at, now_ms()


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
