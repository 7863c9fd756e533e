"""Placements: which message lies in which folder, under which UID, with which flags."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from postroom.ids import now_ms
from postroom.model import AccountId, FolderId, MessageId
from postroom.sql import queries
from postroom.store import threads
from postroom.store.arrays import array_literal
from postroom.store.database import TenantTx

QUERIES = queries("placements")


UNNUMBERED = 0
"""UIDVALIDITY of what lies in a folder without a UID: its server is yet to give one. It stands there under a number below 0."""
OUR_NUMBERING = 1
"""UIDVALIDITY of folders that no server numbers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    folder_id: FolderId
    uidvalidity: int
    uid: int
    message_id: MessageId
    flags: frozenset[str]
    keywords: frozenset[str] = frozenset()
    internal_date: int | None = None
    object_id: str | None = None


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """The key of a placement."""

    folder_id: FolderId
    uidvalidity: int
    uid: int


async def insert(tx: TenantTx, placements: Sequence[Placement]) -> list[MessageId]:
    """Place the messages; what is there already stays. The messages that are newly placed somewhere."""
    if not placements:
        return []
    rows = await tx.rows(QUERIES.insert, **_rows_of(placements))
    return [MessageId(row["message_id"]) for row in rows]


async def add(tx: TenantTx, placements: Sequence[Placement]) -> None:
    """Place the messages where nothing is yet."""
    if placements:
        await tx.run(QUERIES.add, **_rows_of(placements))


def _rows_of(placements: Sequence[Placement]) -> dict[str, Any]:
    return {
        "folder_ids": [each.folder_id for each in placements],
        "uidvalidities": [each.uidvalidity for each in placements],
        "uids": [each.uid for each in placements],
        "message_ids": [each.message_id for each in placements],
        "flags": [array_literal(sorted(each.flags)) for each in placements],
        "keywords": [array_literal(sorted(each.keywords)) for each in placements],
        "internal_dates": [each.internal_date for each in placements],
        "object_ids": [each.object_id for each in placements],
        "at": now_ms(),
    }


async def living(tx: TenantTx, folder_id: FolderId, uidvalidity: int) -> dict[int, frozenset[str] | None]:
    """UID to flags and keywords, as we believe the folder to be on its server; None for what was purged here."""
    rows = await tx.rows(QUERIES.living, folder_id=folder_id, uidvalidity=uidvalidity)
    return {row["uid"]: None if row["words"] is None else frozenset(row["words"]) for row in rows}


async def taken(tx: TenantTx, folder_id: FolderId, uidvalidity: int) -> dict[int, int]:
    """Every UID that ever came in, also what was let go since, to when it did or was purged (milliseconds)."""
    rows = await tx.rows(QUERIES.taken, folder_id=folder_id, uidvalidity=uidvalidity)
    return {row["uid"]: row["created_at"] for row in rows}


async def of_message(tx: TenantTx, message_id: MessageId) -> list[dict[str, Any]]:
    """Where a message lies: name of the folder, uid, flags, keywords."""
    return await tx.rows(QUERIES.of_message, message_id=message_id)


async def by_object(
    tx: TenantTx, account_id: AccountId, object_ids: Iterable[str]
) -> dict[str, tuple[MessageId, int]]:
    """Id of the server's to message and size, for those that the account has."""
    rows = await tx.rows(QUERIES.by_object, account_id=account_id, object_ids=list(object_ids))
    return {row["object_id"]: (MessageId(row["message_id"]), row["size_bytes"]) for row in rows}


async def ever(tx: TenantTx, folder_id: FolderId, uidvalidity: int, uids: Iterable[int]) -> set[int]:
    """Which of these UIDs were ever stored."""
    rows = await tx.rows(QUERIES.ever, folder_id=folder_id, uidvalidity=uidvalidity, uids=list(uids))
    return {row["uid"] for row in rows}


async def purged(tx: TenantTx, folder_id: FolderId, uidvalidity: int) -> set[int]:
    """What was purged here, and is still on the server."""
    return {row["uid"] for row in await tx.rows(QUERIES.purged, folder_id=folder_id, uidvalidity=uidvalidity)}


async def count_listed(tx: TenantTx, folder_id: FolderId, uidvalidity: int) -> int:
    """How many messages the server must have in the folder, by what we know of it."""
    rows = await tx.rows(QUERIES.count_listed, folder_id=folder_id, uidvalidity=uidvalidity)
    return rows[0]["listed"]


async def marks(
    tx: TenantTx, folder_id: FolderId, uidvalidity: int, uids: Iterable[int]
) -> dict[int, tuple[MessageId, int | None, int]]:
    """Message, internal date and size of these UIDs."""
    rows = await tx.rows(QUERIES.marks, folder_id=folder_id, uidvalidity=uidvalidity, uids=list(uids))
    return {
        row["uid"]: (MessageId(row["message_id"]), row["internal_date"], row["size_bytes"]) for row in rows
    }


async def placed(
    tx: TenantTx, message_ids: Iterable[MessageId], folder_ids: Iterable[FolderId]
) -> set[tuple[MessageId, FolderId]]:
    """Which of these messages lie in which of these folders."""
    rows = await tx.rows(QUERIES.placed, message_ids=list(message_ids), folder_ids=list(folder_ids))
    return {(MessageId(row["message_id"]), FolderId(row["folder_id"])) for row in rows}


async def next_uid(tx: TenantTx, folder_id: FolderId, uidvalidity: int) -> int:
    """The next free UID of a folder that we number ourselves."""
    return (await tx.rows(QUERIES.next_uid, folder_id=folder_id, uidvalidity=uidvalidity))[0]["uid"]


async def next_below(tx: TenantTx, folder_id: FolderId) -> int:
    """The next free number, below 0, of what has no UID in a folder yet."""
    return (await tx.rows(QUERIES.next_below, folder_id=folder_id))[0]["uid"]


async def set_words(tx: TenantTx, words: Mapping[Place, frozenset[str]]) -> None:
    """Set flags and keywords of these placements."""
    split = [flags_and_keywords(each) for each in words.values()]
    await tx.run(
        QUERIES.set_words,
        **_columns(words),
        flags=[array_literal(sorted(flags)) for flags, _ in split],
        keywords=[array_literal(sorted(keywords)) for _, keywords in split],
        at=now_ms(),
    )


async def take_out(tx: TenantTx, places: Iterable[Place]) -> None:
    """Out of their folders here; the server may have them there still."""
    await tx.run(QUERIES.set_hidden, **_columns(places), is_hidden=True, at=now_ms())


async def put_back(tx: TenantTx, places: Iterable[Place]) -> None:
    """Undo `take_out`. What was removed meanwhile is out of sight again when its message is settled."""
    await tx.run(QUERIES.set_hidden, **_columns(places), is_hidden=False, at=now_ms())


async def let_go(tx: TenantTx, places: Iterable[Place]) -> list[FolderId]:
    """These are no more. The folder of each that there was, and that a server numbers."""
    rows = await tx.rows(QUERIES.let_go, **_columns(places), at=now_ms())
    return [FolderId(row["folder_id"]) for row in rows if row["uid"] > 0]


async def land(tx: TenantTx, landed: Mapping[Place, Place]) -> list[FolderId]:
    """What stood without a UID has got one. The folder of each that nobody had seen there yet."""
    rows = await tx.rows(
        QUERIES.land,
        **_columns(landed),
        new_uidvalidities=[each.uidvalidity for each in landed.values()],
        new_uids=[each.uid for each in landed.values()],
        at=now_ms(),
    )
    await let_go(tx, landed)
    return [FolderId(row["folder_id"]) for row in rows if row["is_new"]]


async def forget(tx: TenantTx, folder_id: FolderId, uidvalidity: int, uids: Iterable[int]) -> list[MessageId]:
    """The server no longer has these UIDs. The messages that they were."""
    gone = list(uids)
    rows = await tx.rows(QUERIES.forget, folder_id=folder_id, uidvalidity=uidvalidity, uids=gone, at=now_ms())
    await tx.run(QUERIES.forget_purged, folder_id=folder_id, uidvalidity=uidvalidity, uids=gone)
    return [MessageId(row["message_id"]) for row in rows]


async def forget_generation(tx: TenantTx, folder_id: FolderId, uidvalidity: int) -> list[MessageId]:
    """The server renumbered the folder: what has another UIDVALIDITY than this is void."""
    rows = await tx.rows(QUERIES.forget_generation, folder_id=folder_id, uidvalidity=uidvalidity, at=now_ms())
    await tx.run(QUERIES.forget_purged_otherwise, folder_id=folder_id, uidvalidity=uidvalidity)
    return [MessageId(row["message_id"]) for row in rows]


async def forget_folder(tx: TenantTx, folder_id: FolderId) -> list[MessageId]:
    """The server no longer has the folder. The messages that lay in it."""
    rows = await tx.rows(QUERIES.forget_folder, folder_id=folder_id, at=now_ms())
    await tx.run(QUERIES.forget_purged_otherwise, folder_id=folder_id, uidvalidity=None)
    return [MessageId(row["message_id"]) for row in rows]


async def reflag(
    tx: TenantTx, folder_id: FolderId, uidvalidity: int, words: Mapping[int, frozenset[str]]
) -> list[MessageId]:
    """Set flags and keywords as the server has them. The messages concerned."""
    split = {uid: flags_and_keywords(each) for uid, each in words.items()}
    rows = await tx.rows(
        QUERIES.reflag,
        folder_id=folder_id,
        uidvalidity=uidvalidity,
        uids=list(split),
        flags=[array_literal(sorted(flags)) for flags, _ in split.values()],
        keywords=[array_literal(sorted(keywords)) for _, keywords in split.values()],
        at=now_ms(),
    )
    return [MessageId(row["message_id"]) for row in rows]


async def settle(tx: TenantTx, message_ids: Iterable[MessageId]) -> tuple[list[MessageId], list[MessageId]]:
    """Let the messages say what their placements say; those that live, and those that lie nowhere any more.

    Threads are of what lives (RFC 5256 3), so where a message went or came back, others may have moved: they are
    among those that live.
    """
    wanted = list(set(message_ids))
    if not wanted:
        return [], []
    await tx.run(QUERIES.overlay, message_ids=wanted, at=now_ms())
    await tx.run(QUERIES.hide, message_ids=wanted, at=now_ms())
    await tx.run(QUERIES.release_uids, message_ids=wanted)
    rows = await tx.rows(QUERIES.settle, message_ids=wanted, at=now_ms())
    alive = [MessageId(row["id"]) for row in rows if not row["is_deleted"]]
    gone = [MessageId(row["id"]) for row in rows if row["is_deleted"]]
    changed = [MessageId(row["id"]) for row in rows if row["is_deleted"] != row["was_deleted"]]
    if changed:
        await tx.run(QUERIES.settle_attachments, message_ids=changed)
    moved = await threads.follow(tx, changed)
    return sorted({*alive, *moved}), gone


def _columns(places: Iterable[Place]) -> dict[str, list[Any]]:
    listed = list(places)
    return {
        "folder_ids": [each.folder_id for each in listed],
        "uidvalidities": [each.uidvalidity for each in listed],
        "uids": [each.uid for each in listed],
    }


def flags_and_keywords(words: frozenset[str]) -> tuple[frozenset[str], frozenset[str]]:
    """System flags start with a backslash (RFC 9051 2.3.2)."""
    flags = frozenset(word for word in words if word.startswith("\\"))
    return flags, words - flags
