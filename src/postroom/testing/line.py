"""Line: one connection from the server's side, lines and pieces, plain or deflated (RFC 4978)."""

from __future__ import annotations

import select
import socket
import zlib
from contextlib import suppress

_RECEIVED_BYTES = 2**16


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
