"""Files that are not to be trusted: opened without hanging, read by windows, never held whole when large."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

from postroom.errors import SourceError
from postroom.model import Body

HELD_BYTES = 8 << 20
"""A message up to this size travels as `bytes`, a larger one as a `FileSlice`."""

_WINDOW_BYTES = 1 << 20
_UNFIT = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


def shown(path: str | bytes | Path) -> str:
    """A path for a person and a database: bytes that are no UTF-8, and control characters, are replaced."""
    return _UNFIT.sub("\ufffd", os.fsencode(path).decode("utf-8", "replace"))


def wire_name(path: Path) -> str:
    """The bytes of a path as a `str` that any store can hold: Latin-1, as the names of IMAP."""
    return os.fsencode(path).decode("latin-1")


def reason_of(error: OSError) -> str:
    """Why the system refused, in its own words without the number: `Permission denied`."""
    return error.strerror or type(error).__name__


class OpenFile:
    """A regular file open for reading; it closes when the last slice of it is gone."""

    __slots__ = ("_descriptor", "path", "status")

    def __init__(self, path: str | Path) -> None:
        """Raises OSError, also for what is no regular file: a FIFO or a device is never waited for."""
        self._descriptor = -1
        self.path = Path(path)
        self._descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
        self.status = os.fstat(self._descriptor)
        if not stat.S_ISREG(self.status.st_mode):
            raise OSError(0, _what_it_is(self.status.st_mode), str(path))

    def __del__(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)

    @property
    def size(self) -> int:
        """Its length when it was opened; what is written later is not looked at."""
        return self.status.st_size

    def body(self, start: int = 0, end: int | None = None) -> Body:
        """A part of the file as a message: `bytes` when it is small enough to hold."""
        part = FileSlice(self, start, self.size if end is None else end)
        return part[:] if len(part) <= HELD_BYTES else part

    def read(self, start: int, end: int) -> bytes:
        """The bytes from `start` to `end`; fewer where the file ends before."""
        pieces: list[bytes] = []
        while start < end and (piece := os.pread(self._descriptor, end - start, start)):
            pieces.append(piece)
            start += len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _what_it_is(mode: int) -> str:
    kinds = {stat.S_IFDIR: "folder", stat.S_IFIFO: "named pipe", stat.S_IFSOCK: "socket"}
    return f"it is a {kinds.get(stat.S_IFMT(mode), 'device')}, not a file"


class FileSlice:
    """A `Body` over a part of a file: it keeps one window of 1 MB and reads everything else when asked.

    Not for two threads at a time.
    """

    __slots__ = ("_at", "_file", "_held", "_length", "_start")

    def __init__(self, file: OpenFile, start: int, end: int) -> None:
        self._file, self._start, self._length = file, start, max(end - start, 0)
        self._at, self._held = 0, b""

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: slice, /) -> bytes:
        start, end, step = index.indices(self._length)
        if step != 1:
            raise ValueError("a slice of a message has step 1")
        if end - start > _WINDOW_BYTES:
            return self._read(start, end)
        if end <= start:
            return b""
        at, held = self._window(start, end)
        return held[start - at : end - at]

    def find(self, sub: bytes, start: int = 0, end: int | None = None, /) -> int:
        if start > self._length:
            return -1
        start, end, _ = slice(start, end).indices(self._length)
        while start + len(sub) <= end:
            at, held = self._window(start, min(start + max(len(sub), 1), self._length))
            hit = held.find(sub, start - at, end - at)
            if hit >= 0:
                return at + hit
            start = at + len(held) - len(sub) + 1
        return -1

    def _window(self, start: int, end: int) -> tuple[int, bytes]:
        """A held piece that covers `start` to `end`, and where it begins."""
        if not (self._at <= start and end <= self._at + len(self._held)):
            stop = min(start + max(_WINDOW_BYTES, end - start), self._length)
            self._at, self._held = start, self._read(start, stop)
        return self._at, self._held

    def _read(self, start: int, end: int) -> bytes:
        data = self._read_some(start, end)
        if len(data) < end - start:
            raise SourceError(
                where=shown(self._file.path),
                reason="it became shorter while it was read",
                mend="Close the program that writes to it and try again.",
            )
        return data

    def _read_some(self, start: int, end: int) -> bytes:
        try:
            return self._file.read(self._start + start, self._start + end)
        except OSError as error:
            raise SourceError(where=shown(self._file.path), reason=reason_of(error)) from error


def pieces(body: Body, start: int = 0, end: int | None = None) -> Iterator[bytes]:
    """A body in pieces of a megabyte at most, in order."""
    stop = len(body) if end is None else end
    for at in range(start, stop, _WINDOW_BYTES):
        yield body[at : min(at + _WINDOW_BYTES, stop)]


def size_of(path: Path) -> int:
    """The size of a file; 0 for what is no file or cannot be seen: reading it will say why."""
    try:
        status = path.stat()
    except OSError:
        return 0
    return status.st_size if stat.S_ISREG(status.st_mode) else 0
