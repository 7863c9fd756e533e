"""One tenant at work: it does something at random, remembers what must be true then, and looks whether it is."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from random import Random
from uuid import uuid4

import pytest

from postroom.errors import NotFound, StoreError
from postroom.model import AccountId, FolderId, MessageId, SourceFolder, TenantId
from postroom.store import accounts, folders, messages, placements, search
from postroom.store.database import Database, TenantTx
from postroom.store.placements import Placement
from tests.store.mailroom import store_message

SEEN = "\\Seen"
WORDS = ("apple", "pear", "plum", "quince")
EVERYBODY_HAS = "me@example.com"
"""Every tenant has an account of the same address, a folder of the same name, and writes the same words."""


@dataclass(slots=True)
class Letter:
    uid: int
    words: set[str]
    is_read: bool = False


@dataclass(slots=True)
class Worker:
    """`writes` and `reads` are the doors of the workers and of the application."""

    tenant_id: TenantId
    writes: Database
    reads: Database
    random: Random
    account_id: AccountId | None = None
    folder_id: FolderId | None = None
    letters: dict[MessageId, Letter] = field(default_factory=dict)
    next_uid: int = 1
    steps: int = 0

    async def begin(self) -> None:
        async with self.writes.tenant(self.tenant_id) as tx:
            account = await accounts.ensure(tx, EVERYBODY_HAS)
            inbox = (await folders.ensure(tx, account.id, [SourceFolder(name="INBOX", type="inbox")]))[
                "INBOX"
            ]
        self.account_id, self.folder_id = account.id, inbox.id

    async def step(self, others: list[Worker]) -> None:
        """Something happens, and after it everything is looked at."""
        other = self.random.choice(others)
        await self.random.choice(
            [self._receive, self._receive, self._read, self._lose, lambda: self._reach_for(other)]
        )()
        await self.look()
        self.steps += 1

    async def look(self) -> None:
        assert self.account_id
        async with self.reads.tenant(self.tenant_id) as tx:
            for word in WORDS:
                expected = {key for key, letter in self.letters.items() if word in letter.words}
                assert await _found(tx, {"ts": f"'{word}'"}) == expected
            assert await _found(tx, {"all": True}) == set(self.letters)
            unread = {key for key, letter in self.letters.items() if not letter.is_read}
            assert await _found(tx, {"flag": "unread"}) == unread
            (account,) = await accounts.all_accounts(tx)
            (inbox,) = await folders.of_account(tx, account.id)
        assert (account.id, inbox.id) == (self.account_id, self.folder_id)
        assert (inbox.total_count, inbox.unread_count) == (len(self.letters), len(unread))

    async def _receive(self) -> None:
        assert self.account_id
        assert self.folder_id
        words = self.random.sample(WORDS, self.random.randint(1, len(WORDS)))
        at = self.random.randint(0, 9)
        async with self._abandoned_at_times() as tx:
            subject = " ".join([*words, f"x{uuid4().hex}"])
            message_id = await store_message(tx, self.account_id, self.folder_id, subject=subject, at=at)
            await placements.insert(tx, [self._placed(message_id)])
            await placements.settle(tx, [message_id])
            self.letters[message_id] = Letter(self.next_uid, set(words))
        self.next_uid += 1

    async def _read(self) -> None:
        assert self.folder_id
        if self.letters:
            key = self.random.choice(list(self.letters))
            letter = self.letters[key]
            async with self.writes.tenant(self.tenant_id) as tx:
                flags = frozenset[str]() if letter.is_read else frozenset([SEEN])
                assert await placements.reflag(tx, self.folder_id, 1, {letter.uid: flags}) == [key]
                await placements.settle(tx, [key])
            letter.is_read = not letter.is_read

    async def _lose(self) -> None:
        assert self.folder_id
        if len(self.letters) > 5:
            key = self.random.choice(list(self.letters))
            async with self.writes.tenant(self.tenant_id) as tx:
                assert await placements.forget(tx, self.folder_id, 1, [self.letters[key].uid]) == [key]
                await placements.settle(tx, [key])
            del self.letters[key]

    async def _reach_for(self, other: Worker) -> None:
        """Everything of another tenant, by ids that it should not know."""
        assert self.account_id
        assert other.folder_id
        assert other.account_id
        async with self.writes.tenant(self.tenant_id) as tx:
            for key in list(other.letters)[:3]:
                with pytest.raises(NotFound):
                    await messages.get(tx, key)
                assert await placements.settle(tx, [key]) == ([], [])
            assert await placements.living(tx, other.folder_id, 1) == {}
            assert await placements.forget(tx, other.folder_id, 1, range(1, 1000)) == []
            assert await placements.reflag(tx, other.folder_id, 1, {1: frozenset([SEEN])}) == []
            assert await folders.of_account(tx, other.account_id) == []
            assert await _found(tx, {"account": str(other.account_id)}) == set()
        with pytest.raises(StoreError, match="foreign key"):
            async with self.writes.tenant(self.tenant_id) as tx:
                await store_message(tx, self.account_id, other.folder_id, subject=uuid4().hex)

    @asynccontextmanager
    async def _abandoned_at_times(self) -> AsyncIterator[TenantTx]:
        """A transaction that in one of eight cases is rolled back, and what was believed with it."""
        before, gives_up = dict(self.letters), self.random.random() < 1 / 8
        try:
            async with self.writes.tenant(self.tenant_id) as tx:
                yield tx
                if gives_up:
                    raise _GivenUp
        except _GivenUp:
            self.letters = before

    def _placed(self, message_id: MessageId) -> Placement:
        assert self.folder_id
        return Placement(
            folder_id=self.folder_id,
            uidvalidity=1,
            uid=self.next_uid,
            message_id=message_id,
            flags=frozenset(),
        )


class _GivenUp(Exception):
    pass


async def _found(tx: TenantTx, query: dict[str, object]) -> set[MessageId]:
    """By pages, so that cursors are part of it."""
    found, cursor = set[MessageId](), None
    while True:
        page = await search.matches(tx, query, limit=20, cursor=cursor)
        found |= {each["id"] for each in page.items}
        if (cursor := page.next) is None:
            return found
