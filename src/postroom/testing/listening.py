"""Listening: a server on 127.0.0.1 for the length of a `with`, a thread for each connection."""

from __future__ import annotations

import socket
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from types import TracebackType
from typing import Self

from postroom.testing.line import Line


class Listening(ABC):
    """Those that inherit it say what a connection is served with."""

    host = "127.0.0.1"

    def __init__(self) -> None:
        self.connections = 0
        self._listener = socket.create_server((self.host, 0))
        self.port: int = self._listener.getsockname()[1]
        self._threads: list[threading.Thread] = []
        self._lines: list[Line] = []
        self.lock = threading.RLock()
        """Whoever looks at the mailbox or changes it while a client is served holds it."""

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        try:
            self._listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._listener.close()
        for each in list(self._lines):
            each.close()
        for each in list(self._threads):
            each.join(5)

    @abstractmethod
    def serve(self, line: Line) -> None:
        """One connection, until it ends. An OSError says that the client has gone."""

    def _start(self, work: Callable[..., None], *arguments: Line) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        self._threads = [each for each in self._threads if each.is_alive()]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                connected, _ = self._listener.accept()
            except OSError:
                return
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.connections += 1
            line = Line(connected)
            self._lines.append(line)
            self._start(self._one, line)

    def _one(self, line: Line) -> None:
        try:
            self.serve(line)
        except OSError:
            pass  # the client has gone
        finally:
            line.close()
            if line in self._lines:
                self._lines.remove(line)
