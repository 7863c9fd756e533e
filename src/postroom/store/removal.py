"""Removal: messages that somebody deletes, brings back, or that are purged when their time is over.

A deleted message is out of every list and search at once. Its row stays until it is purged. Where its server still has
it, its placement is hidden: the sync knows of it and does not bring it in again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from postroom.ids import now_ms
from postroom.model import AccountId, FolderId, MessageId, SourceFolder
from postroom.sql import queries
from postroom.store import audit, changes, folders, holds, placements
from postroom.store.audit import Actor
from postroom.store.database import TenantTx
from postroom.store.placements import OUR_NUMBERING, Placement

QUERIES = queries("messages")
RESTORED = "Restored by Postroom"
"""The folder of what comes back and lies in no folder of its server any more."""
Position = tuple[int, UUID]
BEGINNING: Position = (-(2**63), UUID(int=0))
END: Position = (2**63 - 1, UUID(int=2**128 - 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Purge:
    """What one step of a purge did."""

    purged: int
    held: int
    blobs: list[dict[str, Any]]
    """The rows of the blobs that nothing needed any more."""
    position: Position | None
    """Where the next step begins; None when there is none."""


async def delete(
    tx: TenantTx, message_ids: Iterable[MessageId], *, actor: Actor | None = None
) -> list[MessageId]:
    """Delete messages here; those that were living. Each account's feed has their tombstones. Servers are not told:
    that is `intents.delete`."""
    gone: list[MessageId] = []
    for account_id, wanted in (await by_account(tx, message_ids)).items():
        modseq = await changes.next_modseq(tx, account_id)
        rows = await tx.rows(QUERIES.remove, account_id=account_id, message_ids=wanted, at=now_ms())
        removed = [MessageId(row["id"]) for row in rows]
        alive, _ = await placements.settle(tx, removed)
        await changes.append(tx, account_id, modseq, "updated", "message", alive)
        await changes.append(tx, account_id, modseq, "deleted", "message", removed)
        gone += removed
    was, now = {"is_deleted": False}, {"is_deleted": True}
    await audit.append_messages(tx, "message.delete", gone, before=was, after=now, actor=actor)
    return gone


async def restore(
    tx: TenantTx, message_ids: Iterable[MessageId], *, actor: Actor | None = None
) -> list[MessageId]:
    """Bring deleted messages back to their folders here; those that were deleted."""
    back: list[MessageId] = []
    for account_id, wanted in (await by_account(tx, message_ids)).items():
        modseq = await changes.next_modseq(tx, account_id)
        await tx.run(placements.QUERIES.unhide, message_ids=wanted, at=now_ms())
        rows = await tx.rows(QUERIES.bring_back, account_id=account_id, message_ids=wanted)
        restored = [MessageId(row["id"]) for row in rows]
        alive, homeless = await placements.settle(tx, restored)
        if homeless:
            await _place(tx, account_id, homeless)
            alive = sorted({*alive, *(await placements.settle(tx, homeless))[0]})
        # To a client that saw them go they are new.
        await changes.append(tx, account_id, modseq, "created", "message", restored)
        moved = [each for each in alive if each not in set(restored)]
        await changes.append(tx, account_id, modseq, "updated", "message", moved)
        back += restored
    was, now = {"is_deleted": True}, {"is_deleted": False}
    await audit.append_messages(tx, "message.restore", back, before=was, after=now, actor=actor)
    return back


async def deleted(
    tx: TenantTx, *, since: int = 0, before: Position = END, limit: int = 50
) -> list[dict[str, Any]]:
    """What was deleted since a time, the latest first: those before a time of deletion and id."""
    return await tx.rows(QUERIES.deleted, since=since, before_at=before[0], before_id=before[1], limit=limit)


async def count_purgeable(tx: TenantTx, *, before: int) -> int:
    """How many messages were deleted before a time, held ones among them."""
    return (await tx.rows(QUERIES.count_purgeable, before=before))[0]["messages"]


async def purge(
    tx: TenantTx,
    *,
    before: int,
    after: Position = BEGINNING,
    limit: int = 200,
) -> Purge:
    """One small step: remove what was deleted before a time and is not held, with the blobs that nothing else needs.

    Until the transaction ends nobody brings mail into the tenant, so that no blob is wanted again meanwhile.
    """
    await tx.rows(queries("accounts").hold_all)
    rows = await tx.rows(
        QUERIES.purgeable,
        before=before,
        after_at=after[0],
        after_id=after[1],
        limit=limit,
    )
    # After the lock, which whoever makes a hold takes as well: none is made until the step is done.
    held = await holds.held_of(tx, [MessageId(row["id"]) for row in rows])
    wholly = await holds.held_wholly(tx)
    free = [row for row in rows if not (row["id"] in held or row["account_id"] in wholly or None in wholly)]
    position = (rows[-1]["deleted_at"], rows[-1]["id"]) if len(rows) == limit else None
    blobs = await _purge(tx, free) if free else []
    return Purge(purged=len(free), held=len(rows) - len(free), blobs=blobs, position=position)


async def sweep_blobs(
    tx: TenantTx, *, after: bytes = b"", limit: int = 1000
) -> tuple[list[dict[str, Any]], bytes | None]:
    """One step through all blobs of the tenant: the rows of those that nothing needed, now gone, and where to go on."""
    await tx.rows(queries("accounts").hold_all)
    rows = await tx.rows(queries("blobs").page, after_sha256=after, limit=limit)
    hashes = [bytes(row["sha256"]) for row in rows]
    return await _remove_orphans(tx, hashes), hashes[-1] if len(hashes) == limit else None


async def _purge(tx: TenantTx, rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    ids = [MessageId(row["id"]) for row in rows]
    by_account: dict[AccountId, list[MessageId]] = defaultdict(list)
    for row in rows:
        by_account[AccountId(row["account_id"])].append(MessageId(row["id"]))
    for account_id in sorted(by_account):
        modseq = await changes.next_modseq(tx, account_id)
        await changes.append(tx, account_id, modseq, "deleted", "message", by_account[account_id])
    needed = [bytes(row["sha256"]) for row in await tx.rows(QUERIES.blobs_of, message_ids=ids)]
    await tx.run(placements.QUERIES.keep_purged_uids, message_ids=ids, at=now_ms())
    await tx.run(placements.QUERIES.purge, message_ids=ids)
    gone = await tx.rows(QUERIES.purge, message_ids=ids)
    await tx.run(queries("threads").purge_links, family_ids=list({row["thread_family_id"] for row in gone}))
    blobs = await _remove_orphans(tx, needed)
    await audit.append(
        tx, "message.purge", "messages", before={"messages": [str(each) for each in ids], "blobs": len(blobs)}
    )
    return blobs


async def _remove_orphans(tx: TenantTx, hashes: list[bytes]) -> list[dict[str, Any]]:
    orphans = [bytes(row["sha256"]) for row in await tx.rows(queries("blobs").orphans, sha256s=hashes)]
    return await tx.rows(queries("blobs").remove, sha256s=orphans) if orphans else []


async def by_account(tx: TenantTx, message_ids: Iterable[MessageId]) -> dict[AccountId, list[MessageId]]:
    """In the order of the accounts: two that delete at once wait for each other in one order."""
    rows = await tx.rows(QUERIES.accounts_of, message_ids=list(message_ids))
    found: dict[AccountId, list[MessageId]] = defaultdict(list)
    for row in rows:
        found[AccountId(row["account_id"])].append(MessageId(row["id"]))
    return {account_id: found[account_id] for account_id in sorted(found)}


async def _place(tx: TenantTx, account_id: AccountId, message_ids: Sequence[MessageId]) -> None:
    folder = (await folders.ensure(tx, account_id, [SourceFolder(name=RESTORED)]))[RESTORED]
    first = await placements.next_uid(tx, folder.id, OUR_NUMBERING)
    await placements.add(
        tx,
        [
            Placement(
                folder_id=FolderId(folder.id),
                uidvalidity=OUR_NUMBERING,
                uid=first + number,
                message_id=message_id,
                flags=frozenset({"\\Seen"}),
            )
            for number, message_id in enumerate(message_ids)
        ],
    )
