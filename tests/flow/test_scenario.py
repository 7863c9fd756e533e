"""One scenario, whatever the server: all that happens to a mailbox, one thing after the other, and after each both
sides are equal and the ledger adds up.

It is played on Dovecot with all it can, on Dovecot with nearly all of that taken away, on pymap, and on every personality
of `postroom.testing`. Everything goes through a wire, which breaks once. What a server cannot do is done by what comes
nearest to it:

- Dovecot numbers a folder anew when its list of UIDs is lost: the file is removed. pymap never does: there the folder is
  deleted and made again, with the same mail, flags and dates.
- Where there is no MOVE (poor Dovecot), the other program copies, and deletes the first.
- What is sent goes to aiosmtpd, and for the personalities to the simulator's own SMTP server. Gmail and Exchange put it into
  the Sent folder by themselves; the others get a copy from us.
- A bounce is delivered as one is: it lies in the inbox.
- The liar is not asked by `verify`, which would compare with lies; what lies in its mailbox is known all the same.
"""

from __future__ import annotations

import hashlib
from base64 import encodebytes
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from random import Random
from typing import Any
from uuid import uuid4

import pytest

from postroom.compose.answer import reply
from postroom.compose.letter import Letter
from postroom.mime.parse import parse
from postroom.model import Address
from postroom.posting import now, post_draft, save_draft, stamp_for
from postroom.store import drafts, intents, sends
from postroom.store.database import Database
from postroom.testing import PERSONALITIES, ImapServer, SmtpServer
from tests.flow.scene import Scene
from tests.mime.build import mail, multipart, part
from tests.support.broken_wire import BrokenWire
from tests.support.dovecot import Dovecot
from tests.support.mirror import EMAIL
from tests.support.owner import Owner, OwnerByImap, OwnerOfSimulated
from tests.support.pymap import PASSWORD, USER, running_pymap
from tests.support.site import Store
from tests.support.smtp import SmtpServer as RealSmtp

pytestmark = pytest.mark.anyio

WHEN = datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)
BOB = "bob@example.test"
LARGE_BYTES = 10 * 2**20
SERVERS = ("full dovecot", "poor dovecot", "pymap", *(each.name for each in PERSONALITIES))


@pytest.fixture(params=SERVERS)
def owner(request: pytest.FixtureRequest) -> Iterator[Owner]:
    if request.param in ("full dovecot", "poor dovecot"):
        name = "dovecot" if request.param == "full dovecot" else "poor_dovecot"
        server: Dovecot = request.getfixturevalue(name)
        yield OwnerByImap(
            request.param,
            server.imap_port,
            "alice",
            server.password("alice"),
            renumber=lambda folder: server.lose_uids("alice", folder),
        )
    elif request.param == "pymap":
        with running_pymap() as pymap:
            yield OwnerByImap(request.param, pymap.port, USER, PASSWORD, keywords=())
    else:
        (personality,) = (each for each in PERSONALITIES if each.name == request.param)
        with ImapServer(personality) as simulated:
            yield OwnerOfSimulated(simulated)


@pytest.fixture
def post(owner: Owner, request: pytest.FixtureRequest) -> Iterator[SmtpServer | RealSmtp]:
    """The server that takes what is sent: the simulator's own, which knows the mailbox, or aiosmtpd."""
    if isinstance(owner, OwnerOfSimulated):
        with SmtpServer(owner.server.personality, mailbox=owner.server.mailbox) as simulated:
            yield simulated
    else:
        yield request.getfixturevalue("smtp")


@pytest.fixture
async def scene(
    store: Store, db: Database, owner: Owner, post: SmtpServer | RealSmtp
) -> AsyncIterator[Scene]:
    with BrokenWire(owner.imap_port) as wire:
        found = Scene(store, db, owner, wire, post)
        await found.begin()
        yield found


async def test_a_mailbox_lives_through_all_that_happens_to_one(scene: Scene) -> None:
    for step in (
        _new_mail,
        _flags_of_both_sides,
        _expunged_while_nobody_looks,
        _moved_on_the_server,
        _a_folder_gets_another_name,
        _a_folder_is_numbered_anew,
        _the_same_mail_in_two_folders,
        _mail_without_a_message_id,
        _a_part_of_ten_megabytes,
        _eight_bits_in_the_header,
        _the_connection_drops_in_a_literal,
        _a_draft_of_another_program,
    ):
        await step(scene)
    sent = await _a_draft_of_ours_is_sent(scene)
    answer = await _a_reply_is_answered(scene, sent)
    await _a_bounce_comes_home(scene, answer)
    if not scene.owner.lies:
        found = scene.store.json("verify", "-t", scene.tenant_name, "-a", EMAIL, "--deep")
        assert found["is_equal"]


def _letter(subject: str, *header: str | bytes, body: bytes = b"Hello\r\n", is_named: bool = True) -> bytes:
    named = [f"Message-ID: <{uuid4().hex}@example.test>"] if is_named else []
    date = "Date: Tue, 03 Feb 2026 04:05:06 +0000"
    return mail(f"From: {BOB}", f"To: {EMAIL}", f"Subject: {subject}", date, *named, *header, "") + body


def _work(scene: Scene) -> str:
    return f"{scene.owner.prefix}Work"


def _job(scene: Scene) -> str:
    return f"{scene.owner.prefix}Größe & Co"


async def _new_mail(scene: Scene) -> None:
    for number in range(8):
        scene.owner.append("INBOX", _letter(f"Letter {number}"))
    scene.owner.create(_work(scene))
    for number in (8, 9):
        scene.owner.append(_work(scene), _letter(f"Letter {number}"))
    assert (await scene.quiet()).stored == 10
    assert [scene.lies_in(f"Letter {number}") for number in (0, 9)] == [{"INBOX"}, {_work(scene)}]


async def _flags_of_both_sides(scene: Scene) -> None:
    scene.owner.flag("INBOX", scene.uids("INBOX", "Letter 1"), ["\\Flagged", *scene.owner.keywords])
    async with scene.tx() as tx:
        ours = [scene.one(subject)["id"] for subject in ("Letter 1", "Letter 2")]
        await intents.mark(tx, ours, add=["\\Seen"])
    marked = [
        uid for subject in ("Letter 1", "Letter 2") for uids in scene.places(subject).values() for uid in uids
    ]
    assert (await scene.quiet()).pushed == len(marked)
    words = {uid: words for uid, (_, words) in scene.there()["INBOX"].items()}
    first, second = scene.uids("INBOX", "Letter 1", "Letter 2")
    assert words[first] == {"\\Seen", "\\Flagged", *scene.owner.keywords}
    assert words[second] == {"\\Seen"}


async def _expunged_while_nobody_looks(scene: Scene) -> None:
    scene.owner.expunge("INBOX", scene.uids("INBOX", "Letter 3", "Letter 4"))
    assert (await scene.quiet()).vanished == 2
    assert scene.lies_in("Letter 3") == set()


async def _moved_on_the_server(scene: Scene) -> None:
    before = scene.living()
    scene.owner.move("INBOX", scene.uids("INBOX", "Letter 5"), _work(scene))
    assert (await scene.quiet()).stored == 0
    assert scene.lies_in("Letter 5") == {_work(scene)}
    assert scene.living() == before


async def _a_folder_gets_another_name(scene: Scene) -> None:
    before = scene.living()
    scene.owner.rename(_work(scene), _job(scene))
    assert (await scene.quiet()).stored == 0
    assert scene.lies_in("Letter 5") == {_job(scene)}
    assert scene.living() == before


async def _a_folder_is_numbered_anew(scene: Scene) -> None:
    before = scene.living()
    scene.owner.renumber(_job(scene))
    assert (await scene.quiet()).stored == 0
    assert [scene.lies_in(f"Letter {number}") for number in (5, 8, 9)] == [{_job(scene)}] * 3
    assert scene.living() == before


async def _the_same_mail_in_two_folders(scene: Scene) -> None:
    """Copied there, and delivered to both."""
    before = scene.living()
    scene.owner.copy("INBOX", scene.uids("INBOX", "Letter 6"), _job(scene))
    assert (await scene.quiet()).stored == 0
    assert scene.living() == before
    twice = _letter("Twice")
    for folder in ("INBOX", _job(scene)):
        scene.owner.append(folder, twice)
    assert (await scene.quiet()).stored == 1
    assert scene.lies_in("Letter 6") == scene.lies_in("Twice") == {"INBOX", _job(scene)}
    assert scene.one("Twice")["id"] not in before


async def _mail_without_a_message_id(scene: Scene) -> None:
    """There is nothing to know it by but its bytes, wherever it goes."""
    for subject in ("Nameless 1", "Nameless 2"):
        scene.owner.append("INBOX", _letter(subject, is_named=False))
    assert (await scene.quiet()).stored == 2
    before = scene.living()
    scene.owner.move("INBOX", scene.uids("INBOX", "Nameless 1"), _job(scene))
    assert (await scene.quiet()).stored == 0
    scene.owner.renumber(_job(scene))
    assert (await scene.quiet()).stored == 0
    assert (scene.lies_in("Nameless 1"), scene.lies_in("Nameless 2")) == ({_job(scene)}, {"INBOX"})
    assert scene.living() == before


async def _a_part_of_ten_megabytes(scene: Scene) -> None:
    data = Random(10).randbytes(LARGE_BYTES)
    attached = part(
        "application/octet-stream", encodebytes(data).replace(b"\n", b"\r\n"), "Content-Transfer-Encoding: base64",
        "Content-Disposition: attachment; filename=large.bin",
    )  # fmt: skip
    letter = multipart(
        "mixed", part("text/plain", "See the file."), attached, header=(f"From: {BOB}", "Subject: Large")
    )
    scene.owner.append("INBOX", letter)
    assert (await scene.quiet()).stored == 1
    with scene.store.connect("postgres") as connection:
        rows = connection.execute(
            b"select filename, size_bytes, content_hash from email_attachments"
            b" where tenant_id = %s and message_id = %s",
            [scene.tenant_id, scene.one("Large")["id"]],
        ).fetchall()
    assert rows == [("large.bin", LARGE_BYTES, hashlib.sha256(data).hexdigest())]
    scene.owner.expunge("INBOX", scene.uids("INBOX", "Large"))  # the other steps need not carry it along
    for folder in set(scene.places("Large")) - {"INBOX"}:
        scene.owner.expunge(folder, scene.uids(folder, "Large"))
    assert (await scene.quiet()).stored == 0


async def _eight_bits_in_the_header(scene: Scene) -> None:
    for charset, subject in (("utf-8", "Größe aus Köln"), ("latin-1", "Ein süßer Gruß")):
        scene.owner.append(
            "INBOX",
            _letter("first", b"Subject: " + subject.encode(charset)).replace(b"Subject: first\r\n", b""),
        )
    assert (await scene.quiet()).stored == 2
    assert scene.lies_in("Größe aus Köln") == scene.lies_in("Ein süßer Gruß") == {"INBOX"}


async def _the_connection_drops_in_a_literal(scene: Scene) -> None:
    for subject in ("Long 1", "Long 2", "Long 3"):
        scene.owner.append("INBOX", _letter(subject, body=b"a line of the letter\r\n" * 10_000))
    scene.wire.break_in_literal(of_at_least=200_000, after=70_000)
    assert (await scene.quiet()).stored == 3
    assert scene.wire.was_broken


async def _a_draft_of_another_program(scene: Scene) -> None:
    """Written, and written again, as mail programs do it: the next version comes, the last one goes."""
    folder, draft = scene.owner.drafts, _letter("Not finished")
    scene.owner.append(folder, draft, ["\\Draft", "\\Seen"])
    assert (await scene.quiet()).stored == 1
    (first,) = scene.uids(folder, "Not finished")
    assert scene.one("Not finished")["is_draft"]
    scene.owner.append(folder, draft + b"More\r\n", ["\\Draft", "\\Seen"])
    scene.owner.expunge(folder, [first])
    tally = await scene.quiet()
    assert (tally.stored, tally.vanished) == (1, 1)
    assert len(scene.uids(folder, "Not finished")) == 1


async def _a_draft_of_ours_is_sent(scene: Scene) -> dict[str, Any]:
    letter = Letter(
        from_=Address(address=EMAIL), to=(Address(address=BOB),), subject="The plan", text="Soon."
    )
    account_id = scene.account.id
    async with scene.tx() as tx:
        stamp = stamp_for(EMAIL, uuid4(), now())
        draft_id = await save_draft(tx, scene.blobs, account_id, letter, stamp)
    await scene.quiet()
    letter = replace(letter, text="At noon.")
    async with scene.tx() as tx:
        version = (await drafts.get(tx, draft_id))["version"]
        stamp = stamp_for(EMAIL, uuid4(), now())
        await save_draft(tx, scene.blobs, account_id, letter, stamp, replaces=(draft_id, version))
    async with scene.tx() as tx:
        row = await drafts.get(tx, draft_id)
        stamp = stamp_for(EMAIL, uuid4(), now())
        outbox_id = await post_draft(tx, scene.blobs, row, letter, stamp, not_before=0)
    await scene.go_out()
    await scene.quiet()
    _is_sent(scene, await scene.outbox_row(outbox_id), "The plan")
    assert b"At noon." in scene.taken()[-1].raw
    return scene.one("The plan")


def _is_sent(scene: Scene, row: dict[str, Any], subject: str) -> None:
    """Once to the server of SMTP, once in the Sent folder, and these are the same bytes."""
    taken, here = scene.taken()[-1], scene.one(subject)
    assert row["state"] == "done"
    assert parse(taken.raw).message_id == row["message_id"] == here["message_id_header"]
    assert [parse(each.raw).message_id for each in scene.taken()].count(row["message_id"]) == 1
    assert bytes(here["content_hash"]) == hashlib.sha256(taken.raw).digest()
    assert scene.lies_in(subject) == {scene.owner.sent}
    assert len(scene.uids(scene.owner.sent, subject)) == 1


async def _a_reply_is_answered(scene: Scene, sent: dict[str, Any]) -> Any:
    """All three are one thread."""
    raw = _letter("Re: The plan", f"In-Reply-To: <{sent['message_id_header']}>")
    scene.owner.append("INBOX", raw)
    assert (await scene.quiet()).stored == 1
    assert scene.one("Re: The plan")["thread_id"] == sent["thread_id"]
    letter = reply(parse(raw), from_=Address(address=EMAIL), text="Then at one.")
    outbox_id = await scene.send(replace(letter, subject="Re: The plan, at one"))
    await scene.quiet()
    _is_sent(scene, await scene.outbox_row(outbox_id), "Re: The plan, at one")
    assert scene.taken()[-1].recipients == (BOB,)
    earlier = (sent["message_id_header"], parse(raw).message_id)
    assert parse(scene.taken()[-1].raw).references == earlier
    assert scene.one("Re: The plan, at one")["thread_id"] == sent["thread_id"]
    return outbox_id


async def _a_bounce_comes_home(scene: Scene, outbox_id: Any) -> None:
    """RFC 3464, with the header of what came back."""
    row = await scene.outbox_row(outbox_id)
    status = ["Reporting-MTA: dns; mx.example.test", "", f"Final-Recipient: rfc822; {BOB}", "Action: failed"]
    status += ["Status: 5.1.1", "Diagnostic-Code: smtp; 550 No such user"]
    report = multipart(
        "report; report-type=delivery-status",
        part("text/plain", "It could not be delivered."),
        part("message/delivery-status", "\r\n".join(status)),
        part("text/rfc822-headers", f"Message-ID: <{row['message_id']}>\r\n"),
        header=("From: MAILER-DAEMON@example.test", "Subject: Undelivered mail"),
    )
    scene.owner.append("INBOX", report)
    assert (await scene.quiet()).stored == 1
    async with scene.tx() as tx:
        found = await sends.recipients_of(tx, outbox_id)
    assert [(each["address"], each["report"], each["report_text"]) for each in found] == [
        (BOB, "failed", "550 No such user")
    ]
