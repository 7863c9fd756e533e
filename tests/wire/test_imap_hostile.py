"""Servers that break the rules: nothing is lost, nothing is believed, and each ends in one sentence."""

from __future__ import annotations

import base64
import re
import tracemalloc
from collections.abc import Callable

import pytest

from postroom.errors import (
    ConnectionDropped,
    ConnectionFailed,
    ConnectionStalled,
    ServerMisbehaved,
    SignInRefused,
    SourceError,
)
from postroom.model import RawMessage, SourceFolder, Unreadable
from postroom.wire.imap import ImapSource
from postroom.wire.imap_write import MailboxWriter, Numbers
from tests.support.hostile_imap import HostileImap, Trick

INBOX = SourceFolder(name="INBOX", type="inbox", wire_name="INBOX")
MAIL = {uid: b"Subject: %d\r\n\r\n%s\r\n" % (uid, b"text " * uid) for uid in range(1, 21)}


def source(server: HostileImap, **changes) -> ImapSource:
    arguments = {
        "host": "127.0.0.1",
        "port": server.port,
        "encryption": "none",
        "username": "alice",
        "password": "correct horse",
        "timeout_seconds": 5,
    }
    return ImapSource(**{**arguments, **changes})


def read(server: HostileImap, **changes) -> dict[int, RawMessage | Unreadable]:
    with source(server, **changes) as imap:
        return {one.uid: one for one in imap.messages(INBOX)}


# One bad message among good ones


@pytest.mark.parametrize(
    ("trick", "reason"),
    [
        ("longer", "garbled|where a reply was due"),
        ("shorter", "garbled|where a reply was due"),
        ("garbage", "502 Bad Gateway"),
        ("huge", "literal of 10000000000 bytes"),
        ("refuse", "message is damaged"),
        ("late", "Some messages could not be read"),
        ("nil", "does not give its text"),
        ("silent", "does not give its text"),
        ("cut", "closed the connection in the middle of a literal"),
    ],
)
@pytest.mark.parametrize("uid", [1, 7, 20])
def test_one_bad_message_costs_only_itself(trick: Trick, reason: str, uid: int):
    with HostileImap(MAIL, tricks={uid: trick}) as server:
        found = read(server)
    bad = found.pop(uid)
    assert isinstance(bad, Unreadable)
    assert bad.where == f"127.0.0.1 INBOX, UID {uid}"
    assert re.search(reason, bad.reason)
    assert {one: message.body for one, message in found.items()} == {
        one: body for one, body in server.messages.items() if one != uid
    }


def test_several_bad_messages_are_each_found():
    tricks: dict[int, Trick] = {3: "garbage", 4: "refuse", 11: "huge", 12: "nil", 19: "longer"}
    with HostileImap(MAIL, tricks=tricks) as server:
        found = read(server)
    assert {uid for uid, one in found.items() if isinstance(one, Unreadable)} == set(tricks)
    assert list(found) == list(MAIL)


def test_a_server_that_only_talks_garbage_is_given_up():
    with HostileImap(MAIL, tricks=dict.fromkeys(MAIL, "garbage")) as server:
        with pytest.raises(ServerMisbehaved, match="502 Bad Gateway"):
            read(server)
        assert server.connections < 30


def test_a_huge_literal_is_never_allocated():
    with HostileImap(MAIL, tricks={1: "huge"}) as server:
        tracemalloc.start()
        try:
            read(server)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert peak < 20_000_000


# The connection ends or stops


def test_a_message_at_which_the_server_falls_silent_costs_only_itself_and_gives_what_came_of_it():
    with HostileImap(MAIL, tricks={10: "stall"}) as server:
        found = read(server, timeout_seconds=0.5)
        bad = found.pop(10)
        assert isinstance(bad, Unreadable)
        assert bad.reason == "no answer for 0.5 seconds"
        assert bad.body == MAIL[10][: len(MAIL[10]) // 2]
        assert {uid: one.body for uid, one in found.items()} == {
            uid: body for uid, body in MAIL.items() if uid != 10
        }
        fetched = [command for command in server.commands if "BODY.PEEK[]" in command]
        assert len(fetched) == 3  # all, the others without it, and it alone


def test_a_server_that_falls_silent_at_every_message_is_given_up():
    with HostileImap(MAIL, tricks=dict.fromkeys(MAIL, "stall")) as server:
        with pytest.raises(ConnectionStalled, match=r"fell silent: no answer for 0\.2 seconds"):
            read(server, timeout_seconds=0.2)
        assert server.connections < 10


def test_a_connection_that_ends_in_a_message_keeps_what_came_before_and_goes_on_next_time():
    reason = "the server ended the connection: Too much, come back tomorrow"
    with (
        HostileImap(MAIL, tricks={10: "bye"}) as server,
        source(server, batch_messages=3, timeout_seconds=0.5) as imap,
    ):
        found: list[RawMessage | Unreadable] = []
        with pytest.raises(ConnectionFailed, match=reason):
            found.extend(imap.messages(INBOX))
        assert [one.uid for one in found] == [*range(1, 10)]
        server.tricks.clear()
        found.extend(imap.messages(INBOX, range(10, 21)))
    assert {one.uid: one.body for one in found if isinstance(one, RawMessage)} == MAIL


def test_a_server_that_drops_every_connection_is_given_up():
    with HostileImap(MAIL, tricks=dict.fromkeys(MAIL, "cut")) as server:
        with pytest.raises(ConnectionDropped, match="went away: the server closed the connection"):
            read(server)
        assert server.connections < 20


@pytest.mark.parametrize(
    ("greeting", "error", "reason"),
    [
        (b"* BYE Server is full.\r\n", ConnectionFailed, "Server is full"),
        (b"220 mail.example.test ESMTP\r\n", ServerMisbehaved, "no IMAP greeting"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", ServerMisbehaved, "no IMAP greeting"),
        (b"", ConnectionFailed, "no answer"),
        (b"* PREAUTH welcome, whoever you are\r\n", ServerMisbehaved, "before we said who we are"),
        (b"x" * 17_000_000, ServerMisbehaved, "a line of more than"),
    ],
)
def test_a_strange_greeting_ends_with_its_own_sentence(
    greeting: bytes, error: type[SourceError], reason: str
):
    with HostileImap() as server:
        server.greeting = greeting
        with pytest.raises(error, match=reason):
            source(server, timeout_seconds=0.5).__enter__()
        assert server.commands == []


@pytest.mark.parametrize(
    "command", ["LIST", "EXAMINE", "UID FETCH 1:20 (FLAGS)", "UID FETCH 1:20 (RFC822.SIZE)"]
)
@pytest.mark.parametrize(
    "answer", [b"", b"\x00\x01\x02\r\n", b"* LIST (\r\n{tag} OK x\r\n", b"* 1 FETCH (\r\n{tag} OK\r\n"]
)
def test_garbage_anywhere_is_an_error_of_the_source(command: str, answer: bytes):
    with HostileImap(MAIL) as server, source(server, timeout_seconds=1) as imap:
        server.answers[command] = answer
        outcome = _outcome(imap)
    assert outcome == list(MAIL) or "127.0.0.1" in str(outcome)


def _outcome(imap: ImapSource) -> list[int] | SourceError:
    try:
        return [one.uid for folder in imap.folders() for one in imap.messages(folder)]
    except SourceError as error:
        return error


# Sign-in and STARTTLS


def test_starttls_that_is_not_offered_is_never_given_up_in_silence():
    with HostileImap() as server:
        with pytest.raises(SourceError, match="does not offer STARTTLS"):
            source(server, encryption="starttls").__enter__()
        assert server.commands == ["CAPABILITY"]


def test_starttls_that_is_refused_sends_no_password():
    with HostileImap() as server:
        server.capabilities += " STARTTLS"
        server.answers["STARTTLS"] = b"{tag} NO not today\r\n"
        with pytest.raises(SourceError, match=r"refused STARTTLS .not today"):
            source(server, encryption="starttls").__enter__()
        assert server.commands == ["CAPABILITY", "STARTTLS"]


def test_what_is_slipped_in_before_tls_is_not_believed():
    with HostileImap() as server:
        server.capabilities += " STARTTLS"
        server.answers["STARTTLS"] = b"{tag} OK go\r\n* OK [CAPABILITY IMAP4rev1 LOGIN] evil\r\n"
        with pytest.raises(ServerMisbehaved, match="before TLS began"):
            source(server, encryption="starttls").__enter__()
        assert server.commands == ["CAPABILITY", "STARTTLS"]


def test_preauth_does_not_keep_us_from_tls():
    with HostileImap() as server:
        server.greeting = b"* PREAUTH [CAPABILITY IMAP4rev1 STARTTLS] hi\r\n"
        with pytest.raises(SourceError, match="does not offer STARTTLS"):
            source(server, encryption="starttls").__enter__()
        assert server.commands == []


def test_a_server_that_takes_no_password_gets_none():
    with HostileImap() as server:
        server.capabilities = "IMAP4rev1 LOGINDISABLED AUTH=XOAUTH2"
        with pytest.raises(SignInRefused, match="LOGINDISABLED"):
            source(server).__enter__()
        assert server.commands == ["CAPABILITY"]


def test_plain_is_used_where_login_is_disabled():
    with HostileImap() as server:
        server.capabilities = "IMAP4rev1 LOGINDISABLED AUTH=PLAIN SASL-IR"
        with source(server):
            pass
        assert (
            server.commands[1] == "AUTHENTICATE PLAIN " + base64.b64encode(b"\0alice\0correct horse").decode()
        )


def test_a_passing_trouble_is_not_taken_for_a_wrong_password():
    with HostileImap() as server:
        server.answers["AUTHENTICATE"] = b"{tag} NO [UNAVAILABLE] Directory is down.\r\n"
        with pytest.raises(ConnectionFailed, match="Directory is down"):
            source(server).__enter__()


def test_capabilities_are_asked_again_after_sign_in():
    with HostileImap() as server, source(server):
        assert [line.split()[0] for line in server.commands] == ["CAPABILITY", "AUTHENTICATE", "CAPABILITY"]


# Renumbering and vanishing


def test_a_folder_renumbered_between_two_looks_is_not_read_with_the_old_numbers():
    with HostileImap(MAIL) as server, source(server) as imap:
        assert imap.state(INBOX).uidvalidity == 1
        server.answers["UID FETCH"] = lambda _: _renumber(server)
        with pytest.raises(ServerMisbehaved, match=r"renumbered meanwhile \(UIDVALIDITY 1, now 2\)"):
            list(imap.messages(INBOX, list(MAIL)))
        with pytest.raises(ServerMisbehaved, match="renumbered"):
            list(imap.messages(INBOX, list(MAIL)))
        assert imap.state(INBOX).uidvalidity == 2
        assert len(list(imap.messages(INBOX, list(MAIL)))) == 20


def _renumber(server: HostileImap) -> bytes:
    server.answers.clear()
    server.uidvalidity = 2
    return b"garbage\r\n"


def test_messages_that_vanish_while_they_are_read_are_left_out():
    def vanish(_: str) -> bytes:
        server.answers.clear()
        del server.messages[7]
        return b"* 7 EXPUNGE\r\n* 19 EXISTS\r\n{tag} OK done\r\n"

    with HostileImap(MAIL) as server, source(server) as imap:
        imap.state(INBOX)
        server.answers["UID FETCH"] = vanish
        found = [one.uid for one in imap.messages(INBOX, list(MAIL))]
    assert found == [uid for uid in MAIL if uid != 7]


def test_a_message_that_fetch_passes_over_is_found_by_search():
    replies = b"".join(b"* %d FETCH (FLAGS () UID %d)\r\n" % (uid, uid) for uid in MAIL if uid != 13)
    with HostileImap(MAIL) as server, source(server) as imap:
        server.answers["UID FETCH 1:20 (FLAGS)"] = replies + b"{tag} OK done\r\n"
        assert imap.state(INBOX).uids == {uid: None if uid == 13 else frozenset() for uid in MAIL}


def test_news_of_other_messages_between_replies_does_no_harm():
    def noisy(_: str) -> bytes:
        lines = [
            b"* %d FETCH (UID %d FLAGS (\\Seen))\r\n* 3 FETCH (FLAGS (\\Draft))\r\n* OK ping\r\n" % (n, n)
            for n in MAIL
        ]
        return (
            b"* 21 EXISTS\r\n* 1 RECENT\r\n"
            + b"".join(lines)
            + b"* 30 FETCH (UID 30 FLAGS ())\r\n{tag} OK x\r\n"
        )

    with HostileImap(MAIL) as server, source(server) as imap:
        server.answers["UID FETCH"] = noisy
        assert imap.state(INBOX).uids == dict.fromkeys(MAIL, frozenset({"\\Seen"}))


@pytest.mark.parametrize("name", [b'"../../etc"', b"{9}\r\n../../etc", b"../../etc"])
def test_a_folder_named_like_a_path_is_only_a_name(name: bytes):
    with HostileImap(MAIL) as server, source(server) as imap:
        server.listing = b'* LIST () "/" ' + name + b"\r\n"
        (folder,) = imap.folders()
        assert (folder.name, len(list(imap.messages(folder)))) == ("../../etc", 20)
        assert 'EXAMINE "../../etc"' in server.commands


def test_odd_names_go_back_as_they_came():
    with HostileImap(MAIL) as server, source(server) as imap:
        for raw in (b'a "b\\ c', b"&2AA-", b"*%", b"]["):
            server.listing = b'* LIST () "/" {%d}\r\n' % len(raw) + raw + b"\r\n"
            (folder,) = imap.folders()
            imap.state(folder)
            escaped = raw.replace(b"\\", b"\\\\").replace(b'"', b'\\"').decode()
            assert server.commands[-2] == f'EXAMINE "{escaped}"'


def test_an_interrupt_in_the_middle_of_a_command_leaves_no_half_read_connection(
    monkeypatch: pytest.MonkeyPatch,
):
    with HostileImap(MAIL) as server, source(server) as imap:
        monkeypatch.setattr("postroom.wire.imap_fetch.fetched", _interrupted)
        with pytest.raises(KeyboardInterrupt):
            list(imap.messages(INBOX))
        monkeypatch.undo()
        assert [one.uid for one in imap.messages(INBOX)] == list(MAIL)
        assert server.connections == 2


def _interrupted(_: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("criteria", "change"),
    [
        ("DELETED", lambda writer: writer.expunge([1])),
        ("UNDELETED", lambda writer: writer.undeleted("INBOX")),
        ("UID", lambda writer: writer.since("INBOX", Numbers(uidvalidity=1, uidnext=5))),
    ],
)
def test_a_search_before_a_change_is_believed_no_more_than_any_other(
    criteria: str, change: Callable[[MailboxWriter], object]
) -> None:
    with HostileImap(MAIL) as server, source(server) as imap:
        server.answers["SELECT"] = b"* OK [UIDVALIDITY 1] x\r\n{tag} OK done\r\n"
        server.answers[f"UID SEARCH {criteria}"] = (
            b"* ESEARCH UID ALL 1:4294967295\r\n{tag} OK done\r\n"  # two numbers that stand for billions
        )
        writer = imap.writer()
        writer.open("INBOX")
        with pytest.raises(ServerMisbehaved, match="more messages than there can be"):
            change(writer)
