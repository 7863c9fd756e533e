"""Watches a tar go by, and keeps the few small members that somebody asked for (POSIX.1-1988 ustar, as pg_basebackup writes it)."""

from __future__ import annotations

import tarfile
from collections.abc import Iterable, Iterator

_BLOCK = 512


class TarWatch:
    """Gives every chunk on as it came. Afterwards `kept` has the wanted members."""

    def __init__(self, wanted: Iterable[str]) -> None:
        self._wanted = set(wanted)
        self.kept: dict[str, bytes] = {}
        self.size_bytes = 0
        self._held = bytearray()
        self._skip = 0
        self._name = ""
        self._size = 0

    def watch(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            self.size_bytes += len(chunk)
            self._look(chunk)
            yield chunk

    def _look(self, chunk: bytes) -> None:
        rest = memoryview(chunk)
        while rest:
            if self._skip:
                step = min(self._skip, len(rest))
                self._skip -= step
                rest = rest[step:]
                continue
            need = (_padded(self._size) if self._name else _BLOCK) - len(self._held)
            self._held += rest[:need]
            rest = rest[need:]
            if len(self._held) == (_padded(self._size) if self._name else _BLOCK):
                self._whole()

    def _whole(self) -> None:
        """A header, or a member that is wanted."""
        held = bytes(self._held)
        self._held.clear()
        if self._name:
            self.kept[self._name] = held[: self._size]
            self._name = ""
            return
        if held == bytes(_BLOCK):
            return
        info = tarfile.TarInfo.frombuf(held, "utf-8", "surrogateescape")
        name = info.name.removeprefix("./")
        if name in self._wanted and info.size:
            self._name, self._size = name, info.size
        else:
            self._skip = _padded(info.size if info.isreg() else 0)


def _padded(size: int) -> int:
    return -(-size // _BLOCK) * _BLOCK
