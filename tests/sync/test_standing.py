"""Standing searches: at the end of any history each has matched what the plain search says, once."""

from __future__ import annotations

import os
import random
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest

from postroom.blobs import Blobs
from postroom.model import Account, Folder, MessageId, RawMessage, SourceFolder, TenantId, UserId
from postroom.search.compile import compiled
from postroom.search.query import parse
from postroom.settings import load
from postroom.store import accounts, changes, feed, folders, placements, search, standing
from postroom.store.database import Database, TenantTx
from postroom.store.standing import Wanted
from postroom.sync.ingest import Arrival, ingest
from postroom.sync.prepare import prepare
from tests.support.site import Store

pytestmark = pytest.mark.anyio
STEPS = int(os.environ.get("POSTROOM_TEST_STEPS", "60"))
_WORDS = "invoice order budget lunch weekly report printer travel garden river".split()
_LASTING = [
    "invoice",
    'subject:"order budget"',
    "lunch OR -report",
    "weekly -printer",
    "larger:300",
    "gard*",
    "from:ann",
    "",
    "after:1d",
]
"""What does not change once a message is here."""
_PASSING = ["is:unread", "in:Work", "is:flagged -invoice", "in:INBOX is:read travel"]
"""What may: a message matches as it comes in."""


@dataclass
class History:
    """What happens to a tenant, and what each standing search ought to have matched."""

    blobs: Blobs
    account: Account
    folders: dict[str, Folder]
    chance: random.Random
    uid: int = 0
    arrived: list[MessageId] = field(default_factory=list)
    asked: dict[UUID, tuple[str, int]] = field(default_factory=dict)
    """Query, and how many had arrived when it was made."""
    expected: dict[UUID, set[MessageId]] = field(default_factory=dict)

    async def make(self, tx: TenantTx) -> None:
        query = self.chance.choice(_LASTING + _PASSING)
        search_id = await standing.create(tx, Wanted(name=query, query=query), user_id=None)
        self.asked[search_id] = query, len(self.arrived)
        self.expected[search_id] = set()

    async def arrive(self, tx: TenantTx) -> None:
        arrivals = []
        for _ in range(self.chance.randint(1, 8)):
            self.uid += 1
            words = " ".join(self.chance.choices(_WORDS, k=self.chance.randint(1, 30)))
            sender = self.chance.choice(["ann", "bob"])
            body = f"From: {sender}@example.com\r\nSubject: {words[:40]}\r\n\r\n{words}\r\n".encode()
            flags = frozenset(each for each in ("\\Seen", "\\Flagged") if self.chance.random() < 0.5)
            now = datetime.now(UTC)
            prepared = prepare(RawMessage(uid=self.uid, body=body, flags=flags, internal_date=now))
            folder = self.chance.choice(list(self.folders.values()))
            arrivals.append(Arrival(prepared=prepared, places=((folder, 1, self.uid),)))
        before = await self._all(tx, "")
        await ingest(tx, self.blobs, self.account, arrivals, {})
        new = await self._all(tx, "") - before
        self.arrived += sorted(new)
        for search_id, (query, _) in self.asked.items():
            self.expected[search_id] |= await self._all(tx, query) & new

    async def meddle(self, tx: TenantTx) -> None:
        """Something becomes of mail that is there."""
        folder = self.chance.choice(list(self.folders.values()))
        uids = self.chance.sample(range(1, self.uid + 1), k=min(3, self.uid))
        modseq = await changes.next_modseq(tx, self.account.id)
        gone = await placements.forget(tx, folder.id, 1, uids)
        alive, deleted = await placements.settle(tx, gone)
        await changes.append(tx, self.account.id, modseq, "updated", "message", alive)
        await changes.append(tx, self.account.id, modseq, "deleted", "message", deleted)

    async def forget(self, tx: TenantTx) -> None:
        if self.asked:
            search_id = self.chance.choice(list(self.asked))
            await standing.remove(tx, search_id)
            del self.asked[search_id], self.expected[search_id]

    async def _all(self, tx: TenantTx, query: str) -> set[MessageId]:
        return set(await search.ids(tx, _query(query), with_deleted=query in _LASTING))


def _query(text: str) -> dict[str, object]:
    return compiled(parse(text, now=datetime.now(UTC)))


@pytest.fixture
async def history(db: Database, tenant_id: TenantId, tmp_path: Path) -> History:
    async with db.tenant(tenant_id) as tx:
        account = await accounts.ensure(tx, "me@example.com")
        wanted = [SourceFolder(name="INBOX", type="inbox"), SourceFolder(name="Work", type="custom")]
        made = await folders.ensure(tx, account.id, wanted)
    blobs = Blobs(load({}, home=tmp_path))
    return History(blobs=blobs, account=account, folders=made, chance=random.Random(20261124))


async def test_at_the_end_of_a_history_they_matched_what_the_plain_search_finds(
    db: Database, tenant_id: TenantId, history: History
) -> None:
    verbs = [history.make, history.arrive, history.arrive, history.meddle, history.forget]
    for _ in range(STEPS):
        async with db.tenant(tenant_id) as tx:
            await history.chance.choices(verbs, weights=[4, 4, 4, 3, 1])[0](tx)
    async with db.tenant(tenant_id) as tx:
        told = Counter(await _told(tx, history.account))
        for search_id, (query, begun) in history.asked.items():
            kept = await standing.matches_of(tx, search_id, limit=10_000, before=UUID(int=2**128 - 1))
            matched = {row["message_id"] for row in kept}
            assert matched == history.expected[search_id], query
            if query in _LASTING:
                plain = set(await search.ids(tx, _query(query), with_deleted=True))
                assert matched == plain & set(history.arrived[begun:]), query
            of_it = Counter({pair: count for pair, count in told.items() if pair[0] == search_id})
            assert of_it == Counter((search_id, message_id) for message_id in matched), query
    assert len(history.arrived) > STEPS
    assert any(history.expected.values())


async def _told(tx: TenantTx, account: Account) -> list[tuple[UUID, UUID]]:
    """Search and message of each match in the feed."""
    rows = await changes.since(tx, account.id, 0, limit=100_000)
    said = await feed.told_all(tx, [(account.id, each) for each in rows])
    return [(one["search_id"], one["message_id"]) for each in said for one in each.get("matches", [])]


async def test_a_users_search_is_asked_of_what_the_user_sees(
    db: Database, tenant_id: TenantId, history: History, store: Store
) -> None:
    async with db.tenant(tenant_id) as tx:
        owner = UserId(history.account.user_id)
        own = await standing.create(tx, Wanted(name="own", query=""), user_id=owner)
        strange = await standing.create(tx, Wanted(name="strange", query=""), user_id=UserId(own))
        other = await accounts.ensure(tx, "other@example.com")
        elsewhere = await standing.create(
            tx, Wanted(name="other", query="", account_id=other.id), user_id=None
        )
        await history.arrive(tx)
        counts = [
            len(await standing.matches_of(tx, each, limit=100, before=UUID(int=2**128 - 1)))
            for each in (own, strange, elsewhere)
        ]
        assert counts == [len(history.arrived), 0, 0]
    async with db.tenant(tenant_id, UserId(own)) as tx:
        assert await _told(tx, history.account) == []
        assert [row["name"] for row in await standing.all_of(tx)] == ["strange"]


async def test_a_query_that_is_not_understood_any_more_holds_no_mail_back(
    db: Database, tenant_id: TenantId, history: History
) -> None:
    async with db.tenant(tenant_id) as tx:
        await standing.create(tx, Wanted(name="broken", query="("), user_id=None)
        good = await standing.create(tx, Wanted(name="good", query=""), user_id=None)
        await history.arrive(tx)
        kept = await standing.matches_of(tx, good, limit=100, before=UUID(int=2**128 - 1))
    assert {row["message_id"] for row in kept} == set(history.arrived)
