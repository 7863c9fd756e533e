"""A wire that is listened to: a proxy between the program and a server, which knows what went over it.

with Wiretap(dovecot.imap_port) as wire:             # connect to wire.port, without TLS
    ...
    wire.commands, wire.received_bytes               # since the last wire.reset()
"""

from __future__ import annotations

import re
import socket
import threading
from types import TracebackType
from typing import Self


class Wiretap:
    """Counts what the server sends and keeps what the client asks, tags and passwords left out."""

    def __init__(self, port: int) -> None:
        self._server_port = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.commands: list[str] = []
        self.received_bytes = 0
        self._open: list[socket.socket] = []
        self._stopping = threading.Event()

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        for one in [self._listener, *self._open]:
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            one.close()

    def reset(self) -> None:
        self.commands.clear()
        self.received_bytes = 0

    def asked(self, pattern: str) -> list[str]:
        """The commands that match."""
        return [command for command in self.commands if re.search(pattern, command)]

    def _accept(self) -> None:
        while not self._stopping.is_set():
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self._server_port))
            for end in (client, server):  # or what a server says in two pieces takes 40 ms
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._open += [client, server]
            threading.Thread(target=self._asks, args=(client, server), daemon=True).start()
            threading.Thread(target=self._answers, args=(server, client), daemon=True).start()

    def _asks(self, client: socket.socket, server: socket.socket) -> None:
        rest = b""
        while data := _received(client):
            *lines, rest = (rest + data).split(b"\r\n")
            self.commands += [line.decode("latin-1").partition(" ")[2] for line in lines]
            if not _sent(server, data):
                return
        _sent(server, None)

    def _answers(self, server: socket.socket, client: socket.socket) -> None:
        while data := _received(server):
            self.received_bytes += len(data)
            if not _sent(client, data):
                return
        _sent(client, None)


def _received(one: socket.socket) -> bytes:
    try:
        return one.recv(2**16)
    except OSError:
        return b""


def _sent(one: socket.socket, data: bytes | None) -> bool:
    try:
        if data is None:
            one.shutdown(socket.SHUT_WR)
        else:
            one.sendall(data)
    except OSError:
        return False
    return True
