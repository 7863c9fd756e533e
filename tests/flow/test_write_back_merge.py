"""Changes on both sides before they meet, folders that are renumbered meanwhile, and what a real server refuses."""

from __future__ import annotations

import asyncio
import itertools
import random
import shutil
from collections import Counter
from collections.abc import Iterator

import pytest

from postroom.model import SourceFolder
from postroom.store import folder_intents, folders, intent_rows, intents
from postroom.store.database import Database
from tests.flow.changing import change
from tests.support.dovecot import Dovecot, running_dovecot
from tests.support.mirror import Mirror, letter, subjects
from tests.support.pymap import PASSWORD, USER, running_pymap
from tests.support.site import Store

pytestmark = pytest.mark.anyio
SEEN, FLAGGED = "\\Seen", "\\Flagged"
STRICT = """
mail_plugins = quota acl
protocol imap {
  mail_plugins = quota acl imap_zlib
}
plugin {
  quota = count:User quota
  quota_vsizes = yes
  quota_rule = *:bytes=8000
  quota_grace = 0
  acl = vfile
}
"""


@pytest.fixture(scope="module")
def strict_server() -> Iterator[Dovecot]:
    """Each user has 8,000 bytes, and folders may be read-only."""
    with running_dovecot(more=STRICT) as server:
        yield server


@pytest.fixture
def strict(strict_server: Dovecot) -> Dovecot:
    strict_server.reset()
    return strict_server


async def _mirror(store: Store, db: Database, server: Dovecot, count: int = 6, pad: int = 0) -> Mirror:
    made = Mirror(store, db, server)
    made.fill("INBOX", [letter(number, pad=pad) for number in range(count)])
    await made.begin()
    await made.sync()
    return made


def _permit(server: Dovecot, folder: str, rights: str) -> None:
    path = server.root / "mail" / "alice" / f".{folder}"
    (path / "dovecot-acl").write_text(f"owner {rights}\n")
    shutil.chown(path / "dovecot-acl", "mail", "mail")


async def test_a_folder_that_is_renumbered_meanwhile_is_matched_first(
    store: Store, db: Database, dovecot: Dovecot
) -> None:
    mail = [letter(number) for number in range(8)]
    mirror = Mirror(store, db, dovecot)
    mirror.fill("Work", mail)
    await mirror.begin()
    await mirror.sync()
    inbox = await mirror.messages("Work")
    async with mirror.tx() as tx:
        await intents.mark(tx, inbox[:4], add=[SEEN])
        await intents.move(tx, inbox[2:4], await mirror.id("Archive"))
        await intents.copy(tx, inbox[4:5], await mirror.id("Archive"))
        await intents.delete(tx, inbox[5:6])
        await intents.mark(tx, inbox[7:], add=[FLAGGED])
    with dovecot.imap("alice") as imap:
        imap.delete("Work")
    await asyncio.sleep(1.1)  # UIDVALIDITY is the second of the folder's making
    # In another order, one of them flagged, and the last is gone.
    mirror.fill("Work", reversed(mail[:7]))
    mirror.store_flags("Work", "7", "+FLAGS", FLAGGED)
    tally = await mirror.sync()
    assert (tally.stored, tally.refused) == (0, 0)
    assert mirror.seen() == {"Work": subjects([0, 1, 4, 6]), "Archive": subjects([2, 3, 4])}
    await mirror.sync()
    await mirror.agree()
    assert mirror.seen() == {"Work": subjects([0, 1, 4, 6]), "Archive": subjects([2, 3, 4])}
    work = {words for _, words in mirror.there()["Work"].values()}
    assert work == {frozenset([SEEN, FLAGGED]), frozenset([SEEN]), frozenset()}


async def test_a_folder_that_is_renamed_meanwhile_is_found_first(
    store: Store, db: Database, dovecot: Dovecot
) -> None:
    mirror = Mirror(store, db, dovecot)
    mirror.fill("Work", [letter(number) for number in range(6)])
    await mirror.begin()
    await mirror.sync()
    inbox = await mirror.messages("Work")
    async with mirror.tx() as tx:
        await intents.mark(tx, inbox[:2], add=[SEEN])
        await intents.move(tx, inbox[:1], await mirror.id("Archive"))
    with dovecot.imap("alice") as imap:
        imap.rename("Work", "Jobs")
    tally = await mirror.sync()
    assert (tally.refused, tally.stored, tally.vanished) == (0, 0, 0)
    await mirror.sync()
    await mirror.agree_on_folders()
    assert mirror.seen() == {"Jobs": subjects(range(1, 6)), "Archive": subjects([0])}


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("kind", ["dovecot", "poor_dovecot"])
async def test_both_sides_at_random_come_to_the_same(
    request: pytest.FixtureRequest, store: Store, db: Database, kind: str, seed: int
) -> None:
    mirror = await _mirror(store, db, request.getfixturevalue(kind), count=25)
    chance = random.Random(seed)
    for _ in range(6):
        for _ in range(chance.randint(1, 5)):
            async with mirror.tx() as tx:
                await change(tx, mirror.account, chance)
        _change_there(mirror, chance)
        seen = await mirror.sync(accept_empty=True)
        assert seen.refused == 0
    await mirror.sync(accept_empty=True)
    await mirror.agree()
    # Each message is there once, but for those that another program and we have moved at the same time.
    there = Counter(digest for folder in mirror.there().values() for digest, _ in folder.values())
    assert len(there) == 25
    assert max(there.values()) <= 2


def _change_there(mirror: Mirror, chance: random.Random) -> None:
    """As another program would: flags, and moves in one step."""
    there = {name: sorted(uids) for name, uids in mirror.there().items() if uids}
    with mirror.server.imap(mirror.user) as imap:
        for _ in range(chance.randint(0, 3)):
            name = chance.choice(sorted(there))
            uid = str(chance.choice(there[name]))
            imap.select(name)
            if chance.random() < 0.6:
                sign = chance.choice("+-")
                imap.uid("store", uid, f"{sign}FLAGS", f"({chance.choice([SEEN, FLAGGED, '$Theirs'])})")
            else:
                to = chance.choice([each for each in ("INBOX", "Archive", "Sent") if each != name])
                imap.uid("move", uid, to)


async def test_what_is_over_quota_is_undone(store: Store, db: Database, strict: Dovecot) -> None:
    mirror = await _mirror(store, db, strict, count=6, pad=1000)
    inbox = await mirror.messages()
    async with mirror.tx() as tx:
        await intents.copy(tx, inbox[:3], await mirror.id("Archive"))
        await intents.mark(tx, inbox[:3], add=[SEEN])
    assert mirror.seen()["Archive"] == subjects(range(3))
    tally = await mirror.sync()
    assert tally.refused >= 2
    assert any("Quota exceeded" in each for each in tally.notes)
    await mirror.agree()
    refused = await mirror.refused()
    assert {each.kind for each in refused} == {"copy", "mark"}  # the mark was of the copy
    assert all("Quota exceeded" in (each.last_error or "") for each in refused)
    kept = 3 - sum(each.kind == "copy" for each in refused)
    assert sum(mirror.seen().get("Archive", Counter()).values()) == kept
    assert [words for _, words in mirror.there()["INBOX"].values()][:3] == [{SEEN}] * 3


async def test_what_may_only_be_read_stays_as_it_is(store: Store, db: Database, strict: Dovecot) -> None:
    mirror = Mirror(store, db, strict)
    mirror.fill("Shared", [letter(number) for number in range(4)])
    mirror.fill("INBOX", [letter(9)])
    await mirror.begin()
    await mirror.sync()
    _permit(strict, "Shared", "lr")
    shared = await mirror.messages("Shared")
    (other,) = await mirror.messages()
    async with mirror.tx() as tx:
        await intents.mark(tx, shared[:1], add=[SEEN, "$Work"])
        await intents.move(tx, shared[1:2], await mirror.id("Archive"))
        await intents.delete(tx, shared[2:3])
        await intents.move(tx, [other], await mirror.id("Shared"))
        await intents.mark(tx, [other], add=[SEEN])
    tally = await mirror.sync()
    assert tally.refused == 5
    await mirror.agree()
    assert mirror.seen()["Shared"] == subjects(range(4))
    assert mirror.seen()["INBOX"] == subjects([9])
    refused = await mirror.refused()
    assert sorted(each.kind for each in refused) == ["mark", "mark", "move", "move", "move"]
    assert all(each.last_error for each in refused)
    # What was taken up again is refused again, and nothing else changes.
    again = await mirror.sync()
    assert (again.refused, again.pushed, again.reflagged) == (0, 0, 0)


async def test_a_name_that_the_server_takes_otherwise_is_undone(
    store: Store, db: Database, strict: Dovecot
) -> None:
    mirror = await _mirror(store, db, strict)
    inbox = await mirror.messages()
    async with mirror.tx() as tx:
        work = (await folder_intents.create(tx, mirror.account.id, "not.there")).folder
        await intents.move(tx, inbox[:2], work.id)
        await intents.mark(tx, inbox[:1], add=[SEEN])
        more = (await folder_intents.create(tx, mirror.account.id, "Work")).folder
        await folder_intents.rename(tx, more.id, "not.here")
    await mirror.sync()
    await mirror.agree_on_folders()
    assert mirror.seen() == {"INBOX": subjects(range(6))}
    async with mirror.tx() as tx:
        assert "Work" in {each.name for each in await folders.of_account(tx, mirror.account.id)}
    kinds = [each.kind for each in await mirror.refused()]
    assert kinds == ["create_folder", "move", "move", "mark", "rename_folder"]


async def test_a_change_that_nobody_wants_any_more_is_undone(
    store: Store, db: Database, dovecot: Dovecot
) -> None:
    from postroom.store import intent_outcomes

    mirror = await _mirror(store, db, dovecot)
    inbox = await mirror.messages()
    async with mirror.tx() as tx:
        await intents.mark(tx, inbox[:1], add=[SEEN])
        await intents.move(tx, inbox[1:2], await mirror.id("Archive"))
        await intents.delete(tx, inbox[2:3])
        for each in await intent_rows.next_of(tx, mirror.account.id, limit=10):
            await intent_outcomes.undone(tx, each, "dropped")
    assert (await mirror.waiting(), await mirror.refused()) == ([], [])
    assert mirror.seen() == {"INBOX": subjects(range(6))}
    await mirror.sync()
    await mirror.agree()
    assert all(words == frozenset() for _, words in mirror.there()["INBOX"].values())


async def test_another_server_is_told_as_well(store: Store, db: Database) -> None:
    """pymap has MOVE and UIDPLUS, and gives messages ids of its own."""
    with running_pymap() as server:
        server.fill("INBOX", [letter(number) for number in range(6)])
        mirror = Mirror(store, db, server, USER)  # pyright: ignore[reportArgumentType]
        mirror.password = PASSWORD
        await mirror.begin(port=server.port)
        await mirror.sync()
        inbox = await mirror.messages()
        async with mirror.tx() as tx:
            work = (await folder_intents.create(tx, mirror.account.id, "Work")).folder
            await intents.mark(tx, inbox[:2], add=[SEEN])
            await intents.move(tx, inbox[:3], work.id)
            await intents.copy(tx, inbox[3:4], work.id)
            await folder_intents.rename(tx, work.id, "Jobs")
        tally = await mirror.sync()
        assert (tally.refused, await mirror.waiting()) == (0, [])
        assert (await mirror.sync()).stored == 0
        assert mirror.seen() == {"INBOX": subjects([3, 4, 5]), "Jobs": subjects(range(4))}
        with server.imap() as imap:
            assert imap.select("Jobs")[1] == [b"4"]
            assert imap.select("INBOX")[1] == [b"3"]


async def _listed_only(mirror: Mirror, name: str) -> None:
    """A folder of the server that a run has listed, and died before it read it."""
    with mirror.server.imap("alice") as imap:
        imap.create(name)
    async with mirror.tx() as tx:
        await folders.ensure(tx, mirror.account.id, [SourceFolder(name=name, wire_name=name, type="custom")])


async def test_what_landed_in_a_folder_that_was_never_read_is_changed_on_the_server_too(
    store: Store, db: Database, dovecot: Dovecot
) -> None:
    """A run died between the list and the reading of a folder; mail was moved there, and then marked and moved on."""
    mirror = await _mirror(store, db, dovecot)
    await _listed_only(mirror, "New")
    some = (await mirror.messages())[:2]
    async with mirror.tx() as tx:
        await intents.move(tx, some, await mirror.id("New"))
    assert (await mirror.push()).done == 2
    assert (await mirror.folder("New")).uidvalidity is None
    async with mirror.tx() as tx:
        assert len((await intents.mark(tx, some, add=[FLAGGED])).intents) == 2
        assert len((await intents.move(tx, some[1:], await mirror.id("Archive"))).intents) == 1
    await mirror.sync()
    await mirror.agree()
    there = mirror.there()
    assert [words for name in ("New", "Archive") for _, words in there[name].values()] == [{FLAGGED}] * 2


async def test_flags_that_another_program_set_are_seen_where_mail_lay_before_its_folder_was_first_read(
    store: Store, db: Database, dovecot: Dovecot
) -> None:
    """It was answered elsewhere, and moved here into a folder that no run has read to its end."""
    mirror = await _mirror(store, db, dovecot)
    await _listed_only(mirror, "New")
    some = (await mirror.messages())[:2]
    mirror.store_flags("INBOX", "1", "+FLAGS", "\\Answered")
    async with mirror.tx() as tx:
        await intents.move(tx, some, await mirror.id("New"))
    assert (await mirror.push()).done == 2
    mirror.store_flags("New", "2", "+FLAGS", "\\Flagged")
    assert (await mirror.sync()).reflagged == 2
    await mirror.agree()
    assert sorted(map(sorted, (words for _, words in mirror.here()["New"].values()))) == [
        ["\\Answered"],
        ["\\Flagged"],
    ]


async def test_a_sync_ends_while_somebody_goes_on_changing(
    store: Store, db: Database, dovecot: Dovecot
) -> None:
    mirror = await _mirror(store, db, dovecot)
    inbox = await mirror.messages()

    async def change_on() -> None:
        for number in itertools.count():
            async with mirror.tx() as tx:
                word = {"remove" if number // len(inbox) % 2 else "add": [FLAGGED]}
                await intents.mark(tx, [inbox[number % len(inbox)]], **word)

    changing = asyncio.create_task(change_on())
    try:
        async with asyncio.timeout(60):
            while not (await mirror.sync()).pushed:
                pass
    finally:
        changing.cancel()
    await mirror.sync()
    await mirror.agree()
