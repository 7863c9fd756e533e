"""Placements: where a message lies, what the server let go, and what the message says of itself after that."""

from __future__ import annotations

import pytest

from postroom.model import Account, Folder, FolderId, MessageId, SourceFolder
from postroom.sql import queries
from postroom.store import folders, messages, placements
from postroom.store.database import TenantTx
from postroom.store.placements import Placement
from tests.store.mailroom import store_message

pytestmark = pytest.mark.anyio
SEEN, FLAGGED = "\\Seen", "\\Flagged"


def _at(folder_id: FolderId, uid: int, message_id: MessageId, *flags: str, uidvalidity: int = 1) -> Placement:
    return Placement(
        folder_id=folder_id, uidvalidity=uidvalidity, uid=uid, message_id=message_id, flags=frozenset(flags)
    )


@pytest.fixture
async def letters(tx: TenantTx, account: Account, inbox: Folder) -> list[MessageId]:
    """Three messages in the inbox under UID 1 to 3; the first is read."""
    made = [await store_message(tx, account.id, inbox.id, subject=f"Letter {number}") for number in range(3)]
    lying = [_at(inbox.id, uid, each, *([SEEN] if uid == 1 else [])) for uid, each in enumerate(made, 1)]
    assert await placements.insert(tx, lying) == made
    return made


async def test_what_is_there_already_stays(tx: TenantTx, inbox: Folder, letters: list[MessageId]) -> None:
    assert await placements.insert(tx, [_at(inbox.id, 1, letters[1])]) == []
    assert await placements.living(tx, inbox.id, 1) == {1: {SEEN}, 2: frozenset(), 3: frozenset()}
    assert await placements.next_uid(tx, inbox.id, 1) == 4
    assert await placements.next_uid(tx, inbox.id, 2) == 1


async def test_the_counters_follow_every_change(
    tx: TenantTx, account: Account, inbox: Folder, letters: list[MessageId]
) -> None:
    async def counted() -> tuple[int, int]:
        (found,) = await folders.of_account(tx, account.id)
        assert await tx.rows(queries("folders").miscounted) == []
        return found.total_count, found.unread_count

    assert await counted() == (3, 2)
    await placements.reflag(tx, inbox.id, 1, {2: frozenset([SEEN, "$Forwarded"]), 1: frozenset()})
    assert await counted() == (3, 2)
    await placements.forget(tx, inbox.id, 1, [1, 2])
    assert await counted() == (1, 1)
    await placements.forget(tx, inbox.id, 1, [1, 2])
    assert await counted() == (1, 1)


async def test_flags_and_keywords_come_back_as_the_server_has_them(
    tx: TenantTx, inbox: Folder, letters: list[MessageId]
) -> None:
    words = frozenset([SEEN, "$Forwarded", 'odd "one"', "back\\slash", ""])
    assert await placements.reflag(tx, inbox.id, 1, {2: words, 99: words}) == [letters[1]]
    assert (await placements.living(tx, inbox.id, 1))[2] == words


async def test_a_message_says_what_its_placements_say(
    tx: TenantTx, account: Account, inbox: Folder, letters: list[MessageId]
) -> None:
    work = (await folders.ensure(tx, account.id, [SourceFolder(name="Work")]))["Work"]
    await placements.insert(tx, [_at(work.id, 9, letters[0], FLAGGED)])
    alive, gone = await placements.settle(tx, letters)
    assert (set(alive), gone) == (set(letters), [])
    row = await messages.get(tx, letters[0])
    assert (row["folder_id"], row["imap_uid"], row["is_read"], row["is_flagged"]) == (
        inbox.id,
        "1",
        True,
        True,
    )
    assert [each["name"] for each in await placements.of_message(tx, letters[0])] == ["INBOX", "Work"]


async def test_a_message_goes_with_its_last_placement_and_comes_back(
    tx: TenantTx, account: Account, inbox: Folder, letters: list[MessageId]
) -> None:
    await placements.settle(tx, letters)
    assert await placements.forget(tx, inbox.id, 1, [3, 77]) == [letters[2]]
    assert await placements.settle(tx, [letters[2]]) == ([], [letters[2]])
    gone = await messages.get(tx, letters[2])
    assert (gone["is_deleted"], gone["imap_uid"], gone["deleted_at"] is None) == (True, None, False)
    await placements.insert(tx, [_at(inbox.id, 4, letters[2])])
    assert await placements.settle(tx, [letters[2]]) == ([letters[2]], [])
    back = await messages.get(tx, letters[2])
    assert (back["is_deleted"], back["imap_uid"], back["deleted_at"]) == (False, "4", None)


async def test_a_renumbered_folder_forgets_its_old_numbers_only(
    tx: TenantTx, inbox: Folder, letters: list[MessageId]
) -> None:
    await placements.insert(tx, [_at(inbox.id, 1, letters[2], uidvalidity=2)])
    assert sorted(await placements.forget_generation(tx, inbox.id, 2)) == sorted(letters)
    assert await placements.living(tx, inbox.id, 1) == {}
    assert list(await placements.living(tx, inbox.id, 2)) == [1]
    assert await placements.placed(tx, letters, [inbox.id]) == {(letters[2], inbox.id)}


async def test_two_messages_may_change_their_numbers_for_each_others(
    tx: TenantTx, inbox: Folder, letters: list[MessageId]
) -> None:
    await placements.settle(tx, letters)
    await placements.forget_generation(tx, inbox.id, 2)
    await placements.insert(
        tx, [_at(inbox.id, uid, each, uidvalidity=2) for uid, each in enumerate(reversed(letters), 1)]
    )
    await placements.settle(tx, letters)
    assert [(await messages.get(tx, each))["imap_uid"] for each in letters] == ["3", "2", "1"]


async def test_nothing_to_do_is_nothing_done(tx: TenantTx) -> None:
    assert await placements.insert(tx, []) == []
    assert await placements.settle(tx, []) == ([], [])


async def test_what_was_let_go_was_taken_nevertheless(
    tx: TenantTx, inbox: Folder, letters: list[MessageId]
) -> None:
    await placements.forget(tx, inbox.id, 1, [2])
    assert sorted(await placements.taken(tx, inbox.id, 1)) == [1, 2, 3]
    assert await placements.taken(tx, inbox.id, 2) == {}
