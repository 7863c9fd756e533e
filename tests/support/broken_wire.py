"""A wire to an IMAP server that breaks in the middle of a literal, whatever server it is.

with BrokenWire(dovecot.imap_port) as wire:
    wire.break_in_literal(of_at_least=100_000, after=50_000)     # once
"""

from __future__ import annotations

import re
import socket

from tests.support.wiretap import Wiretap, _received, _sent

_LITERAL = re.compile(rb"\{(\d+)\+?\}\r\n")
_LONGEST_ANNOUNCEMENT = 24


class BrokenWire(Wiretap):
    """Passes on what is said, until a literal comes that is long enough to break in."""

    def __init__(self, port: int) -> None:
        super().__init__(port)
        self._least: int | None = None
        self._after = 0
        self.was_broken = False

    def break_in_literal(self, *, of_at_least: int, after: int) -> None:
        assert after < of_at_least
        self._least, self._after, self.was_broken = of_at_least, after, False

    def _answers(self, server: socket.socket, client: socket.socket) -> None:
        before = b""
        left: int | None = None
        while data := _received(server):
            if left is None:
                left = self._left(before, data)
            if left is not None and len(data) >= left:
                _sent(client, data[:left])
                self._hang_up(server, client)
                return
            left = None if left is None else left - len(data)
            before = (before + data)[-_LONGEST_ANNOUNCEMENT:]
            self.received_bytes += len(data)
            if not _sent(client, data):
                return
        _sent(client, None)

    def _left(self, before: bytes, data: bytes) -> int | None:
        """How many bytes of what just came, and of what follows, are still to be passed on."""
        if self._least is None:
            return None
        for found in _LITERAL.finditer(before + data):
            if int(found[1]) >= self._least and found.end() > len(before):
                self._least = None
                return found.end() - len(before) + self._after
        return None

    def _hang_up(self, server: socket.socket, client: socket.socket) -> None:
        self.was_broken = True
        for end in (client, server):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # the other side was faster
            end.close()
