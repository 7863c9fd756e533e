"""Messages: lists that page without a gap, ids that a person copied, and what a purge may take."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from postroom.errors import NotFound
from postroom.model import Account, Folder, MessageId
from postroom.sql import queries
from postroom.store import messages
from postroom.store.database import Database, TenantTx
from tests.store.mailroom import new_tenant, store_message
from tests.support.site import Store

pytestmark = pytest.mark.anyio
END = {"before_at": 2**63 - 1, "before_id": UUID(int=2**128 - 1)}


@pytest.fixture
async def letters(tx: TenantTx, account: Account, inbox: Folder) -> list[MessageId]:
    """Five, the newest first; two came in the same millisecond."""
    made = [
        (at, await store_message(tx, account.id, inbox.id, subject=f"Letter {number}", at=at))
        for number, at in enumerate([-5, 0, 1000, 1000, 2000])
    ]
    return [message_id for _, message_id in sorted(made, reverse=True)]


@pytest.mark.parametrize("limit", [1, 2, 10])
@pytest.mark.parametrize(
    ("name", "of"), [("list_folder", "folder_id"), ("list_tenant", None), ("list_unread", "account_id")]
)
async def test_a_list_page_by_page_is_everything_once(
    tx: TenantTx,
    account: Account,
    inbox: Folder,
    letters: list[MessageId],
    name: str,
    of: str | None,
    limit: int,
) -> None:
    ids = {"folder_id": inbox.id, "account_id": account.id}
    found: list[dict[str, Any]] = []
    position: dict[str, Any] = END
    while page := await tx.rows(
        getattr(queries("messages"), name), limit=limit, **position, **({of: ids[of]} if of else {})
    ):
        found += page
        position = {"before_at": page[-1]["received_at"], "before_id": page[-1]["id"]}
    assert [each["id"] for each in found] == letters


async def test_a_message_is_known_by_its_bytes_and_by_its_key(
    tx: TenantTx, account: Account, letters: list[MessageId]
) -> None:
    row = await messages.get(tx, letters[0])
    digest = bytes(row["content_hash"])
    assert await messages.known(tx, account.id, [digest, bytes(32)]) == {digest: letters[0]}
    assert await messages.taken_keys(tx, account.id, [row["message_id"], "free"]) == {row["message_id"]}


@pytest.mark.parametrize("digits", [36, 32, 13, 1])
async def test_the_first_digits_of_an_id_are_enough(
    tx: TenantTx, letters: list[MessageId], digits: int
) -> None:
    found = await messages.starting_with(tx, str(letters[0])[:digits].upper())
    assert len(found) <= 2
    assert letters[0] in found or digits < 20
    assert found


async def test_an_id_of_another_tenant_is_not_found(
    store: Store, db: Database, tx: TenantTx, letters: list[MessageId]
) -> None:
    async with db.tenant(new_tenant(store)) as other:
        with pytest.raises(NotFound, match="no message"):
            await messages.get(other, letters[0])


async def test_who_wrote_and_to_whom_comes_back_by_role(tx: TenantTx, letters: list[MessageId]) -> None:
    found = await messages.addresses_of(tx, letters[0])
    assert found["from"] == [{"name": None, "address": "a@b.example"}]
    assert found["to"] == []


async def test_everything_from_an_address_and_everybody_of_a_company(
    tx: TenantTx, letters: list[MessageId]
) -> None:
    asked = {"address": "a@b.example", "limit": 3, **END}
    wrote = await tx.rows(queries("addresses").correspondence, roles=["from", "to"], **asked)
    assert [each["id"] for each in wrote] == letters[:3]
    assert await tx.rows(queries("addresses").correspondence, roles=["cc"], **asked) == []
    people = await tx.rows(queries("addresses").of_domain, domain="b.example", limit=10)
    assert [(each["address"], each["messages"]) for each in people] == [("a@b.example", 5)]


async def test_what_nothing_needs_any_more_is_an_orphan(tx: TenantTx, letters: list[MessageId]) -> None:
    used = bytes((await messages.get(tx, letters[0]))["raw_blob"])
    loose = bytes(32)
    await tx.run(
        queries("blobs").add_objects,
        sha256s=[loose],
        sizes=[1],
        stored=[1],
        pieces=[1],
        codecs=["none"],
        paths=["p/1"],
        storage_type="s3",
        created_at=0,
    )
    found = await tx.rows(queries("blobs").orphans, sha256s=[used, loose])
    assert [(bytes(each["sha256"]), each["storage_path"]) for each in found] == [(loose, "p/1")]
    known = await tx.rows(queries("blobs").at_path, storage_paths=["p/1", "p/2"])
    assert [each["storage_path"] for each in known] == ["p/1"]


async def test_only_what_was_deleted_long_ago_may_be_purged(tx: TenantTx, letters: list[MessageId]) -> None:
    for number, message_id in enumerate(letters[:3]):
        await tx.rows(queries("placements").settle, message_ids=[message_id], at=100 * number)
    begin = {"after_at": -1, "after_id": UUID(int=0)}
    found = await tx.rows(queries("messages").purgeable, before=200, limit=10, **begin)
    assert [each["id"] for each in found] == letters[:2]
