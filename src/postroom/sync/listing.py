"""Listing: what became of the folders that a server lists no more. They were renamed, are gone, or the list is wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from postroom.errors import SourceError
from postroom.model import Account, Folder, FolderState, SourceFolder, TenantId
from postroom.store import changes, folders, intent_rows, placements, quarantine
from postroom.store.database import Database, TenantTx
from postroom.sync.aside import aside
from postroom.sync.recognise import recognise
from postroom.wire.imap import ImapSource

_SAMPLE = 200
"""So many messages of a folder must be the same ones for it to be the same folder."""


@dataclass(slots=True)
class Followed:
    """What the listing came to."""

    still_there: list[SourceFolder] = field(default_factory=list)
    """Folders that are not listed and can be opened nevertheless."""
    vanished: int = 0
    notes: list[str] = field(default_factory=list)
    held: list[str] = field(default_factory=list)


class Listing:
    """Compares the folders that the server lists with ours. Nothing is let go on the word of one listing alone:
    the server is asked for each folder by name, and what would take most of an account with it is held."""

    def __init__(self, db: Database, tenant_id: TenantId, account: Account, source: ImapSource) -> None:
        self._db = db
        self._tenant_id = tenant_id
        self._account = account
        self._source = source

    async def follow(
        self,
        listed: Sequence[SourceFolder],
        numbers: Mapping[str, FolderState],
        *,
        accept_empty: bool,
    ) -> Followed:
        """Rename what was renamed, let go what is gone."""
        async with self._db.tenant(self._tenant_id) as tx:
            everything = await folders.of_account(tx, self._account.id)
        ours = [each for each in everything if is_followed(each)]
        # Listed by a run that ended before it read them: nothing lies there, and another may turn out to be called so.
        unread = {each.name: each for each in everything if each.wire_name and is_unread(each)}
        shown = {each.name for each in listed if each.is_selectable}
        missing = [each for each in ours if each.name not in shown]
        done = Followed()
        await self._let_go_unread(
            [each for each in unread.values() if each.name not in names_of(listed)], done
        )
        if not missing:
            return done
        taken = {each.name for each in everything} - unread.keys()
        fresh = [each for each in listed if each.is_selectable and each.name not in taken]
        states = {each.name: await self._numbers(each, numbers) for each in fresh}
        for each in [folder for folder in missing if folder.name != "INBOX"]:  # RFC 9051 6.3.6: it stays
            if (now := await self._new_name(each, fresh, states)) is not None:
                await self._rename(each, now, unread.get(now.name))
                done.notes.append(f"folder {each.name} is called {now.name} now")
                missing.remove(each)
                fresh.remove(now)
        gone = [each for each in missing if await self._is_gone(each, done)]
        reason = too_much(ours, gone)
        if reason is not None and not accept_empty:
            done.held.append(f"{reason}; nothing was let go; if that is right, sync with --accept-empty")
            return done
        for each in gone:
            count = await self._let_go(each, is_listed=any(one.name == each.name for one in listed))
            done.vanished += count
            done.notes.append(f"folder {each.name} is gone from the server, and {count:,} messages with it")
        return done

    async def _let_go_unread(self, missing: Sequence[Folder], done: Followed) -> None:
        """What was listed once, never read, and is listed no more: nothing of it is here."""
        for each in missing:
            if each.name != "INBOX" and await self._is_gone(each, done):
                await self._let_go(each, is_listed=False)

    async def _is_gone(self, folder: Folder, done: Followed) -> bool:
        """Ask the server for this folder alone: a list may leave out what is there."""
        try:
            numbers = await aside(partial(self._source.numbers, folder.wire_name or folder.name))
        except SourceError as error:
            reason = f"{folder.name} was left as it is: the server does not list it"
            done.held.append(f"{reason}, nor says that it is not there ({error.fields['reason']})")
            return False
        if numbers is not None:
            done.still_there.append(
                SourceFolder(name=folder.name, type=folder.type, wire_name=folder.wire_name)
            )
        return numbers is None

    async def _numbers(self, fresh: SourceFolder, numbers: Mapping[str, FolderState]) -> FolderState | None:
        if fresh.wire_name in numbers:
            return numbers[fresh.wire_name]
        try:
            return await aside(partial(self._source.numbers, fresh.wire_name))
        except SourceError:
            return None  # then it is a new folder, and what it holds is recognised message by message

    async def _new_name(
        self, folder: Folder, fresh: Sequence[SourceFolder], states: Mapping[str, FolderState | None]
    ) -> SourceFolder | None:
        """Under which of the new names the folder lives on, if under any; first those that end as the old one did."""
        for each in sorted(fresh, key=lambda other: _leaf(other.name) != _leaf(folder.name)):
            now = states[each.name]
            if now is None:
                continue
            if folder.mailbox_id is not None and now.mailbox_id is not None:
                if folder.mailbox_id == now.mailbox_id:
                    return each
                continue
            grew = now.uidnext is None or folder.uidnext is None or now.uidnext >= folder.uidnext
            if now.uidvalidity == folder.uidvalidity and grew and await self._holds_the_same(folder, each):
                return each
        return None

    async def _holds_the_same(self, folder: Folder, other: SourceFolder) -> bool:
        """Whether the UIDs of ours mean the same messages there: two folders may well be made in one second."""
        uidvalidity = folder.uidvalidity or 0
        async with self._db.tenant(self._tenant_id) as tx:
            uids = sorted(await placements.living(tx, folder.id, uidvalidity))
            sample = uids[:: max(1, len(uids) // _SAMPLE)]
            marks = await placements.marks(tx, folder.id, uidvalidity, sample)
        if not sample:
            return False
        seen = await aside(partial(self._source.sightings, other, sample, headers=True))
        async with self._db.tenant(self._tenant_id) as tx:
            known = await recognise(tx, self._account, seen)
        alike = [
            uid
            for uid, each in seen.items()
            if each.internal_date is not None
            and uid in marks
            and marks[uid][1:] == (int(each.internal_date.timestamp() * 1000), each.size_bytes)
            and known.get(uid, marks[uid][0]) == marks[uid][0]
        ]
        # All look the same, and by Message-ID or the server's own id most are the same.
        return len(alike) == len(seen) and 2 * len(known) > len(sample)

    async def _rename(self, folder: Folder, now: SourceFolder, in_the_way: Folder | None) -> None:
        async with self._db.tenant(self._tenant_id) as tx:
            modseq = await changes.next_modseq(tx, self._account.id)
            if in_the_way is not None:
                await folders.let_go(tx, in_the_way.id)
                await changes.append(tx, self._account.id, modseq, "deleted", "folder", [in_the_way.id])
            await folders.rename(tx, folder.id, now)
            await quarantine.rename_folder(tx, self._account.id, folder.name, now.name)
            await changes.append(tx, self._account.id, modseq, "updated", "folder", [folder.id])

    async def _let_go(self, folder: Folder, *, is_listed: bool) -> int:
        """All of it in one transaction. A folder that is listed and cannot be opened stays as a level of the tree."""
        async with self._db.tenant(self._tenant_id) as tx:
            modseq = await changes.next_modseq(tx, self._account.id)
            touched = await placements.forget_folder(tx, folder.id)
            await quarantine.let_go(tx, self._account.id, folder.name, None, [])
            alive, gone = await placements.settle(tx, touched)
            await changes.append(tx, self._account.id, modseq, "updated", "message", alive)
            await changes.append(tx, self._account.id, modseq, "deleted", "message", gone)
            if is_listed:
                await folders.set_state(tx, folder.id, FolderState(uidvalidity=None), sync_token="")
            else:
                await folders.let_go(tx, folder.id)
            await changes.append(
                tx,
                self._account.id,
                modseq,
                *(("updated", "folder") if is_listed else ("deleted", "folder")),
                [folder.id],
            )
        return len(touched)


async def as_wanted(tx: TenantTx, account: Account, listed: Sequence[SourceFolder]) -> list[SourceFolder]:
    """The list as it will be when the server has been told of folders that were renamed and deleted here."""
    waiting = await intent_rows.folders_waiting(tx, account.id)
    if not waiting:
        return list(listed)
    ours = {each.wire_name: each for each in await folders.of_account(tx, account.id)}
    return [
        replace(each, name=ours[each.wire_name].name) if each.wire_name in ours else each
        for each in listed
        if not waiting.get(each.wire_name, False)
    ]


def _leaf(name: str) -> str:
    return name.rpartition("/")[2]


def names_of(listed: Sequence[SourceFolder]) -> set[str]:
    return {each.name for each in listed}


def is_followed(folder: Folder) -> bool:
    """Whether a server numbers it: what was imported from files is not the server's to take away."""
    return folder.uidvalidity is not None


def is_unread(folder: Folder) -> bool:
    """Whether it has never been read, and nothing was put there."""
    return folder.uidvalidity is None and folder.total_count == 0


def too_much(ours: Sequence[Folder], gone: Sequence[Folder]) -> str | None:
    """Why so much is not let go without being told to: all mail of an account, or most of it in several folders."""
    total = sum(each.total_count for each in ours)
    lost = sum(each.total_count for each in gone)
    several = [each for each in gone if each.total_count]
    if not lost or (lost < total and (len(several) < 2 or 2 * lost <= total)):
        return None
    names = ", ".join(each.name for each in several[:3]) + (", …" if len(several) > 3 else "")
    return f"the server no longer has {names} with {lost:,} of {total:,} messages"
