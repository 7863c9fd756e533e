"""What a server may offer: compression, large messages in parts, literals without waiting, who we are."""

from __future__ import annotations

import tracemalloc

import pytest

from postroom.errors import Throttled
from postroom.model import RawMessage, SourceFolder
from postroom.wire.imap import ImapSource
from postroom.wire.throttling import pause_seconds
from tests.support.dovecot import Dovecot
from tests.support.hostile_imap import HostileImap
from tests.support.wiretap import Wiretap

INBOX = SourceFolder(name="INBOX", type="inbox", wire_name="INBOX")


def source(port: int, password: str, **more) -> ImapSource:
    return ImapSource(
        host="127.0.0.1", port=port, encryption="none", username="alice", password=password, **more
    )


def bodies(imap: ImapSource) -> list[bytes]:
    found = list(imap.messages(INBOX))
    assert all(isinstance(one, RawMessage) for one in found)
    return [one.body[0 : len(one.body)] for one in found if isinstance(one, RawMessage)]


def test_what_is_compressed_arrives_as_it_was_and_takes_a_fraction_of_the_bytes(dovecot: Dovecot):
    mail = [
        b"Subject: %d\r\n\r\n" % number + b"the same words again and again\r\n" * 2000 for number in range(9)
    ]
    mail.append(b"Subject: large\r\n\r\n" + bytes(range(32, 127)) * 60_000 + b"\r\n")
    dovecot.fill("alice", "INBOX", mail)
    taken = {}
    for compresses in (False, True):
        with (
            Wiretap(dovecot.imap_port) as wire,
            source(wire.port, dovecot.password("alice"), compresses=compresses) as imap,
        ):
            assert bodies(imap) == mail
            taken[compresses] = wire.received_bytes
    assert taken[True] < taken[False] / 20


def test_compression_is_left_out_where_the_server_is_near(dovecot: Dovecot):
    dovecot.fill("alice", "INBOX", [b"Subject: x\r\n\r\ny\r\n"])
    with Wiretap(dovecot.imap_port) as wire, source(wire.port, dovecot.password("alice")) as imap:
        imap.folders()
        assert wire.asked("COMPRESS") == []
        assert wire.asked(r'ID \("name" "Postroom"\)')
        assert wire.asked("ENABLE QRESYNC")


def test_a_large_message_comes_in_parts_and_is_what_it_was(dovecot: Dovecot):
    large = b"Subject: large\r\n\r\n" + b"".join(b"%07d line of it\r\n" % number for number in range(500_000))
    dovecot.fill("alice", "INBOX", [b"Subject: small\r\n\r\nx\r\n", large])
    with (
        Wiretap(dovecot.imap_port) as wire,
        source(wire.port, dovecot.password("alice"), whole_bytes=2**20) as imap,
    ):
        assert bodies(imap) == [b"Subject: small\r\n\r\nx\r\n", large]
        assert len(wire.asked(r"BODY\.PEEK\[\]<\d+\.\d+>")) == -(-len(large) // (4 * 2**20))


def test_a_connection_that_breaks_in_a_part_costs_that_part_alone():
    body = b"Subject: large\r\n\r\n" + b"0123456789abcdef" * 800_000
    with (
        HostileImap({1: body}, tricks={1: "cut"}) as server,
        source(server.port, "x", whole_bytes=2**20) as imap,
    ):
        assert bodies(imap) == [body]
        parts = [command.split("<")[1] for command in server.commands if "]<" in command]
    starts = [int(part.split(".")[0]) for part in parts]
    assert starts == [0, 4 * 2**20, 4 * 2**20, 8 * 2**20, 12 * 2**20]


def test_a_large_message_is_never_held_whole():
    body = b"Subject: large\r\n\r\n" + b"0123456789abcdef" * 3 * 2**20
    with HostileImap({1: body}) as server, source(server.port, "x", whole_bytes=2**20) as imap:
        tracemalloc.start()
        try:
            (message,) = imap.messages(INBOX)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert isinstance(message, RawMessage)
        assert len(message.body) == len(body) > 2 * peak


def test_the_flags_of_a_large_folder_are_asked_for_in_windows():
    with HostileImap(dict.fromkeys(range(1, 20002, 2), b"x")) as server, source(server.port, "x") as imap:
        state = imap.state(INBOX)
        asked = [command for command in server.commands if command.startswith("UID")]
    assert list(state.uids) == list(range(1, 20_002, 2))
    assert [command.split()[1] for command in asked] == ["SEARCH", "FETCH", "FETCH", "FETCH"]


@pytest.mark.parametrize(
    ("reason", "seconds"),
    [
        ("Request is throttled. Suggested Backoff Time: 299961 milliseconds", 299.961),
        ("Too many connections, try again in 5 minutes", 300),
        ("come back in 2 h", 7200),
        ("wait 90s", 90),
        ("bandwidth limit exceeded", 900),
        ("try again in 999999999 hours", 86400),
    ],
)
def test_a_pause_lasts_as_long_as_the_server_says(reason: str, seconds: float):
    assert pause_seconds(reason) == seconds


def test_a_refusal_that_asks_for_a_pause_is_not_taken_for_a_bad_message():
    with HostileImap({1: b"x", 2: b"y"}) as server, source(server.port, "x") as imap:
        server.answers["UID FETCH 1:2 (UID"] = (
            b"{tag} NO Request is throttled. Suggested Backoff Time: 60000 ms\r\n"
        )
        with pytest.raises(Throttled, match="asks for a pause until"):
            list(imap.messages(INBOX))
        assert len([command for command in server.commands if "BODY.PEEK[]" in command]) == 1


def test_a_name_that_needs_a_literal_does_not_wait_for_the_server(dovecot: Dovecot):
    with Wiretap(dovecot.imap_port) as wire, source(wire.port, dovecot.password("alice")) as imap:
        assert imap.numbers("caf\u00e9") is None
        assert wire.asked(r"STATUS \{5\+\}$") or wire.asked(r"STATUS \{4\+\}$")
