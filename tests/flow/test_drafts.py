"""Drafts lie in the Drafts folder of a real Dovecot as they are here: each once, whatever happens in between."""

from __future__ import annotations

import re
import time
from uuid import uuid4

import pytest

from postroom import posting
from postroom.blobs import Blobs
from postroom.compose.letter import Letter
from postroom.compose.read import read
from postroom.errors import SourceError
from postroom.model import Address, DraftId
from postroom.store import drafts, senders
from postroom.store.database import Database
from postroom.store.senders import Sender
from tests.support.cut_wire import CutWire
from tests.support.dovecot import Dovecot
from tests.support.mirror import EMAIL, Mirror, letter
from tests.support.site import Store

pytestmark = pytest.mark.anyio


CASES = [
    (name, command, is_done)
    for name, command in (
        ("dovecot", b"STATUS"),
        ("dovecot", b"APPEND"),
        ("dovecot", b"UID EXPUNGE"),
        ("poor_dovecot", b"APPEND"),
        ("poor_dovecot", b"EXPUNGE"),
    )
    for is_done in (False, True)
]


class Desk:
    """Somebody who writes drafts here; and what lies in Drafts on the server."""

    def __init__(self, mirror: Mirror) -> None:
        self.mirror, self.blobs = mirror, Blobs(mirror.settings)

    async def begin(self, *, port: int | None = None) -> None:
        self.mirror.fill("INBOX", [letter(1)])
        await self.mirror.begin(port=port)
        async with self.mirror.tx() as tx:
            await senders.put(
                tx, self.mirror.account.id, Sender(hostname="127.0.0.1", port=1, encryption="none")
            )
        await self.mirror.sync()

    async def write(self, text: str, draft_id: DraftId | None = None) -> DraftId:
        """Anew, or in place of what it said."""
        said = Letter(
            from_=Address(address=EMAIL), to=(Address(address="bob@example.test"),), subject="Plan", text=text
        )
        stamp = posting.stamp_for(EMAIL, uuid4(), posting.now())
        async with self.mirror.tx() as tx:
            replaces = None if draft_id is None else (draft_id, (await drafts.get(tx, draft_id))["version"])
            return await posting.save_draft(
                tx, self.blobs, self.mirror.account.id, said, stamp, replaces=replaces
            )

    async def discard(self, draft_id: DraftId) -> None:
        async with self.mirror.tx() as tx:
            assert await posting.discard_draft(tx, draft_id)

    async def here(self) -> list[str]:
        """What the drafts say."""
        async with self.mirror.tx() as tx:
            rows = await drafts.of_account(tx, self.mirror.account.id)
            several = [await drafts.get(tx, DraftId(row["id"])) for row in rows]
            return [
                (read(await self.blobs.read_all(tx, bytes(row["raw_blob"]))).text or "").strip()
                for row in several
            ]

    def there(self) -> list[str]:
        """The text of each message in Drafts, in the order of their UIDs."""
        return [(read(raw).text or "").strip() for _, raw in self._raw()]

    def _raw(self) -> list[tuple[int, bytes]]:
        with self.mirror.server.imap("alice") as imap:
            imap.select("Drafts", readonly=True)
            _, data = imap.uid("fetch", "1:*", "(FLAGS BODY.PEEK[])")
            found = []
            for each in (one for one in data if isinstance(one, tuple)):
                assert b"\\Draft" in each[0]
                assert b"\\Seen" in each[0]
                uid = re.search(rb"UID (\d+)", each[0])
                assert uid
                found.append((int(uid[1]), each[1]))
            return found

    def change_there(self, text: bytes) -> None:
        """As a mail program does: the new one is appended, the old one expunged, the Message-ID is kept."""
        ((uid, raw),) = self._raw()
        with self.mirror.server.imap("alice") as imap:
            changed = raw.partition(b"\r\n\r\n")[0] + b"\r\n\r\n" + text + b"\r\n"
            assert imap.append("Drafts", "(\\Draft \\Seen)", "", changed)[0] == "OK"
        self.mirror.expunge("Drafts", str(uid))

    async def is_quiet(self) -> None:
        """Nothing more is to be told, and nothing differs."""
        await self.mirror.agree()
        assert await self.mirror.refused() == []
        tally = await self.mirror.sync()
        assert (tally.pushed, tally.stored, tally.vanished) == (0, 0, 0)


@pytest.fixture
async def desk(store: Store, db: Database, dovecot: Dovecot) -> Desk:
    return await _desk(store, db, dovecot)


async def _desk(store: Store, db: Database, server: Dovecot) -> Desk:
    made = Desk(Mirror(store, db, server))
    await made.begin()
    return made


@pytest.mark.parametrize("name", ["dovecot", "poor_dovecot", "condstore_dovecot"])
async def test_a_draft_is_on_the_server_until_it_is_sent_or_thrown_away(
    request: pytest.FixtureRequest, store: Store, db: Database, name: str
) -> None:
    desk = await _desk(store, db, request.getfixturevalue(name))
    one, two = await desk.write("First"), await desk.write("Second")
    assert (await desk.mirror.sync()).pushed == 2
    assert desk.there() == ["First", "Second"]
    await desk.write("First, again", one)
    await desk.write("First, and again", one)
    assert len(await desk.mirror.waiting()) == 1
    await desk.mirror.sync()
    assert desk.there() == ["Second", "First, and again"]
    await desk.is_quiet()
    await desk.discard(two)
    await desk.mirror.sync()
    assert desk.there() == ["First, and again"]
    async with desk.mirror.tx() as tx:
        row = await drafts.get(tx, one)
        said = read(await desk.blobs.read_all(tx, bytes(row["raw_blob"])))
        stamp = posting.stamp_for(EMAIL, uuid4(), posting.now())
        sent = await posting.post_draft(tx, desk.blobs, row, said, stamp, not_before=2**50)
    await desk.mirror.sync()
    assert desk.there() == []
    await desk.is_quiet()  # the folder is empty because we emptied it
    async with desk.mirror.tx() as tx:
        assert await posting.cancel(tx, sent) == one
    await desk.mirror.sync()
    assert (desk.there(), await desk.here()) == (["First, and again"], ["First, and again"])
    await desk.is_quiet()


async def test_what_was_thrown_away_before_the_server_heard_of_it_never_gets_there(desk: Desk) -> None:
    await desk.discard(await desk.write("Nothing"))
    await desk.mirror.sync()
    assert desk.there() == []
    await desk.is_quiet()


@pytest.mark.parametrize(("name", "command", "is_done"), CASES)
async def test_the_wire_breaks_while_a_draft_is_replaced(
    request: pytest.FixtureRequest, store: Store, db: Database, name: str, command: bytes, is_done: bool
) -> None:
    server: Dovecot = request.getfixturevalue(name)
    with CutWire(server.imap_port) as wire:
        desk = Desk(Mirror(store, db, server))
        await desk.begin(port=wire.port)
        draft_id = await desk.write("First")
        await desk.mirror.sync()
        await desk.write("Second", draft_id)
        wire.cut_at(rb"^P\d+ " + command, is_done=is_done)
        with pytest.raises(SourceError):
            await desk.mirror.sync()
        assert wire.was_cut
        await desk.write("Third", draft_id)
        await desk.mirror.sync()
        assert (desk.there(), await desk.here()) == (["Third"], ["Third"])
        await desk.is_quiet()


async def test_a_draft_that_another_program_changed_says_so_here(desk: Desk) -> None:
    draft_id = await desk.write("Ours")
    await desk.mirror.sync()
    desk.change_there(b"Theirs")
    await desk.mirror.sync()
    assert (desk.there(), await desk.here()) == (["Theirs"], ["Theirs"])
    await desk.is_quiet()
    await desk.write("Ours again", draft_id)
    await desk.mirror.sync()
    assert (desk.there(), await desk.here()) == (["Ours again"], ["Ours again"])
    await desk.is_quiet()


async def test_a_draft_that_was_changed_on_both_sides_is_there_twice(desk: Desk) -> None:
    draft_id = await desk.write("First")
    await desk.mirror.sync()
    desk.change_there(b"Theirs")
    await desk.write("Ours", draft_id)
    await desk.mirror.sync()
    assert (desk.there(), await desk.here()) == (["Theirs", "Ours"], ["Ours"])
    await desk.is_quiet()


async def test_a_draft_that_another_program_sent_or_threw_away_is_none_here(desk: Desk) -> None:
    await desk.write("Ours")
    await desk.write("Other")
    await desk.mirror.sync()
    desk.mirror.expunge("Drafts", "1")
    await desk.mirror.sync()
    assert (desk.there(), await desk.here()) == (["Other"], ["Other"])
    await desk.is_quiet()


async def test_a_draft_is_found_in_a_folder_that_was_renumbered(desk: Desk) -> None:
    one = await desk.write("First")
    two = await desk.write("Second")
    await desk.write("Third")
    await desk.mirror.sync()
    _renumber(desk.mirror.server)
    await desk.write("First, again", one)
    await desk.discard(two)
    await desk.mirror.sync()
    assert sorted(desk.there()) == sorted(await desk.here()) == ["First, again", "Third"]
    await desk.mirror.sync()  # it was told last, and is read now
    await desk.is_quiet()


def _renumber(server: Dovecot) -> None:
    """As after a mailbox was restored: UIDVALIDITY is another."""
    time.sleep(1.1)  # it is the second of the folder's making
    folder = server.root / "mail" / "alice" / ".Drafts"
    for name in ("dovecot-uidlist", "dovecot.index", "dovecot.index.log", "dovecot.index.cache"):
        (folder / name).unlink(missing_ok=True)
    for name in server.root.glob("**/.Drafts/dovecot.index*"):
        name.unlink()
