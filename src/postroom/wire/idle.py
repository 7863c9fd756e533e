"""IDLE: one thread that waits for the news of many mailboxes (RFC 2177), each on a connection of its own.

A connection that waits has neither a thread nor a reader's buffer: it costs its socket and its TLS session.
"""

from __future__ import annotations

import re
import selectors
import socket
import ssl
import threading
import time
from collections.abc import Callable, Hashable
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

from postroom.wire.imap_connection import ImapConnection

News = Literal["news", "gone"]
"""Something changed in the folder; or the connection has ended and nobody waits there any more."""
Told = Callable[[Hashable, News, float], None]
"""Called in the thread with the key, what happened, and how many seconds the connection had waited."""

REFRESH_SECONDS = 28 * 60
"""RFC 2177 3: a server may end a client that says nothing for 30 minutes."""
_TICK_SECONDS = 1.0
_MAX_LINE_BYTES = 64 * 2**10
_MAX_FLOOD_BYTES = 2**20
"""Who sends faster than we read would have the thread for itself."""
_CHANGES = re.compile(rb"\* (?:\d+ (?:EXISTS|EXPUNGE|FETCH)|VANISHED)\b", re.IGNORECASE)


@dataclass(slots=True)
class _Waiting:
    key: Hashable
    socket: socket.socket
    unread: bytes
    began: float
    deadline: float
    """When it is renewed, or, where an answer is due, given up."""
    phase: Literal["asked", "idle", "ending"] = "asked"
    tags: int = 0


class IdleThread:
    """`thread.add(key, connection)` with a folder opened; `told` hears of news until it says that it is gone."""

    def __init__(
        self, told: Told, *, refresh_seconds: float = REFRESH_SECONDS, answer_seconds: float = 60.0
    ) -> None:
        self._told = told
        self._refresh_seconds, self._answer_seconds = refresh_seconds, answer_seconds
        self._selector = selectors.DefaultSelector()
        self._waiting: dict[Hashable, _Waiting] = {}
        self._orders: list[Callable[[], None]] = []
        self._lock = threading.Lock()
        self._bell, self._ear = socket.socketpair()
        self._bell.setblocking(False)
        self._ear.setblocking(False)
        self._selector.register(self._ear, selectors.EVENT_READ)
        self._is_closing = False
        self._thread = threading.Thread(target=self._run, name="idle", daemon=True)
        self._thread.start()

    def add(self, key: Hashable, connection: ImapConnection) -> None:
        """Wait for news on this connection, which is ours from now on. A second one of the same key replaces the first."""
        parted, unread = connection.part_with()
        _keep_alive(parted)
        now = time.monotonic()
        waiting = _Waiting(key, parted, unread, now, now + self._answer_seconds)
        self._order(lambda: self._begin(waiting))

    def remove(self, key: Hashable) -> None:
        """Wait no longer; nothing is told."""
        self._order(lambda: self._end(key))

    def close(self) -> None:
        """End all connections and the thread."""
        self._is_closing = True
        self._order(lambda: None)
        self._thread.join(5)

    def _order(self, what: Callable[[], None]) -> None:
        with self._lock:
            self._orders.append(what)
        with suppress(OSError):  # the bell is ringing already, or the thread has ended
            self._bell.send(b"!")

    def _run(self) -> None:
        due = 0.0
        while not self._is_closing:
            for ready, _ in self._selector.select(_TICK_SECONDS):
                if ready.fileobj is self._ear:
                    with suppress(BlockingIOError):
                        self._ear.recv(4096)
                else:
                    self._read(ready.data)
            with self._lock:
                orders, self._orders = self._orders, []
            for carry_out in orders:
                carry_out()
            if (now := time.monotonic()) >= due:
                due = now + _TICK_SECONDS
                for waiting in [each for each in self._waiting.values() if each.deadline <= now]:
                    self._overdue(waiting)
        for key in list(self._waiting):
            self._end(key)
        self._selector.close()
        self._bell.close()
        self._ear.close()

    def _begin(self, waiting: _Waiting) -> None:
        self._end(waiting.key)
        self._waiting[waiting.key] = waiting
        self._selector.register(waiting.socket, selectors.EVENT_READ, waiting)
        self._say(waiting, b"I0 IDLE\r\n")
        self._read(waiting)

    def _end(self, key: Hashable) -> None:
        waiting = self._waiting.pop(key, None)
        if waiting is None:
            return
        self._selector.unregister(waiting.socket)
        if waiting.phase == "idle":
            with suppress(OSError):
                waiting.socket.send(b"DONE\r\nIX LOGOUT\r\n")
        waiting.socket.close()

    def _gone(self, waiting: _Waiting) -> None:
        if self._waiting.get(waiting.key) is waiting:
            self._end(waiting.key)
            self._told(waiting.key, "gone", time.monotonic() - waiting.began)

    def _overdue(self, waiting: _Waiting) -> None:
        if waiting.phase != "idle":
            self._gone(waiting)  # it owes an answer: a dead connection looks like this
            return
        waiting.phase, waiting.deadline = "ending", time.monotonic() + self._answer_seconds
        self._say(waiting, b"DONE\r\n")

    def _say(self, waiting: _Waiting, what: bytes) -> None:
        try:
            is_sent = waiting.socket.send(what) == len(what)
        except OSError:  # would block included: a few bytes always fit where anybody reads
            is_sent = False
        if not is_sent:
            self._gone(waiting)

    def _read(self, waiting: _Waiting) -> None:
        is_open = True
        try:
            while len(waiting.unread) <= _MAX_FLOOD_BYTES:
                more = waiting.socket.recv(16 * 2**10)
                if not more:
                    break
                waiting.unread += more
            is_open = False
        except (BlockingIOError, ssl.SSLWantReadError):
            pass
        except OSError:
            is_open = False
        *lines, waiting.unread = waiting.unread.split(b"\n")
        has_news = False
        for line in lines:
            has_news = bool(_CHANGES.match(line)) or has_news
            is_open = self._follow(waiting, line) and is_open
        if has_news:
            self._told(waiting.key, "news", time.monotonic() - waiting.began)
        if not is_open or len(waiting.unread) > _MAX_LINE_BYTES:
            self._gone(waiting)

    def _follow(self, waiting: _Waiting, line: bytes) -> bool:
        """Where the conversation stands after this line; False where it is over."""
        tag = b"I%d " % waiting.tags
        if line.startswith(b"+") and waiting.phase == "asked":
            waiting.phase, waiting.deadline = "idle", time.monotonic() + self._refresh_seconds
        elif line.startswith(tag + b"OK") and waiting.phase == "ending":
            waiting.tags += 1
            waiting.phase, waiting.deadline = "asked", time.monotonic() + self._answer_seconds
            self._say(waiting, b"I%d IDLE\r\n" % waiting.tags)
        elif line.startswith(b"* "):
            return line[2:5].upper() != b"BYE"
        else:
            return False
        return True


def _keep_alive(connected: socket.socket) -> None:
    """A peer that vanished without a word is noticed after some two minutes, not at the next renewal."""
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 20), ("TCP_KEEPCNT", 3)):
        if hasattr(socket, option):
            connected.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
