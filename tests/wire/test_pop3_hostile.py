"""POP3 servers that break off, lie or refuse: the other messages come, and what did not is named."""

from __future__ import annotations

import pytest

from postroom.errors import ConnectionFailed, ServerMisbehaved, SignInRefused, SourceError, Throttled
from postroom.model import Encryption, RawMessage, Unreadable
from postroom.wire.pop3 import INBOX, Pop3Source, uid_of
from postroom.wire.sasl import Bearer, Password
from tests.support.hostile_pop3 import SECRET, HostilePop3, Trick
from tests.wire.contract import letter


def _source(
    server: HostilePop3, encryption: Encryption = "none", *, timeout_seconds: float = 5
) -> Pop3Source:
    return Pop3Source(
        host="127.0.0.1",
        port=server.port,
        encryption=encryption,
        who=Password(username="alice", password=SECRET),
        timeout_seconds=timeout_seconds,
    )


def _read(source: Pop3Source) -> tuple[list[bytes], list[Unreadable]]:
    with source:
        found = list(source.messages(INBOX))
    bodies = [bytes(each.body[:]) for each in found if isinstance(each, RawMessage)]
    return bodies, [each for each in found if isinstance(each, Unreadable)]


LETTERS = [letter(n) for n in range(1, 7)]


@pytest.mark.parametrize("pipelines", [True, False])
@pytest.mark.parametrize("trick", ["cut", "stall", "garbage", "refuse"])
def test_one_bad_message_costs_none_of_its_neighbours(trick: Trick, pipelines: bool):
    with HostilePop3(LETTERS, tricks={3: trick}) as server:
        if not pipelines:
            server.capabilities.remove("PIPELINING")
        bodies, troubles = _read(_source(server, timeout_seconds=0.5))
    assert bodies == [each for n, each in enumerate(LETTERS, 1) if n != 3]
    assert [(each.uid, each.where) for each in troubles] == [(uid_of(b"u3"), "127.0.0.1 INBOX, UIDL u3")]


def test_of_a_message_that_is_refused_the_header_is_kept():
    with HostilePop3(LETTERS, tricks={3: "refuse"}) as server:
        _, troubles = _read(_source(server))
    assert troubles[0].reason == "message is damaged"
    assert troubles[0].body == LETTERS[2].partition(b"\r\n\r\n")[0] + b"\r\n\r\n"


def test_a_drop_in_the_middle_of_a_message_is_gone_on_from():
    with HostilePop3(LETTERS, tricks={2: "cut once", 5: "cut once"}) as server:
        bodies, troubles = _read(_source(server))
        assert server.connections == 3
    assert (sorted(bodies), troubles) == (LETTERS, [])


def test_a_server_that_drops_after_every_message_still_gives_them_all():
    letters = [letter(n) for n in range(30)]
    with HostilePop3(letters) as server:
        server.drops_after = 1
        bodies, troubles = _read(_source(server))
    assert (bodies, troubles) == (letters, [])


def test_a_server_that_breaks_off_at_every_message_is_given_up():
    letters = [letter(n) for n in range(30)]
    with HostilePop3(letters, tricks=dict.fromkeys(range(1, 31), "cut")) as server:
        with pytest.raises(ConnectionFailed):
            _read(_source(server))
        assert server.connections < 20


def test_a_connection_that_ends_before_quit_has_deleted_nothing_and_that_is_no_success():
    with HostilePop3(LETTERS) as server:
        server.answers["QUIT"] = b""
        with _source(server) as source, pytest.raises(ConnectionFailed):
            source.remove([uid_of(b"u1")])
        assert len(server.messages) == 6


def test_a_server_without_lasting_names_is_refused_in_one_sentence():
    with HostilePop3(LETTERS) as server:
        server.answers["UIDL"] = b"-ERR unknown command\r\n"
        with pytest.raises(
            SourceError, match=r"no lasting names \(UIDL: unknown command\).* --protocol imap"
        ):
            _read(_source(server))


def test_identical_copies_under_one_name_are_one_message_and_go_together():
    with HostilePop3([letter(1), letter(1), letter(2)]) as server:
        server.uidls[2] = "u1"
        bodies, _ = _read(_source(server))
        assert bodies == [letter(1), letter(2)]
        with _source(server) as source:
            source.remove([uid_of(b"u1")])
        assert list(server.messages) == [3]


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ("UIDL", b"+OK\r\n1 a\r\nnonsense\r\n.\r\n"),
        ("UIDL", b"+OK\r\n99999999999999999999 a\r\n.\r\n"),
        ("UIDL", b"+OK\r\n1 " + b"a" * 5000 + b"\r\n.\r\n"),
        ("LIST", b"<html>\r\n"),
        ("PASS", b"* OK this is IMAP\r\n"),
    ],
)
def test_nonsense_ends_in_one_sentence(command: str, answer: bytes):
    with HostilePop3(LETTERS) as server:
        server.answers[command] = answer
        with pytest.raises(ServerMisbehaved):
            _read(_source(server))


def test_a_size_that_is_none_does_not_matter():
    with HostilePop3(LETTERS) as server:
        server.answers["LIST"] = b"+OK\r\n1 -5\r\n2 999999999999999999\r\n.\r\n"
        assert _read(_source(server))[0] == LETTERS


def test_a_line_end_of_one_byte_is_taken_from_a_server_that_has_no_other():
    with HostilePop3() as server:
        server.greeting = b"+OK ready\n"
        server.answers |= {
            "CAPA": b"-ERR\n",
            "UIDL": b"+OK\n1 a\n.\n",
            "LIST": b"+OK\n1 20\n.\n",
            "RETR": b"+OK\nSubject: x\n\n..\nend\n.\n",
        }
        assert _read(_source(server))[0] == [b"Subject: x\n\n.\nend\n"]


@pytest.mark.parametrize("code", ["IN-USE", "LOGIN-DELAY", "SYS/TEMP"])
def test_what_passes_by_itself_is_no_wrong_password(code: str):
    with HostilePop3() as server:
        server.answers["PASS"] = f"-ERR [{code}] later\r\n".encode()
        with pytest.raises(ConnectionFailed, match="later"):
            _read(_source(server))


@pytest.mark.parametrize("code", [b"", b"[SYS/TEMP] ", b"[LOGIN-DELAY] "])
def test_a_server_that_has_had_enough_of_us_said_nothing_of_the_password(code: bytes):
    with HostilePop3() as server:
        server.answers |= {"PASS": b"-ERR %stoo many connections, try again in 5 minutes\r\n" % code}
        with pytest.raises(Throttled, match="try again in 5 minutes"):
            _read(_source(server))


def test_no_stls_no_password():
    with HostilePop3() as server:
        with pytest.raises(SourceError, match=r"does not offer STLS.*was not sent"):
            _read(_source(server, "starttls"))
        assert not [each for each in server.commands if SECRET in each or each.startswith(("AUTH", "USER"))]


def test_a_refused_token_is_refreshed_once_and_the_reading_goes_on():
    handed: list[str | None] = []

    def tokens(refused: str | None) -> str:
        handed.append(refused)
        return "new" if refused or "old" in handed else "old"

    with HostilePop3(LETTERS, tricks={2: "cut once"}) as server:
        server.capabilities.append("SASL XOAUTH2 OAUTHBEARER")
        server.tokens = {"new"}
        source = Pop3Source(
            host="127.0.0.1", port=server.port, encryption="none", who=Bearer(username="me,x", tokens=tokens)
        )
        bodies, _ = _read(source)
        assert "answer 'AQ=='" in server.commands  # RFC 7628 3.2.3
    assert sorted(bodies) == LETTERS
    assert handed == [None, "old", None]


def test_a_token_that_is_refused_twice_is_a_refused_sign_in():
    with HostilePop3() as server:
        server.capabilities.append("SASL XOAUTH2")
        server.tokens = set()
        source = Pop3Source(
            host="127.0.0.1",
            port=server.port,
            encryption="none",
            who=Bearer(username="a", tokens=lambda _: "t"),
        )
        with pytest.raises(SignInRefused):
            _read(source)
        assert len([each for each in server.commands if each.startswith("AUTH")]) == 2
