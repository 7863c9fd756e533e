"""A literal too large to hold: an unnamed temporary file that answers like bytes."""

from __future__ import annotations

import mmap
import os
import tempfile
import weakref


class SpooledBody:
    """A `Body` on disk. The file has no name and goes with the object, whatever happens to the program."""

    def __init__(self) -> None:
        with tempfile.TemporaryFile(buffering=0) as file:
            self._descriptor = os.dup(file.fileno())
        weakref.finalize(self, os.close, self._descriptor)
        self._size = 0

    def append(self, piece: bytes) -> None:
        """Add bytes at the end; OSError where the disk is full."""
        while piece:
            written = os.pwrite(self._descriptor, piece, self._size)
            self._size += written
            piece = piece[written:]

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, index: slice, /) -> bytes:
        start, stop, _ = index.indices(self._size)
        pieces: list[bytes] = []
        while start < stop and (piece := os.pread(self._descriptor, stop - start, start)):
            pieces.append(piece)
            start += len(piece)
        return b"".join(pieces)

    def find(self, sub: bytes, start: int = 0, end: int | None = None, /) -> int:
        with mmap.mmap(self._descriptor, self._size, access=mmap.ACCESS_READ) as view:
            return view.find(sub, start, self._size if end is None else end)
