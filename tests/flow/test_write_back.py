"""What is changed here happens on a real Dovecot, with and without its extensions: each thing once, in order."""

from __future__ import annotations

import pytest

from postroom.store import folder_intents, folders, intent_rows, intents, messages
from postroom.store.database import Database
from tests.support.dovecot import Dovecot
from tests.support.mirror import Mirror, letter, subjects
from tests.support.site import Store

pytestmark = pytest.mark.anyio
SEEN, FLAGGED, ANSWERED = "\\Seen", "\\Flagged", "\\Answered"


@pytest.fixture(params=["full", "poor", "condstore"])
def server(request: pytest.FixtureRequest) -> Dovecot:
    """With all extensions; with CONDSTORE alone; with neither MOVE nor UIDPLUS nor any other."""
    names = {"full": "dovecot", "poor": "poor_dovecot", "condstore": "condstore_dovecot"}
    return request.getfixturevalue(names[request.param])


@pytest.fixture
async def mirror(store: Store, db: Database, server: Dovecot) -> Mirror:
    """Ten letters in INBOX, synced."""
    made = Mirror(store, db, server)
    made.fill("INBOX", [letter(number) for number in range(10)])
    await made.begin()
    assert (await made.sync()).stored == 10
    await made.agree()
    return made


async def test_flags_and_keywords_are_told(mirror: Mirror) -> None:
    inbox = await mirror.messages()
    async with mirror.tx() as tx:
        await intents.mark(tx, inbox[:5], add=[SEEN, "$Work"])
        await intents.mark(tx, inbox[3:5], remove=["$Work"], add=[FLAGGED])
    assert (await mirror.sync()).pushed == 5
    await mirror.agree()
    there = [words for _, words in mirror.there()["INBOX"].values()]
    assert there[:6] == [{SEEN, "$Work"}] * 3 + [{SEEN, FLAGGED}] * 2 + [frozenset()]
    tally = await mirror.sync()
    assert (tally.pushed, tally.reflagged) == (0, 0)


async def test_what_others_flag_meanwhile_holds_too(mirror: Mirror) -> None:
    inbox = await mirror.messages()
    async with mirror.tx() as tx:
        await intents.mark(tx, inbox[:2], add=[SEEN])
    mirror.store_flags("INBOX", "1", "+FLAGS", f"{FLAGGED} $Theirs")
    mirror.store_flags("INBOX", "2", "+FLAGS", SEEN)
    await mirror.sync()
    await mirror.agree()
    there = mirror.there()["INBOX"]
    assert (there[1][1], there[2][1]) == ({SEEN, FLAGGED, "$Theirs"}, {SEEN})


async def test_a_move_is_one_message_in_another_folder(mirror: Mirror) -> None:
    inbox = await mirror.messages()
    async with mirror.tx() as tx:
        await intents.mark(tx, inbox[:2], add=[FLAGGED])
        await intents.move(tx, inbox[:4], await mirror.id("Archive"))
        await intents.mark(tx, inbox[:4], add=[SEEN])
    assert mirror.seen() == {"INBOX": subjects(range(4, 10)), "Archive": subjects(range(4))}
    tally = await mirror.sync()
    assert (tally.pushed, tally.refused, tally.stored, tally.vanished) == (10, 0, 0, 0)
    await mirror.agree()
    assert mirror.seen() == {"INBOX": subjects(range(4, 10)), "Archive": subjects(range(4))}
    assert [words for _, words in mirror.there()["Archive"].values()] == [{FLAGGED, SEEN}] * 2 + [{SEEN}] * 2
    again = await mirror.sync()
    assert (again.stored, again.already_there, again.vanished, again.pushed) == (0, 0, 0, 0)


async def test_moves_can_follow_each_other_before_the_server_knows(mirror: Mirror) -> None:
    inbox = await mirror.messages()
    archive, sent = await mirror.id("Archive"), await mirror.id("Sent")
    async with mirror.tx() as tx:
        await intents.move(tx, inbox[:2], archive)
        await intents.move(tx, inbox[:2], sent)
        await intents.move(tx, inbox[:1], await mirror.id("INBOX"))
        await intents.copy(tx, inbox[1:2], archive)
    await mirror.sync()
    await mirror.agree()
    assert mirror.seen() == {
        "INBOX": subjects([0, *range(2, 10)]),
        "Sent": subjects([1]),
        "Archive": subjects([1]),
    }


async def test_a_copy_is_one_more(mirror: Mirror) -> None:
    inbox = await mirror.messages()
    async with mirror.tx() as tx:
        await intents.copy(tx, inbox[:3], await mirror.id("Archive"))
    await mirror.sync()
    await mirror.agree()
    assert mirror.seen() == {"INBOX": subjects(range(10)), "Archive": subjects(range(3))}


async def test_what_is_deleted_is_in_trash_there_and_comes_back(mirror: Mirror) -> None:
    inbox = await mirror.messages()
    async with mirror.tx() as tx:
        await intents.delete(tx, inbox[:3])
    await mirror.sync()
    await mirror.agree()
    assert len(mirror.there()["Trash"]) == 3
    assert mirror.seen() == {"INBOX": subjects(range(3, 10))}
    async with mirror.tx() as tx:
        await intents.undelete(tx, inbox[:2])
    assert mirror.seen() == {"INBOX": subjects([0, 1, *range(3, 10)])}
    await mirror.sync()
    await mirror.agree()
    assert (len(mirror.there()["Trash"]), len(mirror.there()["INBOX"])) == (1, 9)
    assert mirror.seen() == {"INBOX": subjects([0, 1, *range(3, 10)])}


async def test_what_is_deleted_from_trash_is_gone_there_and_kept_here(mirror: Mirror) -> None:
    inbox = await mirror.messages()
    async with mirror.tx() as tx:
        await intents.move(tx, inbox[:3], await mirror.id("Trash"))
    await mirror.sync()
    async with mirror.tx() as tx:
        await intents.delete(tx, inbox[:2])
    await mirror.sync()
    await mirror.agree()
    assert len(mirror.there()["Trash"]) == 1
    async with mirror.tx() as tx:
        assert (await messages.get(tx, inbox[0]))["is_deleted"]
        assert (await intents.undelete(tx, inbox[:1])).messages == inbox[:1]
    await mirror.sync()
    assert mirror.seen()["Restored by Postroom"] == subjects([0])


async def test_only_what_was_deleted_is_expunged(mirror: Mirror) -> None:
    """Another program has marked a message, and does not expunge it."""
    inbox = await mirror.messages()
    async with mirror.tx() as tx:
        await intents.move(tx, inbox[:2], await mirror.id("Trash"))
    await mirror.sync()
    mirror.store_flags("Trash", "1", "+FLAGS", "\\Deleted")
    async with mirror.tx() as tx:
        await intents.delete(tx, inbox[1:2])
    await mirror.sync()
    await mirror.agree()
    there = mirror.there()["Trash"]
    assert 1 in there
    # Without UIDPLUS it stays as well, marked, until the other program expunges.
    assert all("\\Deleted" in words for _, words in there.values())
    assert mirror.seen() == {"INBOX": subjects(range(2, 10)), "Trash": subjects([0])}


async def test_folders_are_made_renamed_and_deleted_there(mirror: Mirror) -> None:
    inbox = await mirror.messages()
    async with mirror.tx() as tx:
        work = (await folder_intents.create(tx, mirror.account.id, "Work/Ärger & Co")).folder
        await intents.move(tx, inbox[:2], work.id)
    await mirror.sync()
    await mirror.agree_on_folders()
    async with mirror.tx() as tx:
        parent = next(each for each in await folders.of_account(tx, mirror.account.id) if each.name == "Work")
        await folder_intents.rename(tx, parent.id, "Jobs")
    tally = await mirror.sync()
    assert (tally.stored, tally.vanished, tally.already_there) == (0, 0, 0)
    await mirror.agree_on_folders()
    assert mirror.seen()["Jobs/Ärger & Co"] == subjects([0, 1])
    async with mirror.tx() as tx:
        await folder_intents.delete(tx, work.id)
    await mirror.sync()
    await mirror.agree_on_folders()
    assert mirror.seen() == {"INBOX": subjects(range(2, 10)), "Trash": subjects([0, 1])}


async def test_a_message_that_the_server_let_go_needs_no_telling(mirror: Mirror) -> None:
    inbox = await mirror.messages()
    async with mirror.tx() as tx:
        await intents.mark(tx, inbox[:1], add=[SEEN])
        await intents.move(tx, inbox[1:2], await mirror.id("Archive"))
        await intents.copy(tx, inbox[2:3], await mirror.id("Archive"))
        await intents.delete(tx, inbox[3:4])
    mirror.expunge("INBOX", "1:4")
    tally = await mirror.sync()
    assert tally.refused == 0
    await mirror.agree()
    assert await mirror.refused() == []
    assert mirror.seen() == {"INBOX": subjects(range(4, 10))}


async def test_a_message_that_went_elsewhere_there_is_followed(mirror: Mirror) -> None:
    inbox = await mirror.messages()
    async with mirror.tx() as tx:
        await intents.move(tx, inbox[:2], await mirror.id("Archive"))
    with mirror.server.imap("alice") as imap:
        imap.select("INBOX")
        imap.uid("copy", "1", "Sent")
        imap.uid("store", "1", "+FLAGS", "(\\Deleted)")
        imap.expunge()
    await mirror.sync()
    await mirror.agree()
    assert mirror.seen() == {
        "INBOX": subjects(range(2, 10)),
        "Archive": subjects([1]),
        "Sent": subjects([0]),
    }


async def test_what_the_server_refuses_is_undone_and_says_why(mirror: Mirror) -> None:
    inbox = await mirror.messages()
    async with mirror.tx() as tx:
        work = (await folder_intents.create(tx, mirror.account.id, "Work")).folder
    await mirror.sync()
    with mirror.server.imap("alice") as imap:
        imap.select("INBOX")
        imap.delete("Work")
    async with mirror.tx() as tx:
        await intents.move(tx, inbox[:2], work.id)
        await intents.copy(tx, inbox[2:3], work.id)
        await intents.mark(tx, inbox[:1], add=[FLAGGED])
    tally = await mirror.sync()
    assert tally.refused >= 3
    await mirror.agree()
    assert mirror.seen() == {"INBOX": subjects(range(10))}
    said = await mirror.refused()
    assert {each.kind for each in said} >= {"move", "copy"}
    assert all(each.last_error for each in said)


async def test_a_folder_is_not_deleted_over_mail_that_came_meanwhile(mirror: Mirror) -> None:
    async with mirror.tx() as tx:
        work = (await folder_intents.create(tx, mirror.account.id, "Work")).folder
    await mirror.sync()
    async with mirror.tx() as tx:
        await folder_intents.delete(tx, work.id)
    mirror.fill("Work", [letter(20)])
    tally = await mirror.sync()
    assert tally.refused == 1
    await mirror.agree_on_folders()
    assert mirror.seen()["Work"] == subjects([20])
    (one,) = await mirror.refused()
    assert one.last_error == "1 messages came into it meanwhile"


async def test_many_are_told_together(mirror: Mirror) -> None:
    mirror.fill("INBOX", [letter(number, pad=number) for number in range(10, 300)])
    await mirror.sync()
    inbox = await mirror.messages()
    async with mirror.tx() as tx:
        await intents.mark(tx, inbox, add=[SEEN])
        await intents.move(tx, inbox[:250], await mirror.id("Archive"))
    await mirror.sync()
    await mirror.agree()
    assert (len(mirror.there()["Archive"]), len(mirror.there()["INBOX"])) == (250, 50)


async def test_what_is_pending_is_seen(mirror: Mirror) -> None:
    inbox = await mirror.messages()
    async with mirror.tx() as tx:
        await intents.move(tx, inbox[:1], await mirror.id("Archive"))
        counts = await intent_rows.counts(tx, mirror.account.id)
    assert (counts.waiting, counts.refused) == (1, 0)
