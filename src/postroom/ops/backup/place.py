"""Place: the folder or bucket that backups go to. What is put there is whole and on the disk, or not there."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import zstandard

from postroom.blobs.local import LocalShelf
from postroom.blobs.objects import Shelf
from postroom.errors import BackupError, BlobStoreFull, BlobStoreUnreachable, UsageError
from postroom.ops.backup.seal import BackupKey, opened, sealed

MARKER = "postroom-backup.json"
WAL = "wal"
_LEVEL = 3


class Place:
    """Objects by their path; those that are sealed are compressed before. Errors are BackupError."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self.root = shelf.root

    def write(self, path: str, chunks: Iterable[bytes]) -> None:
        with self._told():
            self._shelf.write(path, iter(chunks))

    def write_new(self, path: str, content: bytes) -> None:
        """Raises FileExistsError when there is an object of this path."""
        with self._told():
            self._shelf.write_new(path, content)

    def read(self, path: str) -> Iterator[bytes]:
        """Raises FileNotFoundError when there is no object of this path."""
        with self._told():
            yield from self._shelf.read(path)

    def has(self, path: str) -> bool:
        try:
            next(self.read(path), b"")
        except FileNotFoundError:
            return False
        return True

    def below(self, folder: str, *, with_unfinished: bool = False) -> list[tuple[str, int]]:
        """The objects below a folder with their sizes, in the order of their names."""
        with self._told():
            found = [
                each for each in self._shelf.below(folder) if with_unfinished or not _is_unfinished(each[0])
            ]
        return sorted(found)

    def remove(self, paths: list[str]) -> None:
        with self._told():
            for start in range(0, len(paths), 1000):
                self._shelf.remove_all(paths[start : start + 1000])

    def remove_folder(self, folder: str) -> None:
        """Take away everything below, unfinished objects included."""
        with self._told():
            self._shelf.remove_all([path for path, _ in self._shelf.below(folder)])
            self._shelf.remove_folder(folder)

    def seal(self, key: BackupKey, path: str, chunks: Iterable[bytes], *, at_ms: int) -> None:
        self.write(path, sealed(key, path, chunks, at_ms=at_ms))

    def open(self, key: BackupKey, path: str) -> Iterator[bytes]:
        return opened(key, path, self.read(path))

    def check(self) -> None:
        with self._told():
            self._shelf.check()

    def require_marker(self) -> None:
        """An empty mount point, or a folder of something else, is no place for backups."""
        try:
            text = b"".join(self.read(MARKER))
            if json.loads(text)["format"] != 1:
                raise BackupError(reason=f"{self.root} was made by a newer Postroom.", mend="Use that one.")
        except FileNotFoundError:
            raise BackupError(
                reason=f"There are no backups at {self.root}: it holds no {MARKER}.",
                mend="If it is a disk, mount it; else choose a place with: postroom backup enable --to PLACE.",
            ) from None
        except (ValueError, KeyError, TypeError):
            raise BackupError(
                reason=f"The file {self.root}/{MARKER} is damaged; nothing was changed.",
                mend='Write {"format": 1} into it.',
            ) from None

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except BlobStoreFull as error:
            raise BackupError(
                reason=f"There is no space left at {self.root}; nothing half-written is left there.",
                mend="Free some, or let old backups go: postroom backup prune --keep 2.",
            ) from error
        except BlobStoreUnreachable as error:
            raise BackupError(
                reason=f"The place of the backups, {self.root}, cannot be used: {error.fields['reason']}.",
                mend="Bring it back, and run the command again.",
            ) from error


def place_at(to: str, *, endpoint: str | None) -> Place:
    """`/folder` or `s3://bucket/prefix`. Raises UsageError for anything else."""
    if to.startswith("s3://") and (rest := to.removeprefix("s3://").strip("/")):
        from postroom.blobs.s3 import S3Shelf  # the archive of a folder starts faster without it

        bucket, _, prefix = rest.partition("/")
        return Place(S3Shelf(bucket, prefix.strip("/"), endpoint=endpoint))
    if "://" in to or not to:
        raise UsageError(reason=f"{to!r} is no place for backups; write a folder or s3://bucket/prefix.")
    return Place(LocalShelf(Path(to).expanduser().absolute()))


def packed(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Compressed with zstd (RFC 8878)."""
    packer = zstandard.ZstdCompressor(level=_LEVEL).compressobj()
    for chunk in chunks:
        if out := packer.compress(chunk):
            yield out
    yield packer.flush()


def unpacked(chunks: Iterable[bytes]) -> Iterator[bytes]:
    unpacker = zstandard.ZstdDecompressor().decompressobj()
    for chunk in chunks:
        if out := unpacker.decompress(chunk):
            yield out


def _is_unfinished(path: str) -> bool:
    return path.rpartition("/")[2].startswith(".")
