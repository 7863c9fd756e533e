"""People at their mail: they mark, move, copy, delete and send at random, and remember what must come of it.

What they remember is made of what they did alone, so that whatever crashes do shows as a difference to it.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from uuid import uuid4

import psycopg

from postroom import posting
from postroom.blobs import Blobs
from postroom.compose.letter import Letter
from postroom.errors import StoreError
from postroom.model import Address, DraftId, FolderId, MessageId, OutboxId
from postroom.store import drafts, folders, intent_places, intents
from postroom.store.database import TenantTx
from tests.support.mirror import EMAIL, Mirror, letter

FOLDERS = ("INBOX", "Archive", "Work", "Trash")
WORDS = ("\\Flagged", "$Work", "$Later")
"""What people say of their mail here; another program on the server says `\\Answered`."""


@dataclass(frozen=True, slots=True)
class Stands:
    """Where a message lies, and what it is marked with."""

    places: frozenset[str]
    words: frozenset[str] = frozenset()
    is_deleted: bool = False


@dataclass
class People:
    mirror: Mirror
    chance: random.Random
    letters: dict[str, list[Stands]] = field(default_factory=dict)
    """By subject: how each letter must stand. Two ways where the answer to a change was lost with the database."""
    sent: dict[str, OutboxId | None] = field(default_factory=dict)
    """By subject; None: whether it is in the outbox is not known yet, and the same key is tried again."""
    drafts: list[list[str | None]] = field(default_factory=list)
    """The subject that each draft must have, with a number for each version; None: it was thrown away."""
    odd: list[str] = field(default_factory=list)
    """What was not as it must be, as soon as it was seen."""
    changed: int = 0
    lost_answers: int = 0
    _ids: dict[str, MessageId] = field(default_factory=dict)
    _draft_ids: dict[int, DraftId] = field(default_factory=dict)

    def find(self, count: int) -> None:
        """So many letters are there before anybody has come."""
        self.mirror.fill("INBOX", [self._letter("INBOX") for _ in range(count)])

    def arrive(self, count: int, folder: str = "INBOX") -> None:
        """Mail comes in on the server, as a delivery agent does it."""
        with self.mirror.server.imap(self.mirror.user) as imap:
            for _ in range(count):
                assert imap.append(folder, "", "", self._letter(folder))[0] == "OK"

    def _letter(self, folder: str) -> bytes:
        """One in four is without a Message-ID."""
        number = len(self.letters)
        self.letters[f"Letter {number}"] = [Stands(frozenset({folder}))]
        return letter(number, message_id=number % 4 > 0)

    async def deliver(self, stop: asyncio.Event) -> None:
        """Others are at work on the server meanwhile."""
        while not stop.is_set():
            folder = self.chance.choice(("INBOX", "INBOX", "Archive"))
            if self.chance.random() < 0.7:
                await asyncio.to_thread(self.arrive, self.chance.randint(1, 2), folder)
            else:
                uid = str(self.chance.randint(1, 200))
                await asyncio.to_thread(self.mirror.store_flags, folder, uid, "+FLAGS", "\\Answered")
            await asyncio.sleep(self.chance.uniform(0, 0.6))

    async def work(self, stop: asyncio.Event) -> None:
        """Change one thing after the other, whether the database is there or not."""
        while not stop.is_set():
            try:
                (work,) = self.chance.choices((self.change, self.send, self.draft), (12, 4, 3))
                await work()
            except (StoreError, psycopg.OperationalError):
                self.lost_answers += 1
                await asyncio.sleep(0.2)
            await asyncio.sleep(self.chance.uniform(0, 0.06))

    async def send(self, *, anew: bool = True) -> None:
        """What may not have got into the outbox is given to it again, under the same key."""
        open_ones = [subject for subject, outbox_id in self.sent.items() if outbox_id is None]
        for subject in open_ones or ([f"Sent {len(self.sent)}"] if anew else []):
            self.sent[subject] = None
            said = Letter(
                from_=Address(address=EMAIL), to=(Address(address="bob@example.test"),), subject=subject, text="Hi"
            )  # fmt: skip
            async with self.mirror.tx() as tx:
                found, _ = await posting.post(
                    tx,
                    Blobs(self.mirror.settings),
                    self.mirror.account.id,
                    said,
                    posting.stamp_for(EMAIL, uuid4(), datetime.now(UTC)),
                    not_before=0,
                    idempotency_key=subject,
                )
            self.sent[subject] = found

    async def draft(self) -> None:
        """Begin one, write on at one, or throw one away."""
        open_ones = [number for number in self._draft_ids if self.drafts[number][-1] is not None]
        if not open_ones or self.chance.random() < 0.3:
            number = len(self.drafts)
            self.drafts.append([None, f"Draft {number}.0"])
            self._draft_ids[number] = await self._save(self.drafts[number][1])
            del self.drafts[number][0]
            return
        number = self.chance.choice(open_ones)
        ways, draft_id = self.drafts[number], self._draft_ids[number]
        before = ways[-1]
        if self.chance.random() < 0.3:
            ways.append(None)
            async with self.mirror.tx() as tx:
                await posting.discard_draft(tx, draft_id)
        else:
            ways.append(f"Draft {number}.{int((before or '.0').partition('.')[2]) + 1}")
            await self._save(ways[-1], draft_id)
        del ways[:-1]

    async def _save(self, subject: str | None, draft_id: DraftId | None = None) -> DraftId:
        said = Letter(from_=Address(address=EMAIL), subject=subject or "", text="Not finished")
        stamp = posting.stamp_for(EMAIL, uuid4(), datetime.now(UTC))
        blobs, account_id = Blobs(self.mirror.settings), self.mirror.account.id
        async with self.mirror.tx() as tx:
            replaces = None if draft_id is None else (draft_id, (await drafts.get(tx, draft_id))["version"])
            return await posting.save_draft(tx, blobs, account_id, said, stamp, replaces=replaces)

    async def change(self) -> None:
        """One letter that is here already, if it was not deleted."""
        living = [
            subject
            for subject, ways in list(self.letters.items())
            if not any(each.is_deleted for each in ways)
        ]
        subject = self.chance.choice(living)
        if subject not in self._ids:
            self._ids = await asyncio.to_thread(self._known)
        if subject not in self._ids:
            return
        ways = self.letters[subject]
        try:
            async with self.mirror.tx() as tx:
                before = await self._look(tx, self._ids[subject])
                self._hold(subject, before)
                ways = [before, after := await self._change(tx, self._ids[subject], before)]
            ways = [after]
            self.changed += after != before
        finally:
            self.letters[subject] = ways

    async def _change(self, tx: TenantTx, message_id: MessageId, before: Stands) -> Stands:
        known = {each.name: each.id for each in await folders.of_account(tx, self.mirror.account.id)}
        others = [name for name in FOLDERS if name not in before.places and name in known]
        kind = self.chance.choices(("mark", "move", "copy", "delete"), (5, 5, 2, 1))[0]
        match kind:
            case "mark":
                word = self.chance.choice(WORDS)
                is_more = word not in before.words
                change = {"add" if is_more else "remove": [word]}
                await intents.mark(tx, [message_id], **change)
                return replace(before, words=before.words ^ {word})
            case "move" if others:
                to, leaving = self.chance.choice(others), self.chance.choice(sorted(before.places))
                await intents.move(tx, [message_id], known[to], from_folder_id=known[leaving])
                return replace(before, places=before.places - {leaving} | {to})
            case "copy" if others:
                to = self.chance.choice(others)
                await intents.copy(tx, [message_id], known[to])
                return replace(before, places=before.places | {to})
            case "delete":
                await intents.delete(tx, [message_id])
                is_for_good = before.places == {"Trash"}
                places = frozenset() if is_for_good else frozenset({"Trash"})
                return replace(before, places=places, is_deleted=True)
        return before

    async def _look(self, tx: TenantTx, message_id: MessageId) -> Stands:
        names: dict[FolderId, str] = {
            each.id: each.name for each in await folders.of_account(tx, self.mirror.account.id)
        }
        lying = await intent_places.lies(tx, [message_id])
        several = Counter(names[each.place.folder_id] for each in lying)
        if any(count > 1 for count in several.values()):
            self.odd.append(f"{message_id} lies twice: {several}")
        words = {each.words & frozenset(WORDS) for each in lying}
        if len(words) != 1:
            self.odd.append(f"{message_id} is marked in two ways, or lies nowhere: {several} {words}")
        return Stands(frozenset(several), min(words, key=sorted, default=frozenset()))

    def _hold(self, subject: str, found: Stands) -> None:
        if found not in self.letters[subject]:
            self.odd.append(f"{subject} stands {found} and must stand {self.letters[subject]}")

    def _known(self) -> dict[str, MessageId]:
        rows = self.mirror.rows("select id, subject from email_messages where tenant_id = %s")
        return {subject: MessageId(key) for key, subject in rows}

    def differences(self) -> Iterator[str]:
        """What of the server is not as it must be: each letter in its folders once, with its marks."""
        there: dict[str, Counter[str]] = {}
        words: dict[str, set[frozenset[str]]] = {}
        for folder, subject, marks in self.mirror.subjects_there():
            there.setdefault(subject, Counter())[folder] += 1
            words.setdefault(subject, set()).add(marks & frozenset(WORDS))
        for subject, ways in self.letters.items():
            lies = there.pop(subject, Counter())
            if not any(
                lies == Counter(each.places) and words.get(subject, {each.words}) == {each.words}
                for each in ways
            ):
                yield f"{subject} lies in {dict(lies)}, marked {words.get(subject)}; it must stand {ways}"
        for number, subjects in enumerate(self.drafts):
            found = [subject for subject in there if subject.startswith(f"Draft {number}.")]
            lies = [(subject, dict(there.pop(subject))) for subject in found]
            if not any(lies == ([(each, {"Drafts": 1})] if each else []) for each in subjects):
                yield f"{lies} are of a draft that must be {subjects}"
        for subject, lies in there.items():
            if subject not in self.sent or lies != Counter({"Sent": 1}):
                yield f"{subject} lies in {dict(lies)}"
