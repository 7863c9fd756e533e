"""The SMTP simulator itself: smtplib finds in it what a server of its kind has."""

from __future__ import annotations

import smtplib
import ssl
from dataclasses import replace
from pathlib import Path

import pytest

from postroom.testing import (
    DOVECOT,
    EXCHANGE,
    GMAIL,
    LIAR,
    PERSONALITIES,
    Fault,
    ImapServer,
    Personality,
    Script,
    SmtpServer,
)
from tests.support.dovecot import make_certificate

LETTER = b"Subject: One\r\n\r\n.dot\r\n..two\r\n.\r\nlast\r\n"


def _client(server: SmtpServer) -> smtplib.SMTP:
    return smtplib.SMTP("127.0.0.1", server.port, timeout=10)


@pytest.mark.parametrize("personality", PERSONALITIES, ids=lambda each: each.name)
def test_what_is_given_is_taken_byte_for_byte(personality: Personality) -> None:
    with SmtpServer(personality) as server, _client(server) as client:
        client.ehlo()
        assert set(client.esmtp_features) == {each.split()[0].lower() for each in personality.smtp}
        for number in range(2):
            client.sendmail(
                "a@example.test", ["b@example.test", "c@example.test"], LETTER + b"%d\r\n" % number
            )
        first, second = server.taken
        assert (first.sender, first.recipients) == ("a@example.test", ("b@example.test", "c@example.test"))
        assert [first.raw, second.raw] == [LETTER + b"0\r\n", LETTER + b"1\r\n"]


def test_who_has_to_sign_in_and_does_not_sends_nothing() -> None:
    with SmtpServer(DOVECOT) as server:
        server.needs_sign_in = True
        with _client(server) as client, pytest.raises(smtplib.SMTPSenderRefused, match="Sign in first"):
            client.sendmail("a@example.test", ["b@example.test"], LETTER)
        with _client(server) as client:
            with pytest.raises(smtplib.SMTPAuthenticationError):
                client.login("me", "wrong")
            client.login("me", "secret")
            client.sendmail("a@example.test", ["b@example.test"], LETTER)
        assert len(server.taken) == 1
        assert not any("secret" in each for each in server.commands)


def test_starttls_is_offered_where_there_is_a_certificate(tmp_path: Path) -> None:
    make_certificate(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    with SmtpServer(tls=context) as server, smtplib.SMTP("localhost", server.port, timeout=10) as client:
        client.starttls(context=ssl.create_default_context(cafile=str(tmp_path / "cert.pem")))
        client.sendmail("a@example.test", ["b@example.test"], LETTER)
        assert not client.has_extn("starttls")
        assert len(server.taken) == 1


def test_what_is_larger_than_its_personality_takes_is_refused_before_and_behind() -> None:
    with SmtpServer(replace(DOVECOT, smtp=("SIZE 20",))) as server, _client(server) as client:
        with pytest.raises(smtplib.SMTPSenderRefused, match="too large"):
            client.sendmail("a@example.test", ["b@example.test"], LETTER)
        client.ehlo()
        client.mail("a@example.test")
        client.rcpt("b@example.test")
        assert client.data(LETTER)[0] == 552
        assert not server.taken


def test_what_a_server_does_not_offer_it_refuses() -> None:
    with SmtpServer(LIAR) as server, _client(server) as client:
        client.ehlo()
        assert client.docmd("MAIL", "FROM:<a@example.test> SIZE=10")[0] == 555
        assert client.docmd("RCPT", "TO:<a@example.test>")[0] == 503
        assert client.docmd("MAIL", "FROM:a@example.test")[0] == 501
        assert client.docmd("BDAT", "10 LAST")[0] == 500
        assert client.docmd("DATA")[0] == 554


@pytest.mark.parametrize(("personality", "kept"), [(GMAIL, 1), (EXCHANGE, 1), (DOVECOT, 0)])
def test_some_put_what_was_sent_into_the_sent_folder_by_themselves(
    personality: Personality, kept: int
) -> None:
    with ImapServer(personality) as imap, SmtpServer(personality, mailbox=imap.mailbox) as server:
        with _client(server) as client:
            client.sendmail("a@example.test", ["b@example.test"], LETTER)
        assert len(imap.mailbox.folder(personality.sent).entries) == kept


def test_the_script_is_played() -> None:
    with SmtpServer() as server:
        server.script = Script(
            [
                Fault(kind="throttle", command="MAIL"),
                Fault(kind="refuse", command="RCPT", nth=2),
                Fault(kind="lose", command="."),
                Fault(kind="cut", command=".", nth=2),
                Fault(kind="drop", command="DATA", nth=3, after=10),
                Fault(kind="bye", command="CONNECT", nth=4),
            ]
        )
        with _client(server) as client:
            with pytest.raises(smtplib.SMTPSenderRefused, match="5 minutes"):
                client.sendmail("a@example.test", ["b@example.test"], LETTER)
            refused = client.sendmail("a@example.test", ["b@example.test", "c@example.test"], LETTER)
            assert list(refused) == ["c@example.test"]
            assert not server.taken  # it said yes
            with pytest.raises(smtplib.SMTPServerDisconnected):
                client.sendmail("a@example.test", ["b@example.test"], LETTER)
            assert len(server.taken) == 1
        with _client(server) as client, pytest.raises(smtplib.SMTPServerDisconnected):
            client.sendmail("a@example.test", ["b@example.test"], LETTER * 100_000)
        assert len(server.taken) == 1
        with _client(server) as client:
            client.sendmail("a@example.test", ["b@example.test"], LETTER)
        with pytest.raises(smtplib.SMTPConnectError, match="going down"):
            _client(server)
        assert not server.script.left
