"""IDLE: one thread hears the news of many connections, and notices each that has ended, however it ended."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Hashable, Iterator
from queue import Queue

import pytest

from postroom.model import Encryption, SourceFolder
from postroom.wire.idle import IdleThread
from postroom.wire.imap import ImapSource
from postroom.wire.imap_connection import ImapConnection
from tests.support.dovecot import Dovecot
from tests.support.hostile_imap import SECRET, HostileImap

INBOX = SourceFolder(name="INBOX", type="inbox", wire_name="INBOX")
Heard = Queue[tuple[Hashable, str]]
Started = Callable[..., IdleThread]


@pytest.fixture
def heard() -> Heard:
    return Queue()


@pytest.fixture
def started(heard: Heard) -> Iterator[Started]:
    threads: list[IdleThread] = []

    def start(**options: float) -> IdleThread:
        threads.append(IdleThread(lambda key, what, _: heard.put((key, what)), **options))
        return threads[-1]

    yield start
    for thread in threads:
        thread.close()


def _opened(
    host: str, port: int, encryption: Encryption, user: str, password: str, **more: object
) -> ImapConnection:
    source = ImapSource(
        host=host,
        port=port,
        encryption=encryption,
        username=user,
        password=password,
        **more,  # pyright: ignore[reportArgumentType]
    )
    given = source.watched(INBOX)
    assert given
    return given[0]


def _on_dovecot(dovecot: Dovecot, user: str, encryption: Encryption) -> ImapConnection:
    port = dovecot.imaps_port if encryption == "tls" else dovecot.imap_port
    return _opened("127.0.0.1", port, encryption, user, dovecot.password(user), ca_file=dovecot.ca_file)


def _on_hostile(server: HostileImap) -> ImapConnection:
    return _opened("127.0.0.1", server.port, "none", "me", SECRET)


def _deliver(dovecot: Dovecot, user: str) -> None:
    with dovecot.imap(user) as imap:
        imap.append("INBOX", "", "", b"Subject: x\r\n\r\nx\r\n")  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("encryption", ["none", "tls", "starttls"])
def test_news_of_each_mailbox_come_with_its_key(
    dovecot: Dovecot, heard: Heard, started: Started, encryption: Encryption
) -> None:
    thread = started()
    for user in ("alice", "bob"):
        thread.add(user, _on_dovecot(dovecot, user, encryption))
    for user in ("bob", "alice", "bob"):
        _deliver(dovecot, user)
        assert heard.get(timeout=30) == (user, "news")


def test_there_is_one_thread_for_all(dovecot: Dovecot, started: Started) -> None:
    before, thread = threading.active_count(), started()
    for number in range(20):
        thread.add(number, _on_dovecot(dovecot, "alice", "none"))
    assert threading.active_count() == before + 1


def test_a_renewed_connection_still_hears(dovecot: Dovecot, heard: Heard, started: Started) -> None:
    thread = started(refresh_seconds=0.1)
    thread.add("alice", _on_dovecot(dovecot, "alice", "tls"))
    threading.Event().wait(3)
    assert heard.empty()
    _deliver(dovecot, "alice")
    assert heard.get(timeout=30) == ("alice", "news")


def test_what_is_removed_is_heard_no_more_and_its_connection_ends(
    dovecot: Dovecot, heard: Heard, started: Started
) -> None:
    thread = started()
    thread.add("alice", _on_dovecot(dovecot, "alice", "none"))
    thread.add("bob", _on_dovecot(dovecot, "bob", "none"))
    thread.remove("alice")
    _deliver(dovecot, "alice")
    _deliver(dovecot, "bob")
    assert heard.get(timeout=30) == ("bob", "news")
    assert heard.empty()


@pytest.mark.parametrize(
    "answer",
    [
        b"",  # closed
        b"{tag} NO not now\r\n",
        b"{tag} BAD what?\r\n",
        b"+ idling\r\n* BYE maintenance\r\n",
        b"+ idling\r\nHTTP/1.1 200 OK\r\n",
        b"+ idling\r\n+ idling\r\n",
        b"+ idling\r\n" + b"x" * 100_000,
        b"{tag} OK done already\r\n",
    ],
)
def test_a_connection_that_is_no_use_is_given_up(heard: Heard, started: Started, answer: bytes) -> None:
    with HostileImap() as server:
        server.capabilities += " IDLE"
        server.answers["IDLE"] = answer
        started().add("me", _on_hostile(server))
        assert heard.get(timeout=30) == ("me", "gone")


def test_a_server_that_owes_an_answer_for_too_long_is_given_up(heard: Heard, started: Started) -> None:
    with HostileImap() as server:
        server.capabilities += " IDLE"
        server.answers["IDLE"] = b"+ idling\r\n"  # and nothing to DONE
        server.answers["DONE"] = b"* OK still here\r\n"
        started(refresh_seconds=0.1, answer_seconds=0.5).add("me", _on_hostile(server))
        assert heard.get(timeout=30) == ("me", "gone")


@pytest.mark.parametrize(
    ("said", "is_news"),
    [
        (b"* 4 EXISTS\r\n", True),
        (b"* 4 expunge\r\n", True),
        (b"* 2 FETCH (FLAGS (\\Seen))\r\n", True),
        (b"* VANISHED 4\r\n", True),
        (b"* OK Still here\r\n", False),
        (b"* 0 RECENT\r\n", False),
        (b'* LIST () "/" "4 EXISTS"\r\n', False),
    ],
)
def test_what_counts_as_news(heard: Heard, started: Started, said: bytes, is_news: bool) -> None:
    with HostileImap() as server:
        server.capabilities += " IDLE"
        server.answers["IDLE"] = b"+ idling\r\n" + said + b"* BYE\r\n"
        started().add("me", _on_hostile(server))
        whats = [heard.get(timeout=30)[1] for _ in range(1 + is_news)]
    assert whats == ["news"] * is_news + ["gone"]


def test_a_server_without_idle_is_not_waited_on(poor_dovecot: Dovecot) -> None:
    source = ImapSource(
        host="127.0.0.1",
        port=poor_dovecot.imap_port,
        encryption="none",
        username="alice",
        password="alice-pw",
    )
    with source:
        assert source.watched(INBOX) is None
        assert source.folders()


def test_a_connection_that_was_reset_before_it_was_handed_over_is_gone(
    heard: Heard, started: Started
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        connection = ImapConnection(
            where="it", host="127.0.0.1", port=server.getsockname()[1], timeout_seconds=5
        )
        accepted, _ = server.accept()
        accepted.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        accepted.close()  # by a reset, not an end
    started().add("alice", connection)
    assert heard.get(timeout=30) == ("alice", "gone")
