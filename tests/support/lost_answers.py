"""A way to a server that is cut at a commit: before it gets there, or when only its answer is missing."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from enum import Enum
from urllib.parse import urlsplit

_COMMIT = b"commit\0"


class Cut(Enum):
    """When the first commit comes for which it is time."""

    BEFORE_IT_ARRIVES = "the server never hears of it"
    BEFORE_ITS_ANSWER = "the server has done it"
    FOR_GOOD = "the server has done it, and there is no way to it any more"


class Way:
    """Takes connections on a port of its own and passes on what is said, until it is time to cut."""

    def __init__(self, server: tuple[str, int], cut: Cut, is_time: Callable[[], bool]) -> None:
        self._server, self._cut, self._is_time = server, cut, is_time
        self.was_cut = False
        self._is_done = threading.Event()
        self._door = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._door.getsockname()[1]
        threading.Thread(target=self._take, daemon=True).start()

    def close(self) -> None:
        """Nobody is let in any more."""
        with suppress(OSError):
            self._door.shutdown(socket.SHUT_RDWR)
        self._door.close()

    def _take(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._door.accept()
                there = socket.create_connection(self._server)
                is_cut = threading.Event()
                threading.Thread(target=self._back, args=(there, client, is_cut), daemon=True).start()
                threading.Thread(target=self._forth, args=(client, there, is_cut), daemon=True).start()

    def _forth(self, client: socket.socket, there: socket.socket, is_cut: threading.Event) -> None:
        with suppress(OSError):
            while said := client.recv(65536):
                if _COMMIT in said and not self.was_cut and self._is_time():
                    is_cut.set()
                    self._end(client, there, said)
                    break
                there.sendall(said)
        _hang_up(client, there)

    def _end(self, client: socket.socket, there: socket.socket, said: bytes) -> None:
        self.was_cut = True
        if self._cut is Cut.FOR_GOOD:
            self.close()
        client.shutdown(socket.SHUT_WR)
        if self._cut is not Cut.BEFORE_IT_ARRIVES:
            there.sendall(said)
            # The server closes when it has done all that came before the end.
            there.shutdown(socket.SHUT_WR)
            self._is_done.wait(30)

    def _back(self, there: socket.socket, client: socket.socket, is_cut: threading.Event) -> None:
        with suppress(OSError):
            while said := there.recv(65536):
                if not is_cut.is_set():
                    client.sendall(said)
        if is_cut.is_set():
            self._is_done.set()


def _hang_up(*ends: socket.socket) -> None:
    for end in ends:
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
        end.close()


@contextmanager
def way_to(url: str, cut: Cut, is_time: Callable[[], bool]) -> Iterator[tuple[Way, str]]:
    """A way, and the URL that leads over it."""
    parts = urlsplit(url)
    assert parts.hostname
    assert parts.port
    way = Way((parts.hostname, parts.port), cut, is_time)
    try:
        login = parts.netloc.rpartition("@")[0]
        yield way, parts._replace(netloc=f"{login}@127.0.0.1:{way.port}").geturl()
    finally:
        way.close()
