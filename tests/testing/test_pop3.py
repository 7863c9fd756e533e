"""The POP3 simulator itself: poplib finds in it what a server of its kind has."""

from __future__ import annotations

import poplib
import ssl
from pathlib import Path

import pytest

from postroom.testing import (
    DOVECOT,
    GMAIL,
    LIAR,
    PERSONALITIES,
    Fault,
    ImapServer,
    Personality,
    Pop3Server,
    Script,
)
from tests.support.dovecot import make_certificate

LETTER = b"Subject: One\r\n\r\n.dot\r\nsecond\r\n.\r\nlast\r\n"


def _client(server: Pop3Server, *, password: str = "secret") -> poplib.POP3:
    made = poplib.POP3("127.0.0.1", server.port, timeout=10)
    try:
        made.user(server.username)
        made.pass_(password)
    except poplib.error_proto:
        made.close()
        raise
    return made


def _text(answer: tuple[bytes, list[bytes], int]) -> bytes:
    return b"".join(line + b"\r\n" for line in answer[1])


@pytest.mark.parametrize("personality", PERSONALITIES, ids=lambda each: each.name)
def test_what_lies_in_the_inbox_is_listed_read_and_deleted_at_quit(personality: Personality) -> None:
    with Pop3Server(personality) as server:
        for number in range(3):
            server.mailbox.append("INBOX", LETTER + b"%d\r\n" % number)
        client = _client(server)
        assert client.stat()[0] == 3
        assert len({line.split()[1] for line in client.uidl()[1]}) == 3
        assert _text(client.retr(2)) == LETTER + b"1\r\n"
        assert _text(client.top(2, 1)) == b"Subject: One\r\n\r\n.dot\r\n"
        assert {each.split()[0] for each in personality.pop3} == set(client.capa())
        client.dele(1)
        with pytest.raises(poplib.error_proto, match="no such message"):
            client.retr(1)
        client.rset()
        client.dele(3)
        assert len(server.mailbox.folder("INBOX").entries) == 3
        client.quit()
        assert list(server.mailbox.folder("INBOX").entries) == [1, 2]


def test_who_does_not_know_the_password_reads_nothing() -> None:
    with Pop3Server() as server:
        with pytest.raises(poplib.error_proto, match="Invalid credentials"):
            _client(server, password="wrong")
        client = poplib.POP3("127.0.0.1", server.port, timeout=10)
        with pytest.raises(poplib.error_proto):
            client.stat()
        client.close()
        assert server.commands == ["USER me", "PASS", "STAT"]


def test_stls_is_offered_where_there_is_a_certificate(tmp_path: Path) -> None:
    make_certificate(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    with Pop3Server(tls=context) as server:
        server.mailbox.append("INBOX", LETTER)
        client = poplib.POP3("localhost", server.port, timeout=10)
        assert "STLS" in client.capa()
        client.stls(ssl.create_default_context(cafile=str(tmp_path / "cert.pem")))
        assert "STLS" not in client.capa()
        client.user("me")
        client.pass_("secret")
        assert _text(client.retr(1)) == LETTER
        client.quit()


def test_a_liar_says_other_sizes_and_gives_the_same_text() -> None:
    with Pop3Server(LIAR) as server:
        server.mailbox.append("INBOX", LETTER)
        client = _client(server)
        assert client.stat()[1] != len(LETTER)
        assert _text(client.retr(1)) == LETTER
        client.quit()


def test_one_mailbox_is_seen_by_both_protocols_and_its_names_change_with_its_numbers() -> None:
    with ImapServer(DOVECOT) as imap, Pop3Server(DOVECOT, mailbox=imap.mailbox) as server:
        imap.mailbox.append("INBOX", LETTER)
        first = server.uidl(1)
        imap.mailbox.renumber("INBOX")
        assert server.uidl(1) != first
        server.names[1] = "mine"
        client = _client(server)
        assert client.uidl()[1] == [b"1 mine"]
        client.quit()


def test_the_script_is_played() -> None:
    with Pop3Server(GMAIL) as server:
        for number in range(3):
            server.mailbox.append("INBOX", LETTER + b"%d\r\n" % number)
        server.script = Script(
            [
                Fault(kind="busy", command="LIST"),
                Fault(kind="throttle", command="STAT"),
                Fault(kind="vanish", command="RETR", after=1),
                Fault(kind="twice", command="UIDL"),
                Fault(kind="cut", command="TOP", after=7),
            ]
        )
        client = _client(server)
        with pytest.raises(poplib.error_proto, match=r"\[IN-USE\]"):
            client.list()
        with pytest.raises(poplib.error_proto, match=r"\[SYS/TEMP\] .* 5 minutes"):
            client.stat()
        with pytest.raises(poplib.error_proto, match="gone"):
            client.retr(2)
        assert len(client.uidl()[1]) == 6
        with pytest.raises(poplib.error_proto):
            client.top(1, 0)
        assert not server.script.left
        client.close()
