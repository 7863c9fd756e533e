"""Search: pages that go on where they ended, and a cursor that is ours or refused."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from postroom.errors import StoreError, UsageError
from postroom.model import Account, Folder, MessageId
from postroom.sql import queries
from postroom.store import placements, search
from postroom.store.database import TenantTx
from postroom.store.placements import Placement
from tests.store.mailroom import store_message

pytestmark = pytest.mark.anyio
WORD: dict[str, Any] = {"ts": "'letter'"}


@pytest.fixture
async def letters(tx: TenantTx, account: Account, inbox: Folder) -> list[MessageId]:
    """Seven, the newest first; three of them came in the same millisecond."""
    made = [
        (at, await store_message(tx, account.id, inbox.id, subject=f"Letter {number}", at=at))
        for number, at in enumerate([-5, 0, 1000, 1000, 1000, 2000, 3000])
    ]
    return [message_id for _, message_id in sorted(made, reverse=True)]


@pytest.mark.parametrize(
    "query", [WORD, {"all": True}, {"and": [WORD, {"not": {"ts": "'nothing'"}}]}], ids=str
)
@pytest.mark.parametrize("limit", [1, 2, 3, 7, 50])
async def test_page_by_page_is_everything_once_newest_first(
    tx: TenantTx, letters: list[MessageId], query: dict[str, Any], limit: int
) -> None:
    found: list[MessageId] = []
    cursor = None
    while True:
        page = await search.matches(tx, query, limit=limit, cursor=cursor)
        assert len(page.items) <= limit
        found += [each["id"] for each in page.items]
        cursor = page.next
        if cursor is None:
            break
    assert found == letters


async def test_by_rank_there_is_one_page(tx: TenantTx, letters: list[MessageId]) -> None:
    page = await search.matches(tx, WORD, limit=3, ranked_by="'letter'")
    assert (len(page.items), page.next) == (3, None)


@pytest.mark.parametrize("cursor", ["", "!", "AAAA", "ü", "A" * 33, "A" * 400])
async def test_a_cursor_that_is_not_ours_is_refused(tx: TenantTx, cursor: str) -> None:
    with pytest.raises(UsageError, match="not a cursor of this search"):
        await search.matches(tx, WORD, cursor=cursor)


@pytest.mark.parametrize(
    "query",
    [
        {"drop": "table"},
        {"and": [{"what": 1}]},
        {"and": [WORD, {"what": 1}]},
        {"or": [{"all": True}, {"flag": "green"}]},
        {"not": {"and": [{"all": True}, {"what": 1}]}},
        {"with_deleted": {"and": [{"all": True}, {"with_deleted": {"all": True}}]}},
        {},
        {"ts": "'"},
        {"before": "x"},
    ],
    ids=str,
)
async def test_a_query_that_the_compiler_would_not_make_is_refused(
    tx: TenantTx, query: dict[str, Any]
) -> None:
    with pytest.raises(StoreError, match=r"search\.matches"):
        await search.matches(tx, query)


async def test_what_was_deleted_is_not_found(tx: TenantTx, letters: list[MessageId]) -> None:
    await tx.rows(queries("placements").settle, message_ids=letters[:3], at=1)
    page = await search.matches(tx, WORD)
    assert [each["id"] for each in page.items] == letters[3:]


async def test_with_what_was_deleted_all_is_found_however_many_pages_there_are(
    tx: TenantTx, letters: list[MessageId], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "_MOST", 2)
    await tx.rows(queries("placements").settle, message_ids=letters[:3], at=1)
    for query in (WORD, {"all": True}, {"and": [WORD, {"not": {"ts": "'nothing'"}}]}):
        assert await search.ids(tx, query, with_deleted=True) == letters
        assert await search.ids(tx, query) == letters[3:]


async def test_what_its_server_let_go_is_where_it_lay(
    tx: TenantTx, inbox: Folder, letters: list[MessageId]
) -> None:
    placed = [
        Placement(folder_id=inbox.id, uidvalidity=1, uid=uid, message_id=each, flags=frozenset())
        for uid, each in enumerate(letters, 1)
    ]
    await placements.insert(tx, placed)
    await placements.settle(tx, await placements.forget(tx, inbox.id, 1, [1, 2]))
    query = {"in": {"name": "inbox"}}
    assert await search.ids(tx, query) == letters[2:]
    assert await search.ids(tx, query, with_deleted=True) == letters


@pytest.mark.parametrize("limit", [2**31 - 1, 0, -1])
async def test_any_limit_is_one_that_can_be_kept(
    tx: TenantTx, account: Account, inbox: Folder, letters: list[MessageId], limit: int
) -> None:
    for number in range(8, 12):
        await store_message(tx, account.id, inbox.id, subject=f"Letter {number}", at=number)
    for query in (WORD, {"all": True}):
        found = await tx.rows(
            queries("search").matches,
            query=orjson.dumps(query).decode(),
            ranked_by=None,
            limit=limit,
            before_at=None,
            before_id=None,
        )
        assert len(found) == (11 if limit > 0 else 1)
