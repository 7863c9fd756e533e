"""Intents as rows: what was changed here and a server is yet to be told, in the order of each account."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal

from postroom.ids import new_id, now_ms
from postroom.model import AccountId, DraftId, FolderId, IntentId, IntentKind, MessageId
from postroom.sql import queries
from postroom.store import jobs
from postroom.store.arrays import array_literal
from postroom.store.database import TenantTx
from postroom.store.placements import UNNUMBERED, Place

QUERIES = queries("intents")
Purpose = Literal["change", "delete", "restore"]
State = Literal["pending", "sent", "refused"]
"""Waiting; told, and the answer is not known yet; undone here because the server would not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """An intent about to be written."""

    kind: IntentKind
    folder_id: FolderId
    message_id: MessageId | None = None
    draft_id: DraftId | None = None
    uidvalidity: int | None = None
    uid: int | None = None
    to_folder_id: FolderId | None = None
    to_uid: int | None = None
    added: frozenset[str] = frozenset()
    removed: frozenset[str] = frozenset()
    name: str | None = None
    old_name: str | None = None
    purpose: Purpose = "change"


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent(Wanted):
    id: IntentId
    account_id: AccountId
    sequence: int
    state: State
    sent_uidvalidity: int | None
    sent_uidnext: int | None
    attempts: int
    last_error: str | None
    created_at: int
    updated_at: int

    @property
    def place(self) -> Place:
        """Where the message lies that it is about."""
        assert self.uid is not None
        return Place(self.folder_id, self.uidvalidity or UNNUMBERED, self.uid)

    @property
    def to_place(self) -> Place:
        """What stands for the message where it leads, until the server gives a UID."""
        assert self.to_folder_id is not None
        assert self.to_uid is not None
        return Place(self.to_folder_id, UNNUMBERED, self.to_uid)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    waiting: int
    refused: int
    since: int | None
    """When the oldest that waits was wanted."""


_COLUMNS = [each.name for each in fields(Intent)]


async def append(tx: TenantTx, account_id: AccountId, wanted: Sequence[Wanted]) -> list[IntentId]:
    """Write them behind all that the account has, and let a worker come soon. The caller holds the account (`changes.next_modseq`)."""
    ids = [IntentId(new_id()) for _ in wanted]
    if wanted:
        await tx.run(
            QUERIES.append,
            account_id=account_id,
            ids=ids,
            kinds=[each.kind for each in wanted],
            message_ids=[each.message_id for each in wanted],
            draft_ids=[each.draft_id for each in wanted],
            folder_ids=[each.folder_id for each in wanted],
            uidvalidities=[each.uidvalidity for each in wanted],
            uids=[each.uid for each in wanted],
            to_folder_ids=[each.to_folder_id for each in wanted],
            to_uids=[each.to_uid for each in wanted],
            added=[array_literal(sorted(each.added)) for each in wanted],
            removed=[array_literal(sorted(each.removed)) for each in wanted],
            names=[each.name for each in wanted],
            old_names=[each.old_name for each in wanted],
            purposes=[each.purpose for each in wanted],
            at=now_ms(),
        )
        await jobs.wake(tx, account_id)
    return ids


async def next_of(tx: TenantTx, account_id: AccountId, *, limit: int) -> list[Intent]:
    """What the account's server is to be told next, in its order."""
    return _intents(await tx.rows(QUERIES.next, account_id=account_id, limit=limit))


async def last_of(tx: TenantTx, account_id: AccountId) -> int:
    """The place of what was wanted last."""
    rows = await tx.rows(QUERIES.last, account_id=account_id)
    return rows[0]["sequence"] if rows else 0


async def of_account(tx: TenantTx, account_id: AccountId) -> list[tuple[Intent, dict[str, Any]]]:
    """All that is open, refused ones among it, each with subject, folder and to_folder for people."""
    rows = await tx.rows(QUERIES.of_account, account_id=account_id)
    return [(_intent(row), row) for row in rows]


async def of_messages(tx: TenantTx, message_ids: Iterable[MessageId]) -> list[Intent]:
    """What is open of these messages, refused ones among it, in their order."""
    return _intents(await tx.rows(QUERIES.of_messages, message_ids=list(message_ids)))


async def of_draft(tx: TenantTx, draft_id: DraftId) -> Intent | None:
    """What is open of a draft, also when it was refused."""
    return next(iter(_intents(await tx.rows(QUERIES.of_draft, draft_id=draft_id))), None)


async def of_folders(tx: TenantTx, folder_ids: Iterable[FolderId]) -> list[Intent]:
    """What is open of these folders themselves, refused ones among it."""
    return _intents(await tx.rows(QUERIES.of_folders, folder_ids=list(folder_ids)))


async def folders_waiting(tx: TenantTx, account_id: AccountId) -> dict[str, bool]:
    """How the server spells the folders that were renamed or deleted here untold, and whether they were deleted."""
    rows = await tx.rows(QUERIES.folders_waiting, account_id=account_id)
    found: dict[str, bool] = {}
    for row in rows:
        found[row["wire_name"]] = found.get(row["wire_name"], False) or row["kind"] == "delete_folder"
    return found


async def of_folder_mail(tx: TenantTx, folder_id: FolderId) -> list[Intent]:
    """What is open of mail in a folder, and of mail that is to come into it."""
    return _intents(await tx.rows(QUERIES.of_folder_mail, folder_id=folder_id))


async def looks(tx: TenantTx, message_ids: Iterable[MessageId]) -> dict[MessageId, tuple[int, bytes]]:
    """Size and SHA-256 of messages: by what they are known for certain."""
    rows = await tx.rows(QUERIES.looks, message_ids=list(message_ids))
    return {MessageId(row["id"]): (row["size_bytes"], bytes(row["content_hash"])) for row in rows}


async def counts(tx: TenantTx, account_id: AccountId) -> Counts:
    return Counts(**(await tx.rows(QUERIES.counts, account_id=account_id))[0])


async def mark_again(
    tx: TenantTx, intent_id: IntentId, *, added: Iterable[str], removed: Iterable[str]
) -> None:
    """The last word on flags of which the server was not told yet."""
    await tx.run(
        QUERIES.mark_again, intent_id=intent_id, added=sorted(added), removed=sorted(removed), at=now_ms()
    )


async def sent(
    tx: TenantTx,
    intents: Iterable[Intent],
    *,
    uidvalidity: int | None = None,
    uidnext: int | None = None,
) -> None:
    """They are about to be told; these are the numbers of where they lead, before."""
    await tx.run(
        QUERIES.sent,
        intent_ids=[each.id for each in intents],
        sent_uidvalidity=uidvalidity,
        sent_uidnext=uidnext,
        at=now_ms(),
    )


async def put_off(tx: TenantTx, intents: Iterable[Intent], reason: str) -> None:
    """The server was told and could not do it now."""
    await tx.run(QUERIES.put_off, intent_ids=[each.id for each in intents], reason=reason, at=now_ms())


async def refuse(tx: TenantTx, intents: Iterable[Intent], reason: str) -> None:
    """The server would not."""
    await tx.run(QUERIES.refuse, intent_ids=[each.id for each in intents], reason=reason, at=now_ms())


async def remove(tx: TenantTx, intents: Iterable[Intent]) -> None:
    """Done, or not wanted any more."""
    await tx.run(QUERIES.remove, intent_ids=[each.id for each in intents])


async def meet(tx: TenantTx, message_id: MessageId, old: Place, new: Place) -> None:
    """What lay at one place lies at another of the same folder now: what else is wanted of it goes there."""
    await tx.run(
        QUERIES.meet,
        message_id=message_id,
        folder_id=old.folder_id,
        old_uidvalidity=old.uidvalidity,
        old_uid=old.uid,
        uidvalidity=new.uidvalidity,
        uid=new.uid,
        at=now_ms(),
    )


def _intents(rows: Iterable[dict[str, Any]]) -> list[Intent]:
    return [_intent(row) for row in rows]


def _intent(row: dict[str, Any]) -> Intent:
    values: dict[str, Any] = {name: row[name] for name in _COLUMNS}
    values |= {name: frozenset(row[name]) for name in ("added", "removed")}
    return Intent(**values)
