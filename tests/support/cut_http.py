"""A way to a service that breaks when it is told to: in the middle of a stream, or when only the answer is missing.

with way_to_service(service.url) as way:
    way.lose_answers(2)       # done there, and never heard of here
    way.cut()                 # all that is open
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit


class Way:
    """Takes connections on a port of its own and passes on what is said."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._there = (parts.hostname, parts.port)
        self._door = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._door.getsockname()[1]}"
        self._open: set[socket.socket] = set()
        self._to_lose = 0
        self.connections = 0
        threading.Thread(target=self._take, daemon=True).start()

    def lose_answers(self, count: int) -> None:
        self._to_lose = count

    @property
    def is_losing(self) -> bool:
        return self._to_lose > 0

    def cut(self) -> None:
        _hang_up(*self._open)

    def close(self) -> None:
        with suppress(OSError):
            self._door.shutdown(socket.SHUT_RDWR)
        self._door.close()
        self.cut()

    def _take(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._door.accept()
                self.connections += 1
                there = socket.create_connection(self._there)
                self._open |= {client, there}
                for source, target, is_back in ((client, there, False), (there, client, True)):
                    threading.Thread(target=self._pass, args=(source, target, is_back), daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket, is_back: bool) -> None:
        with suppress(OSError):
            while said := source.recv(65536):
                if is_back and self._to_lose:
                    self._to_lose -= 1
                    break
                target.sendall(said)
        _hang_up(source, target)
        self._open -= {source, target}


def _hang_up(*ends: socket.socket) -> None:
    for end in ends:
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
        end.close()


@contextmanager
def way_to_service(url: str) -> Iterator[Way]:
    way = Way(url)
    try:
        yield way
    finally:
        way.close()
