"""Line: one connection from the server's side, lines and pieces, plain, deflated (RFC 4978) or in TLS."""

from __future__ import annotations

import select
import socket
import ssl
import zlib
from contextlib import suppress

_RECEIVED_BYTES = 2**16
_END_OF_DATA = b"\r\n.\r\n"


class Line:
    """Bytes in and out. Reading gives None where the client has gone."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        self._waiting = b""
        self._inflate: zlib._Decompress | None = None  # pyright: ignore[reportPrivateUsage]
        self._deflate: zlib._Compress | None = None  # pyright: ignore[reportPrivateUsage]

    def line(self) -> bytes | None:
        """The next line without its end."""
        while b"\n" not in self._waiting:
            if not self._more():
                return None
        found, _, self._waiting = self._waiting.partition(b"\n")
        return found.removesuffix(b"\r")

    def exactly(self, count: int) -> bytes | None:
        while len(self._waiting) < count:
            if not self._more():
                return None
        found, self._waiting = self._waiting[:count], self._waiting[count:]
        return found

    def message(self) -> bytes | None:
        """Lines up to one that is a lone dot, the stuffed dots taken out (RFC 5321 4.5.2)."""
        self._waiting = b"\r\n" + self._waiting
        looked = 0
        while (end := self._waiting.find(_END_OF_DATA, looked)) < 0:
            looked = max(len(self._waiting) - len(_END_OF_DATA), 0)
            if not self._more():
                return None
        found, self._waiting = self._waiting[:end], self._waiting[end + len(_END_OF_DATA) :]
        return (found + b"\r\n").replace(b"\r\n.", b"\r\n")[2:]

    def secure(self, context: ssl.SSLContext) -> None:
        """TLS from here on; what was said before it in the open is forgotten."""
        self._waiting = b""
        self._socket = context.wrap_socket(self._socket, server_side=True)

    def has_more(self, seconds: float) -> bool:
        """Whether the client says something within this time."""
        return bool(self._waiting) or bool(select.select([self._socket], [], [], seconds)[0])

    def send(self, data: bytes) -> None:
        """Raises OSError where the client has gone."""
        if self._deflate is not None:
            data = self._deflate.compress(data) + self._deflate.flush(zlib.Z_SYNC_FLUSH)
        self._socket.sendall(data)

    def compress(self) -> None:
        self._inflate = zlib.decompressobj(-zlib.MAX_WBITS)
        self._deflate = zlib.compressobj(wbits=-zlib.MAX_WBITS)

    def silent(self) -> None:
        """Say nothing more, and wait until the client has gone."""
        with suppress(OSError):
            while self._socket.recv(_RECEIVED_BYTES):
                pass

    def close(self) -> None:
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _more(self) -> bool:
        try:
            came = self._socket.recv(_RECEIVED_BYTES)
        except OSError:
            return False
        self._waiting += self._inflate.decompress(came) if self._inflate else came
        return bool(came)
