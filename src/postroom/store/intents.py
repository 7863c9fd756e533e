"""Intents: what people change of their mail, done here at once and told to the server by the next sync.

Each function does, in the transaction that it is given: the change, the intent, the entry in the account's change feed and
the entry in the audit trail. An account that no server is behind (imports), or one that takes no changes (POP3), is
changed here only.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from postroom.errors import UsageError
from postroom.model import AccountId, FolderId, IntentId, MessageId
from postroom.store import (
    audit,
    changes,
    draft_copies,
    folder_intents,
    folders,
    intent_rows,
    placements,
    removal,
)
from postroom.store.audit import Actor
from postroom.store.database import TenantTx
from postroom.store.flag_words import checked
from postroom.store.intent_places import Changed as Changed
from postroom.store.intent_places import Lies, bring, is_mirrored, lies, put
from postroom.store.intent_rows import QUERIES, Intent, Wanted
from postroom.store.placements import Place


async def mark(
    tx: TenantTx,
    message_ids: Iterable[MessageId],
    *,
    add: Iterable[str] = (),
    remove: Iterable[str] = (),
    actor: Actor | None = None,
) -> Changed:
    """Set and take away flags (`\\Seen`, `\\Flagged`, `\\Answered`, `\\Draft`) and keywords, in all folders of the messages.

    Raises UsageError for a word that no server could keep.
    """
    added, removed = checked(add), checked(remove)
    if added & removed:
        raise UsageError(reason=f"{min(added & removed)} cannot be both set and taken away.")
    done = Changed()
    for account_id, wanted in (await removal.by_account(tx, message_ids)).items():
        modseq = await changes.next_modseq(tx, account_id)
        differing = {
            each.place: (each, (each.words | added) - removed)
            for each in await lies(tx, wanted)
            if (each.words | added) - removed != each.words
        }
        if not differing:
            continue
        await placements.set_words(tx, {place: words for place, (_, words) in differing.items()})
        intents = await _say_marks(tx, account_id, [each for each, _ in differing.values()], added, removed)
        touched = list(dict.fromkeys(each.message_id for each, _ in differing.values()))
        alive, _ = await placements.settle(tx, touched)
        await changes.append(tx, account_id, modseq, "updated", "message", alive)
        done.add(Changed(messages=touched, intents=intents))
    said = {"added": sorted(added), "removed": sorted(removed)}
    await audit.append_messages(tx, "message.mark", done.messages, after=said, actor=actor)
    return done


async def move(
    tx: TenantTx,
    message_ids: Iterable[MessageId],
    folder_id: FolderId,
    *,
    from_folder_id: FolderId | None = None,
    actor: Actor | None = None,
) -> Changed:
    """Put messages into another folder of their account. Of one that lies in several folders it is the place in
    `from_folder_id`, or else the first, that is left.

    Raises NotFound for the folder, UsageError where the message cannot get there.
    """
    return await bring(
        tx, "move", message_ids, folder_id, from_folder_id=from_folder_id, purpose="change", actor=actor
    )


async def copy(
    tx: TenantTx, message_ids: Iterable[MessageId], folder_id: FolderId, *, actor: Actor | None = None
) -> Changed:
    """Put messages into another folder of their account as well. What lies there already is left alone.

    Raises NotFound for the folder, UsageError where the message cannot get there.
    """
    return await bring(tx, "copy", message_ids, folder_id, purpose="change", actor=actor)


async def delete(tx: TenantTx, message_ids: Iterable[MessageId], *, actor: Actor | None = None) -> Changed:
    """Delete messages: here as `removal.delete` does; on their server they go to Trash, and from Trash for good."""
    asked = list(message_ids)
    by_account = await removal.by_account(tx, asked)
    await _hold(tx, by_account)
    lay = await lies(tx, asked)
    done = Changed(messages=await removal.delete(tx, asked, actor=actor))
    gone = set(done.messages)
    for account_id in by_account:
        of_account = set(by_account[account_id]) & gone
        mirrored = [each for each in lay if each.is_mirrored and each.message_id in of_account]
        if mirrored:
            done.intents += await _say_deleted(tx, account_id, mirrored)
    return done


async def undelete(tx: TenantTx, message_ids: Iterable[MessageId], *, actor: Actor | None = None) -> Changed:
    """Bring deleted messages back to where they lay, here and on their server."""
    asked = list(message_ids)
    by_account = await removal.by_account(tx, asked)
    await _hold(tx, by_account)
    was_in = {
        MessageId(row["id"]): FolderId(row["folder_id"])
        for row in await tx.rows(removal.QUERIES.homes_of, message_ids=asked)
    }
    await _call_off(tx, asked)
    done = Changed(messages=await removal.restore(tx, asked, actor=actor))
    back: dict[FolderId, list[MessageId]] = defaultdict(list)
    trashed = defaultdict[MessageId, list[Lies]](list)
    for each in await lies(tx, done.messages):
        trashed[each.message_id].append(each)
    for message_id, several in trashed.items():
        if all(each.folder_type == "trash" and each.is_mirrored for each in several):
            home = await folders.get(tx, was_in[message_id])
            if home.type != "trash" and not home.is_deleted and await is_mirrored(tx, home):
                back[home.id].append(message_id)
    for folder_id, several in back.items():
        moved = await bring(tx, "move", several, folder_id, purpose="restore", actor=actor)
        done.intents += moved.intents
    return done


async def again(tx: TenantTx, intent: Intent, *, actor: Actor | None = None) -> None:
    """Want what was refused once more. Raises UsageError and NotFound where it cannot be wanted any more."""
    await intent_rows.remove(tx, [intent])
    ids = [intent.message_id] if intent.message_id else []
    match intent.kind:
        case "mark":
            await mark(tx, ids, add=intent.added, remove=intent.removed, actor=actor)
        case "expunge":
            await delete(tx, ids, actor=actor)
        case "move" if intent.purpose == "delete":
            await delete(tx, ids, actor=actor)
        case "move" | "copy":
            assert intent.to_folder_id is not None
            leaving = intent.folder_id if intent.kind == "move" else None
            into = intent.to_folder_id
            await bring(tx, intent.kind, ids, into, from_folder_id=leaving, actor=actor)
        case "create_folder":
            await folder_intents.create(tx, intent.account_id, intent.name or "", actor=actor)
        case "rename_folder":
            await folder_intents.rename(tx, intent.folder_id, intent.name or "", actor=actor)
        case "delete_folder":
            await folder_intents.delete(tx, intent.folder_id, actor=actor)
        case "draft":
            assert intent.draft_id is not None
            await draft_copies.want(tx, intent.draft_id)


async def _say_marks(
    tx: TenantTx,
    account_id: AccountId,
    differing: Sequence[Lies],
    added: frozenset[str],
    removed: frozenset[str],
) -> list[IntentId]:
    """What the server must be told; what it was not told yet of the same place is said anew, or taken back."""
    mirrored = [each for each in differing if each.is_mirrored]
    waiting = _last_marks(await intent_rows.of_messages(tx, {each.message_id for each in mirrored}))
    fresh: list[Wanted] = []
    said: list[IntentId] = []
    for each in mirrored:
        more, less = added - each.words, removed & each.words
        before = waiting.get(each.place)
        if before is None:
            fresh.append(
                Wanted(
                    kind="mark",
                    message_id=each.message_id,
                    folder_id=each.place.folder_id,
                    uidvalidity=each.place.uidvalidity,
                    uid=each.place.uid,
                    added=more,
                    removed=less,
                )
            )
            continue
        # What was to be set and is to be taken away again needs no saying, and the other way round.
        both = (
            (before.added - less) | (more - before.removed),
            (before.removed - more) | (less - before.added),
        )
        if any(both):
            await intent_rows.mark_again(tx, before.id, added=both[0], removed=both[1])
            said.append(before.id)
        else:
            await intent_rows.remove(tx, [before])
    return said + await intent_rows.append(tx, account_id, fresh)


def _last_marks(intents: Iterable[Intent]) -> dict[Place, Intent]:
    """Of each place the mark that nothing else comes behind, and that the server was not told yet."""
    last = {each.place: each for each in intents if each.state != "refused"}
    return {place: each for place, each in last.items() if (each.kind, each.state) == ("mark", "pending")}


async def _say_deleted(tx: TenantTx, account_id: AccountId, mirrored: Sequence[Lies]) -> list[IntentId]:
    """One place of each message goes to Trash, the others out; of what lies in Trash, all of it."""
    trash = await folder_intents.trash(tx, account_id)
    by_message: dict[MessageId, list[Lies]] = defaultdict(list)
    for each in mirrored:
        by_message[each.message_id].append(each)
    wanted: list[Wanted] = []
    to_trash: list[Lies] = []
    out: list[Lies] = []
    for several in by_message.values():
        in_trash = [each for each in several if each.folder_type == "trash"]
        elsewhere = [each for each in several if each.folder_type != "trash"]
        if in_trash:
            out += elsewhere or in_trash
        else:
            to_trash.append(elsewhere[0])
            out += elsewhere[1:]
    placed = await put(tx, to_trash, trash, is_mirrored=True)
    for each, there in zip(to_trash, placed, strict=True):
        wanted.append(_taken_out(each, "move", to_folder_id=trash.id, to_uid=there.uid))
    wanted += [_taken_out(each, "expunge") for each in out]
    said = await intent_rows.append(tx, account_id, wanted)
    await placements.settle(tx, list(by_message))
    return said


def _taken_out(each: Lies, kind: Any, **more: Any) -> Wanted:
    return Wanted(
        kind=kind,
        message_id=each.message_id,
        folder_id=each.place.folder_id,
        uidvalidity=each.place.uidvalidity,
        uid=each.place.uid,
        purpose="delete",
        **more,
    )


async def _call_off(tx: TenantTx, message_ids: Sequence[MessageId]) -> None:
    """Deletions of which the server was not told yet are as if they had not been."""
    waiting = [
        each
        for each in await intent_rows.of_messages(tx, message_ids)
        if each.purpose == "delete" and each.state == "pending"
    ]
    await placements.let_go(tx, [each.to_place for each in waiting if each.kind == "move"])
    await intent_rows.remove(tx, waiting)


async def _hold(tx: TenantTx, by_account: Mapping[AccountId, object]) -> None:
    await tx.rows(QUERIES.hold, account_ids=sorted(by_account))
