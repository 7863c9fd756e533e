"""Between a command and its record anything may happen: afterwards nothing is lost and nothing is there twice."""

from __future__ import annotations

import pytest

from postroom.errors import SourceError
from postroom.model import FolderId
from postroom.store import folder_intents, intents
from postroom.store.database import Database
from tests.support.cut_wire import CutWire
from tests.support.dovecot import Dovecot
from tests.support.mirror import Mirror, letter, subjects
from tests.support.site import Store

pytestmark = pytest.mark.anyio
SEEN = "\\Seen"
COMMANDS = {
    "full": [
        b"UID STORE",
        b"STATUS",
        b"UID MOVE",
        b"UID COPY",
        b"UID EXPUNGE",
        b"CREATE",
        b"RENAME",
        b"DELETE",
        b"SELECT",
    ],
    "poor": [b"UID STORE .*Deleted", b"UID COPY", b"EXPUNGE", b"UID SEARCH", b"CREATE", b"RENAME", b"DELETE"],
}
CASES = [
    (name, command, is_done)
    for name, several in COMMANDS.items()
    for command in several
    for is_done in (False, True)
]


async def _begun(store: Store, db: Database, server: Dovecot, wire: CutWire) -> Mirror:
    made = Mirror(store, db, server)
    # One without a Message-ID: only its bytes tell.
    made.fill("INBOX", [letter(number, message_id=number != 5) for number in range(8)])
    made.fill("Archive", [letter(20)])
    await made.begin(port=wire.port)
    await made.sync()
    return made


async def _change(mirror: Mirror) -> FolderId:
    """One of each kind."""
    inbox = await mirror.messages()
    async with mirror.tx() as tx:
        await intents.mark(tx, inbox[:2], add=[SEEN])
        work = (await folder_intents.create(tx, mirror.account.id, "Work")).folder
        await intents.move(tx, inbox[:3], work.id)
        await intents.copy(tx, inbox[3:6], await mirror.id("Archive"))
        await folder_intents.rename(tx, work.id, "Jobs")
        await intents.mark(tx, inbox[2:3], add=["$Later"])
        await intents.move(tx, inbox[6:7], await mirror.id("Trash"))
        await intents.delete(tx, inbox[6:7])
        gone = (await folder_intents.create(tx, mirror.account.id, "Gone")).folder
        await folder_intents.delete(tx, gone.id)
    return work.id


@pytest.mark.parametrize(("name", "command", "is_done"), CASES)
async def test_the_wire_breaks_at_a_command(
    request: pytest.FixtureRequest, store: Store, db: Database, name: str, command: bytes, is_done: bool
) -> None:
    server: Dovecot = request.getfixturevalue("dovecot" if name == "full" else "poor_dovecot")
    with CutWire(server.imap_port) as wire:
        mirror = await _begun(store, db, server, wire)
        await _change(mirror)
        wire.cut_at(rb"^P\d+ " + command, is_done=is_done)
        with pytest.raises(SourceError):
            await mirror.sync()
        assert wire.was_cut
        # Meanwhile mail comes in, also into where something may have been moved.
        mirror.fill("INBOX", [letter(30)])
        mirror.fill("Archive", [letter(31)])
        await mirror.sync()
        await mirror.agree_on_folders()
        assert await mirror.refused() == []
        assert mirror.seen() == {
            "INBOX": subjects([3, 4, 5, 7, 30]),
            "Jobs": subjects(range(3)),
            "Archive": subjects([3, 4, 5, 20, 31]),
        }
        assert sum(len(each) for each in mirror.there().values()) == 13
        tally = await mirror.sync()
        assert (tally.pushed, tally.stored, tally.vanished) == (0, 0, 0)
