"""A connection of lines to somebody else's server: every trouble comes as one of our errors, nothing is believed."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from io import BufferedReader
from pathlib import Path
from typing import cast

from postroom.errors import ConnectionDropped, ConnectionFailed, ConnectionStalled, ServerMisbehaved
from postroom.wire import tls

_CHECK = "Check the host and the port: postroom account add --help."


class Stream:
    """A connected socket, read by lines, that can go on under TLS."""

    def __init__(self, *, where: str, host: str, port: int, timeout_seconds: float) -> None:
        self.where = where
        self._host = host
        self._timeout_seconds = timeout_seconds
        self._socket = self._connected(port)
        self._file = _reader(self._socket)

    @property
    def is_open(self) -> bool:
        """Whether more can be sent."""
        return not self._file.closed

    @property
    def is_secure(self) -> bool:
        """Whether nobody on the way can read along."""
        return isinstance(self._socket, ssl.SSLSocket)

    @property
    def socket(self) -> socket.socket:
        """What it runs over, for questions about the certificate."""
        return self._socket

    def secure(self, ca_file: Path | None, ca_pem: str | None = None) -> None:
        """Go on under TLS. What came before its time is an attack (RFC 2595 4) and ends the connection."""
        if self._has_unread_bytes():
            self.abandon()
            reason = "it sent more before TLS began than it may: an attack?"
            raise ServerMisbehaved(where=self.where, reason=reason)
        self._file.close()
        self._socket = tls.secure(
            self._socket, host=self._host, ca_file=ca_file, ca_pem=ca_pem, where=self.where
        )
        self._file = _reader(self._socket)

    def send(self, data: bytes) -> None:
        if not self.is_open:
            raise ConnectionFailed(where=self.where, reason="the connection was closed before")
        try:
            self._socket.sendall(data)
        except OSError as error:
            raise ConnectionFailed(where=self.where, reason=self._reason(error)) from error

    def line(self, limit_bytes: int) -> bytes:
        """A line with its end, or the first `limit_bytes` of it."""
        line = self._reading(lambda: self._file.readline(limit_bytes))
        if not line.endswith(b"\n") and len(line) < limit_bytes:
            raise ConnectionDropped(where=self.where, reason="the server closed the connection in the middle")
        return line

    def abandon(self) -> None:
        """Close without a word, also from another thread than the one that reads."""
        with suppress(OSError):  # it is gone already
            self._socket.shutdown(socket.SHUT_RDWR)
        self._file.close()
        self._socket.close()

    def _connected(self, port: int) -> socket.socket:
        try:
            made = socket.create_connection((self._host, port), self._timeout_seconds)
        except (OSError, UnicodeError) as error:
            raise ConnectionFailed(where=self.where, reason=self._reason(error), mend=_CHECK) from error
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return made

    def _has_unread_bytes(self) -> bool:
        self._socket.settimeout(0)
        try:
            return bool(self._file.peek(1))
        finally:
            self._socket.settimeout(self._timeout_seconds)

    def _reading(self, read: Callable[[], bytes]) -> bytes:
        try:
            return read()
        except ConnectionResetError as error:
            raise ConnectionDropped(where=self.where, reason=self._reason(error)) from error
        except TimeoutError as error:
            raise ConnectionStalled(where=self.where, reason=self._reason(error)) from error
        except (OSError, ValueError) as error:  # ValueError: somebody abandoned it meanwhile
            raise ConnectionFailed(where=self.where, reason=self._reason(error)) from error

    def _reason(self, error: Exception) -> str:
        if isinstance(error, TimeoutError):
            return f"no answer for {self._timeout_seconds:g} seconds"
        if isinstance(error, socket.gaierror | UnicodeError):
            return f"there is no host named {self._host!r}"
        if isinstance(error, ConnectionRefusedError):
            return "nothing listens there"
        return getattr(error, "strerror", None) or str(error)


def _reader(connected: socket.socket) -> BufferedReader:
    return cast(BufferedReader, connected.makefile("rb", 2**18))
