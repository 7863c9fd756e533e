"""Where messages lie, as people see it, and how they get to another folder here while the server is yet to be told."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from postroom.errors import UsageError
from postroom.model import AccountId, Folder, FolderId, IntentId, MessageId
from postroom.store import audit, changes, folders, intent_rows, placements, removal
from postroom.store.audit import Actor
from postroom.store.database import TenantTx
from postroom.store.intent_rows import QUERIES, Purpose, Wanted
from postroom.store.placements import OUR_NUMBERING, UNNUMBERED, Place, Placement, flags_and_keywords


@dataclass(slots=True, kw_only=True)
class Changed:
    """What a change came to."""

    messages: list[MessageId] = field(default_factory=list)
    """Those that were not as wanted before."""
    intents: list[IntentId] = field(default_factory=list)
    """What servers are yet to be told of it."""

    def add(self, other: Changed) -> None:
        self.messages += other.messages
        self.intents += other.intents


@dataclass(frozen=True, slots=True, kw_only=True)
class Lies:
    """A message in a folder, as people see it."""

    message_id: MessageId
    place: Place
    folder_type: str
    words: frozenset[str]
    home_id: FolderId
    """The folder that the message says it lies in."""
    internal_date: int | None
    object_id: str | None
    is_mirrored: bool
    """Whether a server has it there too, or will have."""


async def lies(tx: TenantTx, message_ids: Iterable[MessageId]) -> list[Lies]:
    """Where these messages lie, as people see it, the first place of each first."""
    rows = await tx.rows(QUERIES.places, message_ids=list(message_ids))
    return [
        Lies(
            message_id=MessageId(row["message_id"]),
            place=Place(FolderId(row["folder_id"]), row["uidvalidity"], row["uid"]),
            folder_type=row["folder_type"],
            words=frozenset(row["words"]),
            home_id=FolderId(row["home_id"]),
            internal_date=row["internal_date"],
            object_id=row["object_id"],
            is_mirrored=row["is_mirrored"],
        )
        for row in rows
    ]


async def lying_in(tx: TenantTx, folder_id: FolderId) -> list[MessageId]:
    """The messages that people see in a folder."""
    rows = await tx.rows(QUERIES.lying_in, folder_id=folder_id)
    return [MessageId(row["message_id"]) for row in rows]


async def has_server(tx: TenantTx, account_id: AccountId) -> bool:
    """Whether there is a server behind the account that takes changes."""
    return (await tx.rows(QUERIES.has_server, account_id=account_id))[0]["has_server"]


async def is_mirrored(tx: TenantTx, folder: Folder) -> bool:
    """Whether a server that takes changes has the folder, or is about to be told to make it."""
    if not await has_server(tx, folder.account_id):
        return False
    if folder.uidvalidity is not None or folder.wire_name:
        return True
    said = await intent_rows.of_folders(tx, [folder.id])
    return any(each.kind == "create_folder" and each.state != "refused" for each in said)


async def bring(
    tx: TenantTx,
    kind: Literal["move", "copy"],
    message_ids: Iterable[MessageId],
    folder_id: FolderId,
    *,
    purpose: Purpose = "change",
    from_folder_id: FolderId | None = None,
    actor: Actor | None = None,
) -> Changed:
    by_account = await removal.by_account(tx, message_ids)
    into = await folders.get(tx, folder_id)
    if set(by_account) - {into.account_id}:
        raise UsageError(reason=f"The folder {into.name} is of another account than the messages.")
    if into.is_deleted or not into.is_selectable:
        raise UsageError(
            reason=f"The folder {into.name} holds no messages: it is deleted, or a level of names only."
        )
    done = Changed()
    for account_id, wanted in by_account.items():
        modseq = await changes.next_modseq(tx, account_id)
        found = await lies(tx, wanted)
        chosen = _leaving(found, from_folder_id, folder_id) if kind == "move" else _staying(found, folder_id)
        if not chosen:
            continue
        mirrored = await is_mirrored(tx, into)
        if odd := [each for each in chosen if each.is_mirrored != mirrored]:
            where = f"the folder {into.name} is only here" if not mirrored else "its server does not have it"
            raise UsageError(reason=f"Message {odd[0].message_id} cannot go to {into.name}: {where}.")
        placed = await put(tx, chosen, into, is_mirrored=mirrored)
        if kind == "move":
            await placements.take_out(tx, [each.place for each in chosen])
        if mirrored:
            intents = [
                Wanted(
                    kind=kind,
                    message_id=each.message_id,
                    folder_id=each.place.folder_id,
                    uidvalidity=each.place.uidvalidity,
                    uid=each.place.uid,
                    to_folder_id=into.id,
                    to_uid=there.uid,
                    purpose=purpose,
                )
                for each, there in zip(chosen, placed, strict=True)
            ]
            done.intents += await intent_rows.append(tx, account_id, intents)
        touched = list(dict.fromkeys(each.message_id for each in chosen))
        alive, _ = await placements.settle(tx, touched)
        await changes.append(tx, account_id, modseq, "updated", "message", alive)
        done.messages += touched
    after = {"folder_id": str(into.id)}
    await audit.append_messages(tx, f"message.{kind}", done.messages, after=after, actor=actor)
    return done


def _leaving(found: Sequence[Lies], from_folder_id: FolderId | None, into: FolderId) -> list[Lies]:
    """One place of each message: in the folder that was said, else in that which the message says."""
    chosen: dict[MessageId, Lies] = {}
    for each in found:
        wanted = each.home_id if from_folder_id is None else from_folder_id
        if each.place.folder_id == wanted:
            chosen.setdefault(each.message_id, each)
    return [each for each in chosen.values() if each.place.folder_id != into]


def _staying(found: Sequence[Lies], into: FolderId) -> list[Lies]:
    there = {each.message_id for each in found if each.place.folder_id == into}
    first: dict[MessageId, Lies] = {}
    for each in found:
        first.setdefault(each.message_id, each)
    return [each for each in first.values() if each.message_id not in there]


async def put(tx: TenantTx, chosen: Sequence[Lies], into: Folder, *, is_mirrored: bool) -> list[Placement]:
    """Into the folder: where a server numbers it, under a number below 0 until it has given one."""
    if is_mirrored:
        first, step, uidvalidity = await placements.next_below(tx, into.id), -1, UNNUMBERED
    else:
        first, step, uidvalidity = await placements.next_uid(tx, into.id, OUR_NUMBERING), 1, OUR_NUMBERING
    placed = [
        _placement(each, into.id, uidvalidity, first + step * number) for number, each in enumerate(chosen)
    ]
    await placements.add(tx, placed)
    return placed


def _placement(each: Lies, folder_id: FolderId, uidvalidity: int, uid: int) -> Placement:
    flags, keywords = flags_and_keywords(each.words)
    return Placement(
        folder_id=folder_id,
        uidvalidity=uidvalidity,
        uid=uid,
        message_id=each.message_id,
        flags=flags,
        keywords=keywords,
        internal_date=each.internal_date,
        object_id=each.object_id,
    )
