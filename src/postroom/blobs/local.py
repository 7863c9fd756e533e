"""Objects as files below a folder, each written whole or not at all."""

from __future__ import annotations

import errno
import os
import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal

from postroom.errors import BlobStoreFull, BlobStoreUnreachable

_READ_BYTES = 256 * 1024


class LocalShelf:
    """A folder of objects. Files are for their owner's eyes only."""

    storage_type: Literal["local"] = "local"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.root = str(folder)

    def write(self, path: str, chunks: Iterator[bytes]) -> None:
        target = self._folder / path
        # The dot and the random end keep two writers apart; a sweep finds what a killed one leaves.
        unfinished = target.with_name(f".{target.name}.{secrets.token_hex(8)}")
        try:
            self._write_durably(unfinished, chunks)
            with self._translated():
                unfinished.replace(target)
                _sync_folder(target.parent)
        except BaseException:
            with suppress(OSError):
                unfinished.unlink()
            raise

    def write_new(self, path: str, content: bytes) -> None:
        target = self._folder / path
        unfinished = target.with_name(f".{target.name}.{secrets.token_hex(8)}")
        try:
            self._write_durably(unfinished, iter([content]))
            with self._translated(exists_is_an_answer=True):
                os.link(unfinished, target)  # unlike a rename it never takes the place of what is there
        finally:
            with suppress(OSError):
                unfinished.unlink()
        with self._translated():
            _sync_folder(target.parent)

    def read(self, path: str) -> Iterator[bytes]:
        with self._translated(missing_is_an_answer=True), (self._folder / path).open("rb") as file:
            while chunk := file.read(_READ_BYTES):
                yield chunk

    def older(self, folder: str, seconds: int) -> Iterator[str]:
        limit = time.time() - seconds
        with self._translated():
            for parent, _, names in os.walk(self._folder / folder):
                for path in (Path(parent, name) for name in names):
                    with suppress(FileNotFoundError):
                        if path.stat().st_mtime < limit:
                            yield str(path.relative_to(self._folder))

    def remove(self, path: str) -> None:
        with self._translated():
            (self._folder / path).unlink(missing_ok=True)

    def below(self, folder: str) -> Iterator[tuple[str, int]]:
        with self._translated():
            for parent, _, names in os.walk(self._folder / folder):
                for path in (Path(parent, name) for name in names):
                    with suppress(FileNotFoundError):
                        yield str(path.relative_to(self._folder)), path.stat().st_size

    def remove_all(self, paths: Sequence[str]) -> None:
        self.check()
        for path in paths:
            self.remove(path)

    def remove_folder(self, folder: str) -> None:
        with self._translated():
            for parent, _, _ in os.walk(self._folder / folder, topdown=False):
                with suppress(FileNotFoundError):
                    Path(parent).rmdir()
            if self._folder.is_dir():
                _sync_folder(self._folder)

    def check(self) -> None:
        if not self._folder.is_dir():
            raise BlobStoreUnreachable(where=self.root, reason="the folder is not there")

    def _write_durably(self, path: Path, chunks: Iterator[bytes]) -> None:
        with self._translated():
            _make_folder(path.parent)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "wb", buffering=0) as file:
            for chunk in chunks:
                with self._translated():
                    _write_all(file.fileno(), chunk)
            with self._translated():
                os.fsync(descriptor)

    @contextmanager
    def _translated(
        self, *, missing_is_an_answer: bool = False, exists_is_an_answer: bool = False
    ) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if (missing_is_an_answer and error.errno == errno.ENOENT) or (
                exists_is_an_answer and error.errno == errno.EEXIST
            ):
                raise
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise BlobStoreFull(where=self.root) from error
            raise BlobStoreUnreachable(where=self.root, reason=error.strerror or str(error)) from error


def _write_all(descriptor: int, chunk: bytes) -> None:
    rest = memoryview(chunk)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _make_folder(folder: Path) -> None:
    """Make a folder and the ones above it, so that a power cut takes none of them away again."""
    if folder.is_dir():
        return
    _make_folder(folder.parent)
    folder.mkdir(mode=0o700, exist_ok=True)
    _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
