"""Write-back: what was changed here is told to the server, in the order in which it was wanted, each thing once.

A change is written down as told before the command goes out, with the numbers that its destination has then. Whoever
comes after a crash looks first whether it was done: what has come into the destination since is known by its bytes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TypeVar

from postroom.blobs import Blobs
from postroom.model import Account, Folder, FolderId, IntentId, Sighting, TenantId
from postroom.store import draft_copies, folders, intent_outcomes, intent_rows
from postroom.store.database import Database
from postroom.store.intent_rows import Intent
from postroom.store.placements import Place
from postroom.sync.aside import aside
from postroom.sync.draft_put import DraftPut, HeldUp
from postroom.sync.merge import MOST_TOGETHER, alike, is_kept, together
from postroom.sync.prepare import hash_of
from postroom.sync.recognise import recognise
from postroom.wire.imap import ImapSource
from postroom.wire.imap_write import DELETED, MailboxWriter, Numbers, Refused

T = TypeVar("T")
_MOST_ATTEMPTS = 20
"""After so many a trouble that should pass is a refusal."""
_MOST_TRIES_AT_ONCE = 3


@dataclass(slots=True, kw_only=True)
class Pushed:
    """What a push came to."""

    done: int = 0
    refused: int = 0
    is_held_up: bool = False
    """Something is still to be told: the server has to be read first, or asks for patience."""
    problems: list[str] = field(default_factory=list)
    """What a person should know."""

    def add(self, other: Pushed) -> None:
        self.done += other.done
        self.refused += other.refused
        self.is_held_up = other.is_held_up
        self.problems += [each for each in other.problems if each not in self.problems]


async def write_back(
    db: Database,
    blobs: Blobs,
    tenant_id: TenantId,
    account: Account,
    source: ImapSource,
    *,
    is_last: bool = False,
) -> Pushed:
    """Tell the server all that it was not told yet; what is wanted meanwhile is for the next time, or whoever goes on
    changing would keep the folders from being read. Raises SourceError where it cannot be gone on with.

    What lies in a folder that the server renumbered, or does not have under its name any more, holds up all behind it
    until the folders have been read; `is_last`: they have been.
    """
    return await _WriteBack(db, blobs, tenant_id, account, source, is_last=is_last).run()


class _WriteBack:
    def __init__(
        self,
        db: Database,
        blobs: Blobs,
        tenant_id: TenantId,
        account: Account,
        source: ImapSource,
        *,
        is_last: bool,
    ) -> None:
        self._db = db
        self._blobs = blobs
        self._tenant_id = tenant_id
        self._account = account
        self._source = source
        self._is_last = is_last
        self._writer: MailboxWriter | None = None
        self._heads: Counter[IntentId] = Counter()
        self._pushed = Pushed()
        self._last = 0

    async def run(self) -> Pushed:
        try:
            async with self._db.tenant(self._tenant_id) as tx:
                if self._is_last:
                    await intent_outcomes.followed(tx, self._account.id)
                self._last = await intent_rows.last_of(tx, self._account.id)
            while batch := await self._next():
                await self._tell(batch)
        except HeldUp:
            self._pushed.is_held_up = True
        return self._pushed

    async def _next(self) -> list[Intent]:
        async with self._db.tenant(self._tenant_id) as tx:
            several = await intent_rows.next_of(tx, self._account.id, limit=MOST_TOGETHER)
        waiting = [each for each in several if each.sequence <= self._last]
        if not waiting:
            return []
        self._heads[waiting[0].id] += 1
        if self._heads[waiting[0].id] > _MOST_TRIES_AT_ONCE:
            raise HeldUp
        return together(waiting)

    async def _tell(self, batch: list[Intent]) -> None:
        match batch[0].kind:
            case "mark":
                await self._mark(batch)
            case "expunge":
                await self._expunge(batch)
            case "move" | "copy" if batch[0].state == "sent":
                await self._find_out(batch)
            case "move" | "copy":
                await self._transfer(batch)
            case "draft":
                await self._draft(batch[0])
            case _:
                await self._folder(batch[0])

    async def _mark(self, batch: list[Intent]) -> None:
        if not await self._opened(batch):
            return
        uids = _uids(batch)
        await self._sent(batch)
        try:
            await self._do(lambda writer: writer.store(uids, add=batch[0].added, remove=batch[0].removed))
        except Refused as refusal:
            await self._refused(batch, refusal)
            return
        words = await self._do(lambda writer: writer.words(uids))
        refused = [each for each in batch if each.uid in words and not is_kept(each, words[each.uid])]
        done = [each for each in batch if each not in refused]
        async with self._db.tenant(self._tenant_id) as tx:
            await intent_outcomes.marked(tx, done, refused, words)
        self._pushed.done += len(done)
        if refused:
            self._note(refused, "it did not keep it")

    async def _expunge(self, batch: list[Intent]) -> None:
        if not await self._opened(batch):
            return
        await self._sent(batch)
        try:
            stayed = await self._taken_out(batch)
        except Refused as refusal:
            await self._refused(batch, refusal)
            return
        async with self._db.tenant(self._tenant_id) as tx:
            await intent_outcomes.expunged(tx, batch, stayed)
        self._pushed.done += len(batch)

    async def _transfer(self, batch: list[Intent]) -> None:
        """Move or copy, for the first time as far as anybody knows."""
        destination = await self._destination(batch)
        if destination is None or not await self._opened(batch):
            return
        into, numbers = destination
        uids, to = _uids(batch), into.wire_name
        await self._sent(batch, numbers)
        batch = [_told(each, numbers) for each in batch]
        try:
            landed = await self._do(lambda writer: writer.move(uids, to)) if _is_move(batch) else None
            if landed is None:
                landed = await self._do(lambda writer: writer.copy(uids, to))
        except Refused as refusal:
            await self._find_out(batch, refusal)
            return
        there = {each: landed.uids[each.uid or 0] for each in batch if each.uid in landed.uids}
        uidvalidity = landed.uidvalidity or 0
        if len(there) < len(batch):
            missing = [each for each in batch if each not in there]
            uidvalidity, found = await self._recognised(missing, into)
            there |= found
        await self._settle(batch, uidvalidity, there, is_done=True)

    async def _find_out(self, batch: list[Intent], refusal: Refused | None = None) -> None:
        """What became of it: the command was sent, or was about to be; or it was refused, which may not be all of it."""
        async with self._db.tenant(self._tenant_id) as tx:
            into = await folders.get(tx, _to(batch))
        uidvalidity, there = await self._recognised(batch, into)
        await self._settle(batch, uidvalidity, there, refusal=refusal)

    async def _settle(
        self,
        batch: Sequence[Intent],
        uidvalidity: int,
        there: Mapping[Intent, int],
        *,
        is_done: bool = False,
        refusal: Refused | None = None,
    ) -> None:
        """Write down what has landed, take it out of where it was, and go on with the rest: again, or not at all."""
        words = await self._still_at(batch)
        stayed: list[Intent] = []
        if left := [each for each in there if each.kind == "move" and each.uid in words]:
            try:
                stayed = await self._taken_out(left)
            except Refused as why:
                # It lies in both now: so it does here.
                stayed = left
                self._note(left, f"it was copied, and could not be taken out: {why.reason}")
        if there:
            places = {each: Place(_to([each]), uidvalidity, uid) for each, uid in there.items()}
            async with self._db.tenant(self._tenant_id) as tx:
                await intent_outcomes.landed(tx, places, stayed)
            self._pushed.done += len(there)
        rest = [each for each in batch if each not in there]
        if gone := [each for each in rest if each.uid not in words]:
            async with self._db.tenant(self._tenant_id) as tx:
                await intent_outcomes.lost(tx, gone)
            self._pushed.done += len(gone)
        waiting = [each for each in rest if each.uid in words]
        if not waiting:
            return
        if refusal is None and is_done:
            refusal = Refused("it said that it did it, and did not")
        if refusal is not None:
            await self._refused(waiting, refusal)
        else:
            await self._transfer(waiting)

    async def _taken_out(self, batch: Sequence[Intent]) -> list[Intent]:
        """Remove them from the folder that is open. Those that are marked only, and still to be seen."""
        uids = _uids(batch)
        await self._do(lambda writer: writer.expunge(uids))
        words = await self._do(lambda writer: writer.words(uids))
        if any(DELETED not in each for each in words.values()):
            raise Refused("it does not let them be deleted")
        return [each for each in batch if each.uid in words]

    async def _recognised(self, batch: Sequence[Intent], into: Folder) -> tuple[int, dict[Intent, int]]:
        """Which of these have come into the folder since they were told, and under which UIDs."""
        numbers = Numbers(uidvalidity=batch[0].sent_uidvalidity or 0, uidnext=batch[0].sent_uidnext)
        try:
            uidvalidity, seen = await self._do(lambda writer: writer.since(into.wire_name, numbers))
        except Refused:
            return 0, {}  # there is no such folder
        async with self._db.tenant(self._tenant_id) as tx:
            known = await recognise(tx, self._account, seen)
            looks = await intent_rows.looks(tx, [each.message_id for each in batch if each.message_id])
        there: dict[Intent, int] = {}
        for each in batch:
            free = {uid: one for uid, one in seen.items() if uid not in there.values()}
            if (uid := next((uid for uid in free if known.get(uid) == each.message_id), None)) is None:
                assert each.message_id is not None
                uid = await self._by_bytes(*looks[each.message_id], free)
            if uid is not None:
                there[each] = uid
        return uidvalidity, there

    async def _by_bytes(
        self, size_bytes: int, content_hash: bytes, seen: Mapping[int, Sighting]
    ) -> int | None:
        for uid in alike(size_bytes, seen):
            body = await self._do(lambda writer, uid=uid: writer.body(uid))
            if body is not None and hash_of(body) == content_hash:
                return uid
        return None

    async def _folder(self, intent: Intent) -> None:
        async with self._db.tenant(self._tenant_id) as tx:
            folder = await folders.get(tx, intent.folder_id)
        name, wire_name = intent.name or "", folder.wire_name
        await self._sent([intent])
        try:
            match intent.kind:
                case "create_folder":
                    made = await self._do(lambda writer: writer.create(name))
                    async with self._db.tenant(self._tenant_id) as tx:
                        await intent_outcomes.folder_made(tx, intent, made)
                case "rename_folder":
                    new, sign = await self._do(lambda writer: writer.rename(wire_name, name))
                    async with self._db.tenant(self._tenant_id) as tx:
                        await intent_outcomes.folder_renamed(tx, intent, wire_name, new, sign)
                case _:
                    await self._do(lambda writer: _delete(writer, wire_name))
                    async with self._db.tenant(self._tenant_id) as tx:
                        await intent_outcomes.folder_deleted(tx, intent)
        except Refused as refusal:
            await self._refused([intent], refusal)
            return
        self._pushed.done += 1

    async def _draft(self, intent: Intent) -> None:
        put = DraftPut(self._db, self._blobs, self._tenant_id, self._do, is_last=self._is_last)
        try:
            await put.run(intent)
        except Refused as refusal:
            await self._refused([intent], refusal)
            return
        async with self._db.tenant(self._tenant_id) as tx:
            self._pushed.done += await draft_copies.told(tx, intent)

    async def _opened(self, batch: Sequence[Intent]) -> bool:
        """Open the folder where they lie; False when it is gone, and they with it."""
        async with self._db.tenant(self._tenant_id) as tx:
            folder = await folders.get(tx, batch[0].folder_id)
            if (batch[0].uid or 0) < 0:
                await intent_outcomes.lost(tx, batch)  # what it builds on came to nothing
                return False
        try:
            numbers = await self._do(lambda writer: writer.open(folder.wire_name))
        except Refused as refusal:
            if not self._is_last and not refusal.is_passing:
                raise HeldUp from refusal
            if folder.is_deleted:
                async with self._db.tenant(self._tenant_id) as tx:
                    await intent_outcomes.lost(tx, batch)
            else:
                await self._refused(batch, refusal)
            return False
        if numbers.uidvalidity != batch[0].uidvalidity:
            raise HeldUp
        return True

    async def _destination(self, batch: Sequence[Intent]) -> tuple[Folder, Numbers] | None:
        """The folder where they lead, and its numbers; None when there is none, and they were refused."""
        async with self._db.tenant(self._tenant_id) as tx:
            into = await folders.get(tx, _to(batch))
        try:
            if not into.wire_name:
                raise Refused(f"it has no folder {into.name}")
            numbers = await self._do(lambda writer: writer.numbers(into.wire_name))
        except Refused as refusal:
            if not self._is_last and not refusal.is_passing:
                raise HeldUp from refusal
            await self._refused(batch, refusal)
            return None
        return into, numbers

    async def _still_at(self, batch: Sequence[Intent]) -> dict[int, frozenset[str]]:
        """Which of them the folder has where they lie, with their flags. It stays open."""
        async with self._db.tenant(self._tenant_id) as tx:
            folder = await folders.get(tx, batch[0].folder_id)
        try:
            numbers = await self._do(lambda writer: writer.open(folder.wire_name))
        except Refused as refusal:
            if not self._is_last or refusal.is_passing:
                raise HeldUp from refusal
            return {}
        if numbers.uidvalidity != batch[0].uidvalidity:
            if not self._is_last:
                raise HeldUp
            return {}
        uids = _uids(batch)
        return await self._do(lambda writer: writer.words(uids))

    async def _sent(self, batch: Sequence[Intent], numbers: Numbers | None = None) -> None:
        async with self._db.tenant(self._tenant_id) as tx:
            await intent_rows.sent(
                tx,
                batch,
                uidvalidity=numbers.uidvalidity if numbers else None,
                uidnext=numbers.uidnext if numbers else None,
            )

    async def _refused(self, batch: Sequence[Intent], refusal: Refused) -> None:
        """Undo it, or put it off. Of several each is asked for by itself: it may be about one of them."""
        if refusal.is_passing and batch[0].attempts < _MOST_ATTEMPTS:
            async with self._db.tenant(self._tenant_id) as tx:
                await intent_rows.put_off(tx, batch, refusal.reason)
            self._pushed.problems.append(f"the server cannot {_what(batch)} now: {refusal.reason}")
            raise HeldUp
        if len(batch) > 1:
            for each in batch:
                await self._tell([each])
            return
        async with self._db.tenant(self._tenant_id) as tx:
            undone = await intent_outcomes.refused(tx, batch, refusal.reason)
        self._note(undone, refusal.reason)

    def _note(self, refused: Sequence[Intent], reason: str) -> None:
        self._pushed.refused += len(refused)
        self._pushed.problems.append(f"the server refused to {_what(refused)}: {reason}")

    async def _do(self, work: Callable[[MailboxWriter], T]) -> T:
        writer = self._writer or await aside(self._source.writer)
        self._writer = writer
        return await aside(partial(work, writer))


def _delete(writer: MailboxWriter, wire_name: str) -> None:
    """Nothing that came into a folder meanwhile goes with it."""
    if not wire_name or not writer.has(wire_name):
        return
    if count := writer.undeleted(wire_name):
        raise Refused(f"{count:,} messages came into it meanwhile")
    writer.delete(wire_name)


def _what(several: Sequence[Intent]) -> str:
    kind = several[0].kind
    if kind == "draft":
        return "keep a draft"
    if several[0].message_id is None:
        return f"{kind.removesuffix('_folder')} the folder {several[0].name or several[0].old_name}"
    verb = "delete" if several[0].purpose == "delete" else kind
    return f"{verb} {len(several):,} message{'s' * (len(several) != 1)}"


def _told(intent: Intent, numbers: Numbers) -> Intent:
    return replace(
        intent,
        state="sent",
        attempts=intent.attempts + 1,
        sent_uidvalidity=numbers.uidvalidity,
        sent_uidnext=numbers.uidnext,
    )


def _uids(batch: Sequence[Intent]) -> list[int]:
    return [each.uid or 0 for each in batch]


def _to(batch: Sequence[Intent]) -> FolderId:
    assert batch[0].to_folder_id is not None
    return batch[0].to_folder_id


def _is_move(batch: Sequence[Intent]) -> bool:
    return batch[0].kind == "move"
