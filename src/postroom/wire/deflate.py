"""DEFLATE on a connection (RFC 4978): what comes is inflated, what goes is compressed. Letters shrink to a third."""

from __future__ import annotations

import io
import socket
import zlib

_RECEIVED_BYTES = 2**16


class Inflating(io.RawIOBase):
    """Reads from a socket what the other side compressed; never holds more than it is asked for."""

    def __init__(self, connected: socket.socket) -> None:
        super().__init__()
        self._socket = connected
        self._inflate = zlib.decompressobj(-zlib.MAX_WBITS)
        self._waiting = b""
        self._has_more = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview, /) -> int:  # pyright: ignore[reportIncompatibleMethodOverride]
        plain = b""
        while not plain:
            packed = self._waiting
            if not packed and not self._has_more:
                packed = self._socket.recv(_RECEIVED_BYTES)
                if not packed:
                    return 0
            try:
                plain = self._inflate.decompress(packed, len(buffer))
            except zlib.error as error:
                raise OSError(f"what it sent cannot be inflated ({error})") from error
            self._waiting = self._inflate.unconsumed_tail
            self._has_more = len(plain) == len(buffer)  # there may be more of it behind what fitted
        buffer[: len(plain)] = plain
        return len(plain)


class Deflater:
    """Compresses what is sent, each time to its end: the other side waits for it."""

    def __init__(self) -> None:
        self._deflate = zlib.compressobj(wbits=-zlib.MAX_WBITS)

    def pack(self, plain: bytes) -> bytes:
        return self._deflate.compress(plain) + self._deflate.flush(zlib.Z_SYNC_FLUSH)
