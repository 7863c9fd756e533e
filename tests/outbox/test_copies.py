"""What was sent lies in the Sent folder once, whatever happens in between; what nobody knew is found there."""

from __future__ import annotations

import imaplib

import pytest

from postroom.model import OutboxId
from postroom.outbox import copies
from postroom.store import accounts, credentials, senders, sends
from postroom.sync.account import AccountSync
from postroom.wire.imap import ImapSource
from postroom.wire.imap_append import ImapAppender
from postroom.wire.sasl import Password
from tests.outbox.desk import MASTER, Desk
from tests.outbox.test_run import _half_sent
from tests.support.dovecot import Dovecot
from tests.support.smtp import SmtpServer

pytestmark = pytest.mark.anyio


@pytest.fixture
async def mailbox(desk: Desk, dovecot: Dovecot) -> Dovecot:
    """The account's own server, and copies wanted."""
    await _connect(desk, dovecot.imap_port)
    await desk.send_by(sent_copy="append")
    return dovecot


async def _connect(desk: Desk, port: int) -> None:
    async with desk.db.tenant(desk.tenant_id) as tx:
        credential_id = await credentials.put_password(tx, desk.account.id, "alice-pw", MASTER)
        await accounts.connect(
            tx, desk.account.id, protocol="imap", hostname="127.0.0.1", port=port, encryption="none",
            username="alice", credential_id=credential_id,
        )  # fmt: skip


def _in(dovecot: Dovecot, folder: str) -> list[bytes]:
    with dovecot.imap("alice") as client:
        client.select(folder, readonly=True)
        _, found = client.uid("FETCH", "1:*", "(BODY.PEEK[])")
        return [each[1] for each in found if isinstance(each, tuple)]


async def _sync(desk: Desk, dovecot: Dovecot) -> None:
    async with desk.db.tenant(desk.tenant_id) as tx:
        account = await accounts.by_email(tx, desk.account.email_address)
    with ImapSource(
        host="127.0.0.1", port=dovecot.imap_port, encryption="none", username="alice", password="alice-pw"
    ) as source:
        await AccountSync(desk.db, desk.blobs, desk.settings, desk.tenant_id, account, source).run()


async def test_a_copy_is_byte_for_byte_what_was_sent(desk: Desk, smtp: SmtpServer, mailbox: Dovecot) -> None:
    outbox_id = await desk.write("Grüße")
    tally = await desk.run()
    row = await desk.row(outbox_id)
    assert (tally.sent, tally.copied, row["copy_state"]) == (1, 1, "made")
    assert _in(mailbox, "Sent") == [smtp.received[0].raw]
    with mailbox.imap("alice") as client:
        client.select("Sent", readonly=True)
        validity = int(client.response("UIDVALIDITY")[1][0])
        _, flags = client.uid("FETCH", "1:*", "(FLAGS)")
    assert (row["copy_uidvalidity"], row["copy_uid"]) == (validity, 1)
    assert b"\\Seen" in flags[0]
    await desk.run()
    assert len(_in(mailbox, "Sent")) == 1


async def test_no_copy_where_the_server_keeps_one(desk: Desk, mailbox: Dovecot) -> None:
    await desk.send_by(sent_copy="server")
    outbox_id = await desk.write()
    await desk.run()
    assert ((await desk.row(outbox_id))["copy_state"], _in(mailbox, "Sent")) == ("none", [])


async def test_a_worker_killed_after_append_makes_no_second_copy(
    desk: Desk, smtp: SmtpServer, mailbox: Dovecot, monkeypatch: pytest.MonkeyPatch
) -> None:
    outbox_id = await desk.write()

    async def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(copies.sends, "copied", killed)
        with pytest.raises(KeyboardInterrupt):
            await desk.run()
    assert len(_in(mailbox, "Sent")) == 1
    assert (await desk.row(outbox_id))["copy_state"] == "wanted"
    await desk.run()
    assert (await desk.row(outbox_id))["copy_state"] == "wanted"  # its worker may be alive
    desk.later()
    await desk.run()
    row = await desk.row(outbox_id)
    assert (row["copy_state"], row["copy_uid"], len(_in(mailbox, "Sent"))) == ("made", 1, 1)


async def test_a_server_that_is_away_gets_the_copy_later_and_the_message_only_once(
    desk: Desk, smtp: SmtpServer, mailbox: Dovecot
) -> None:
    outbox_id = await desk.write()
    await _connect(desk, 1)
    tally = await desk.run()
    assert (tally.sent, tally.copied) == (1, 0)
    assert "The message was sent; its copy is not in the Sent folder yet." in tally.problems[0]
    await _connect(desk, mailbox.imap_port)
    desk.later()
    await desk.run()
    assert ((await desk.row(outbox_id))["copy_state"], len(_in(mailbox, "Sent"))) == ("made", 1)
    assert len(smtp.received) == 1


async def test_an_account_without_a_mailbox_has_no_copies(desk: Desk, smtp: SmtpServer) -> None:
    await desk.send_by(sent_copy="append")
    outbox_id = await desk.write()
    await desk.run()
    row = await desk.row(outbox_id)
    assert (row["state"], row["copy_state"], row["copy_error"]) == (
        "done",
        "failed",
        "the account has no IMAP server",
    )


async def test_what_nobody_knew_is_settled_by_the_sent_folder_after_a_sync(
    desk: Desk, smtp: SmtpServer, mailbox: Dovecot
) -> None:
    """As with a server that keeps its own copies."""
    found, missing = await _half_sent(desk), await _half_sent(desk)
    desk.later(61)
    await desk.run()
    assert {await desk.state(found), await desk.state(missing)} == {"unknown"}
    await _append(desk, mailbox, "Sent", found)
    await _append(desk, mailbox, "Drafts", missing)
    await _sync(desk, mailbox)
    await desk.run()
    assert (await desk.state(found), await desk.state(missing)) == ("done", "unknown")
    assert await desk.recipients(found) == {"bob@example.com": "accepted"}
    assert smtp.received == []
    assert len(_in(mailbox, "Sent")) == 1


async def test_a_folder_that_is_not_there_is_named(mailbox: Dovecot) -> None:
    from postroom.errors import SourceError

    with ImapAppender(
        host="127.0.0.1",
        port=mailbox.imap_port,
        encryption="none",
        who=Password(username="alice", password="alice-pw"),
    ) as appender:
        with pytest.raises(SourceError, match="no folder for custom"):
            appender.folder("custom")
        assert appender.find(appender.folder("sent"), "nothing@x") is None


async def _append(desk: Desk, dovecot: Dovecot, folder: str, outbox_id: OutboxId) -> None:
    async with desk.db.tenant(desk.tenant_id) as tx:
        raw = await desk.blobs.read_all(tx, bytes((await sends.get(tx, outbox_id))["raw_blob"]))
    with dovecot.imap("alice") as client:
        client.append(folder, "", imaplib.Time2Internaldate(1_700_000_000), raw)


@pytest.mark.parametrize(
    ("hostname", "who"),
    [
        ("smtp.gmail.com", "server"),
        ("SMTP.Office365.com", "server"),
        ("outlook.com", "server"),
        ("mail.notgmail.com", "append"),
        ("gmail.com.example.org", "append"),
    ],
)
def test_who_keeps_the_copy_follows_from_the_server_where_nobody_says_it(hostname: str, who: str) -> None:
    assert senders.copy_of(hostname) == who
