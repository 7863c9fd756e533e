"""A wire to an IMAP server that breaks at a command: before the server hears of it, or after it has done it.

with CutWire(dovecot.imap_port) as wire:
    wire.cut_at(b"UID MOVE", is_done=True)           # the answer never comes back
"""

from __future__ import annotations

import re
import socket
import threading
from contextlib import suppress
from types import TracebackType
from typing import Self


class CutWire:
    """Passes on what is said, line by line, until the command comes at which it is to break, once."""

    def __init__(self, port: int) -> None:
        self._server_port = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._pattern: re.Pattern[bytes] | None = None
        self._is_done = False
        self.was_cut = False

    def cut_at(self, pattern: bytes, *, is_done: bool) -> None:
        self._pattern, self._is_done, self.was_cut = re.compile(pattern), is_done, False

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._server_port))
                link = _Link(client, server)
                threading.Thread(target=self._asks, args=(link,), daemon=True).start()
                threading.Thread(target=link.answer, daemon=True).start()

    def _asks(self, link: _Link) -> None:
        rest = b""
        with suppress(OSError):
            while data := link.client.recv(2**16):
                *lines, rest = (rest + data).split(b"\r\n")
                for line in lines:
                    if self._pattern and self._pattern.search(line):
                        self._pattern, self.was_cut = None, True
                        if self._is_done:
                            link.last_tag = line.split()[0]
                            link.server.sendall(line + b"\r\n")
                            if line.endswith(b"}"):
                                continue  # its literal comes behind it
                            link.is_answered.wait(20)
                        link.hang_up()
                        return
                    link.server.sendall(line + b"\r\n")
        link.hang_up()


class _Link:
    def __init__(self, client: socket.socket, server: socket.socket) -> None:
        self.client, self.server = client, server
        self.last_tag: bytes | None = None
        self.is_answered = threading.Event()

    def answer(self) -> None:
        seen = b""
        with suppress(OSError):
            while data := self.server.recv(2**16):
                if self.last_tag is None:
                    self.client.sendall(data)
                    continue
                seen += data
                if data.startswith(b"+"):
                    self.client.sendall(data)
                if re.search(rb"(?:^|\r\n)" + self.last_tag + rb" (OK|NO|BAD)", seen):
                    break
        self.is_answered.set()
        self.hang_up()

    def hang_up(self) -> None:
        for end in (self.client, self.server):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
