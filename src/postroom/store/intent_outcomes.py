"""Outcomes: what a server made of an intent, written down in one transaction, or undone where it would not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress

from postroom.errors import UsageError
from postroom.model import AccountId, FolderId, FolderState, MessageId
from postroom.sql import queries
from postroom.store import audit, changes, folder_intents, folders, intent_rows, placements, removal
from postroom.store.database import TenantTx
from postroom.store.intent_rows import Intent
from postroom.store.placements import Place

QUERIES = queries("intents")


async def marked(
    tx: TenantTx, done: Sequence[Intent], refused: Sequence[Intent], words: Mapping[int, frozenset[str]]
) -> None:
    """The server has these flags now; what it does not show is gone there, which the next look finds."""
    several = [*done, *refused]
    modseq = await changes.next_modseq(tx, several[0].account_id)
    await intent_rows.remove(tx, done)
    if refused:
        kept = min({word for each in refused for word in each.added | each.removed})
        await intent_rows.refuse(tx, refused, f"the server did not keep it ({kept})")
    for folder_id, uidvalidity in {(each.folder_id, each.uidvalidity or 0) for each in several}:
        await placements.reflag(tx, folder_id, uidvalidity, words)
    await _tell(tx, several[0].account_id, modseq, several)
    await _trail(tx, refused, "the server did not keep it")


async def landed(tx: TenantTx, there: Mapping[Intent, Place], stayed: Iterable[Intent] = ()) -> None:
    """These have been moved or copied, and lie there now. `stayed`: moved, and still to be seen where they were."""
    account_id = next(iter(there)).account_id
    modseq = await changes.next_modseq(tx, account_id)
    more = await placements.land(tx, {each.to_place: place for each, place in there.items()})
    left = {each for each in there if each.kind == "move"} - set(stayed)
    fewer = await placements.let_go(tx, [each.place for each in left])
    await _count(tx, more, fewer)
    for each, place in there.items():
        assert each.message_id is not None
        await intent_rows.meet(tx, each.message_id, each.to_place, place)
    await intent_rows.remove(tx, there)
    await _tell(tx, account_id, modseq, there)


async def expunged(tx: TenantTx, done: Sequence[Intent], stayed: Iterable[Intent] = ()) -> None:
    """The server has removed these; `stayed` are marked to be removed."""
    account_id = done[0].account_id
    modseq = await changes.next_modseq(tx, account_id)
    fewer = await placements.let_go(tx, [each.place for each in set(done) - set(stayed)])
    await _count(tx, [], fewer)
    await intent_rows.remove(tx, done)
    await _tell(tx, account_id, modseq, done)


async def lost(tx: TenantTx, intents: Sequence[Intent]) -> None:
    """What they are about is no more on the server: there is nothing to be told, nor of what hangs on them."""
    account_id = intents[0].account_id
    modseq = await changes.next_modseq(tx, account_id)
    behind = await _hanging_on(tx, intents)
    several = [*intents, *behind]
    await placements.let_go(tx, [each.to_place for each in several if each.to_uid is not None])
    taken = [each.place for each in intents if each.kind in ("move", "expunge")]
    await _count(tx, [], await placements.let_go(tx, taken))
    await intent_rows.remove(tx, several)
    await _tell(tx, account_id, modseq, several)


async def refused(tx: TenantTx, intents: Sequence[Intent], reason: str) -> list[Intent]:
    """The server would not: all is as it was, and the reason stays. What hangs on them is undone as well; all that was."""
    account_id = intents[0].account_id
    modseq = await changes.next_modseq(tx, account_id)
    behind = await _hanging_on(tx, intents)
    await intent_rows.refuse(tx, intents, reason)
    await intent_rows.refuse(tx, behind, f"what it builds on was refused: {reason}")
    several = [*intents, *behind]
    for each in sorted(several, key=lambda one: one.sequence, reverse=True):
        await _undo(tx, each, modseq)
    await _tell(tx, account_id, modseq, several)
    await _trail(tx, several, reason)
    return several


async def undone(tx: TenantTx, intent: Intent, reason: str) -> None:
    """Undo one that nobody wants any more, and what hangs on it; nothing of it stays to be seen."""
    await intent_rows.remove(tx, await refused(tx, [intent], reason))


async def followed(tx: TenantTx, account_id: AccountId) -> None:
    """Folders were renumbered: intents go along to the numbers of now. What is not there any more is not to be told."""
    rows = await tx.rows(QUERIES.follow, account_id=account_id)
    if not rows:
        return
    touched: list[MessageId] = []
    vanished: set[object] = set()
    for row in rows:
        folder_id, message_id = FolderId(row["folder_id"]), MessageId(row["message_id"])
        if row["new_uid"] is None:
            vanished.add(row["id"])
            continue
        old = Place(folder_id, row["uidvalidity"], row["uid"])
        await intent_rows.meet(tx, message_id, old, Place(folder_id, row["new_uidvalidity"], row["new_uid"]))
        touched.append(message_id)
    modseq = await changes.next_modseq(tx, account_id)
    alive, _ = await placements.settle(tx, touched)
    await changes.append(tx, account_id, modseq, "updated", "message", alive)
    asked = await intent_rows.of_messages(tx, {MessageId(row["message_id"]) for row in rows})
    # Of what the server was told already, the place where it leads is looked at first.
    gone = [
        each for each in asked if each.id in vanished and (each.state, each.to_uid is None) != ("sent", False)
    ]
    if gone:
        await lost(tx, gone)


async def folder_made(tx: TenantTx, intent: Intent, wire_name: str) -> None:
    await folders.spell(tx, intent.folder_id, wire_name)
    await _folder_done(tx, intent)


async def folder_renamed(tx: TenantTx, intent: Intent, old: str, new: str, delimiter: str) -> None:
    """The server spells it, and all below it, otherwise now."""
    below = f"{old}{delimiter}"
    await folders.spell(tx, intent.folder_id, new)
    for each in await folders.of_account(tx, intent.account_id):
        if delimiter and each.wire_name.startswith(below):
            await folders.spell(tx, each.id, new + each.wire_name[len(old) :])
    await _folder_done(tx, intent)


async def folder_deleted(tx: TenantTx, intent: Intent) -> None:
    modseq = await changes.next_modseq(tx, intent.account_id)
    touched = await placements.forget_folder(tx, intent.folder_id)
    alive, gone = await placements.settle(tx, touched)
    await changes.append(tx, intent.account_id, modseq, "updated", "message", alive)
    await changes.append(tx, intent.account_id, modseq, "deleted", "message", gone)
    await folders.let_go(tx, intent.folder_id)
    # Nobody has to be told that it is gone: it was wanted.
    await folders.set_state(tx, intent.folder_id, FolderState(uidvalidity=None), sync_token="")
    await intent_rows.remove(tx, [intent])


async def _folder_done(tx: TenantTx, intent: Intent) -> None:
    modseq = await changes.next_modseq(tx, intent.account_id)
    await intent_rows.remove(tx, [intent])
    await changes.append(tx, intent.account_id, modseq, "updated", "folder", [intent.folder_id])


async def _hanging_on(tx: TenantTx, intents: Sequence[Intent]) -> list[Intent]:
    """What is wanted of places, or folders, that these were to make; in its order."""
    found: dict[object, Intent] = {}
    asked = list(intents)
    while asked:
        each = asked.pop()
        if each.kind == "create_folder":
            rows = await intent_rows.of_folder_mail(tx, each.folder_id)
            rows += await intent_rows.of_folders(tx, [each.folder_id])
            behind = rows
        elif each.to_uid is not None and each.message_id is not None:
            behind = [
                other
                for other in await intent_rows.of_messages(tx, [each.message_id])
                if other.place == each.to_place
            ]
        else:
            continue
        for other in behind:
            is_other = other.id not in found and other.id not in {one.id for one in intents}
            if is_other and other.state != "refused":
                found[other.id] = other
                asked.append(other)
    return sorted(found.values(), key=lambda one: one.sequence)


async def _undo(tx: TenantTx, each: Intent, modseq: int) -> None:
    match each.kind:
        case "mark":
            await _unmark(tx, each)
        case "copy":
            await placements.let_go(tx, [each.to_place])
        case "move" | "expunge":
            if each.to_uid is not None:
                await placements.let_go(tx, [each.to_place])
            if each.purpose == "delete" and each.message_id is not None:
                await removal.restore(tx, [each.message_id])
            await placements.put_back(tx, [each.place])
        case "create_folder":
            await folders.put_away(tx, each.folder_id)
            await changes.append(tx, each.account_id, modseq, "deleted", "folder", [each.folder_id])
        case "rename_folder":
            await _unname(tx, each, modseq)
        case "delete_folder":
            if await folders.bring_back(tx, each.folder_id):
                await changes.append(tx, each.account_id, modseq, "created", "folder", [each.folder_id])
    if each.message_id is not None:
        await folders.look_at_all(tx, each.folder_id)


async def _unmark(tx: TenantTx, each: Intent) -> None:
    """As far as we know it; the next look at the folder takes what the server has."""
    assert each.message_id is not None
    for lying in await tx.rows(QUERIES.words_at, **_key(each.place)):
        words = (frozenset(lying["words"]) - each.added) | each.removed
        await placements.set_words(tx, {each.place: words})


async def _unname(tx: TenantTx, each: Intent, modseq: int) -> None:
    folder = await folders.get(tx, each.folder_id)
    if folder.name != each.name or each.old_name is None:
        return  # it goes by another name by now
    with suppress(
        UsageError
    ):  # somebody took the name meanwhile; the next look at the list finds what is there
        touched = await folder_intents.rename_tree(tx, folder, each.old_name)
        await changes.append(tx, each.account_id, modseq, "updated", "folder", touched)


async def _count(tx: TenantTx, more: Iterable[FolderId], fewer: Iterable[FolderId]) -> None:
    """So many does the server list now, as it will say at the next look."""
    difference = Counter(more)
    difference.subtract(fewer)
    for folder_id, count in difference.items():
        if count:
            await folders.count_listed(tx, folder_id, count)


async def _tell(tx: TenantTx, account_id: AccountId, modseq: int, several: Iterable[Intent]) -> None:
    touched = {each.message_id for each in several if each.message_id is not None}
    alive, _ = await placements.settle(tx, touched)
    await changes.append(tx, account_id, modseq, "updated", "message", alive)


async def _trail(tx: TenantTx, several: Iterable[Intent], reason: str) -> None:
    for each in several:
        if each.kind == "draft":
            continue  # it is as it was here
        about = ("folder", each.folder_id) if each.message_id is None else ("message", each.message_id)
        after = {"kind": each.kind, "reason": reason}
        await audit.append(tx, f"{about[0]}.undo", *about, after=after)


def _key(place: Place) -> dict[str, object]:
    return {"folder_id": place.folder_id, "uidvalidity": place.uidvalidity, "uid": place.uid}
