"""Archive: one file with all of a tenant. An ordinary tar, in zstd when its name ends in .zst.

    format                          "postroom tenant archive 1"
    rows/email_accounts/000001.csv  rows of a table, parents before children; the first line names the columns
    blobs/aa/<sha256>               bytes, as they are; behind the page of email_blobs that lists them
    manifest.json                   who, when, how many, and the SHA-256 of every member; it comes last

It grows under another name beside the target and gets the target's name when it is whole and on the disk.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn, Self

import orjson
import zstandard

from postroom.errors import TargetError, UsageError

VERSION = 1
MAGIC = "postroom tenant archive"
PART_BYTES = 8 * 1024 * 1024
"""A member with rows ends with the row that makes it this large."""
BLOCK = 512
_LEVEL = 3
_SUFFIXES = (".tar", ".tar.zst")


def rows_member(table: str, part: int) -> str:
    return f"rows/{table}/{part:06}.csv"


def blob_member(sha256: bytes) -> str:
    name = sha256.hex()
    return f"blobs/{name[:2]}/{name}"


@dataclass(slots=True)
class Contents:
    """What the members of an archive come to: counted while it is written, and again while it is read."""

    members: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Of rows: bytes and SHA-256."""
    blobs: int = 0
    blob_bytes: int = 0
    hashes: Any = field(default_factory=hashlib.sha256)
    """Over the names of the blobs, which are the hashes of their bytes, in their order."""

    def add_rows(self, name: str, size: int, sha256: str) -> None:
        self.members[name] = {"bytes": size, "sha256": sha256}

    def add_blob(self, sha256: bytes, size: int) -> None:
        self.blobs += 1
        self.blob_bytes += size
        self.hashes.update(sha256)

    def as_json(self) -> dict[str, Any]:
        blobs = {"count": self.blobs, "bytes": self.blob_bytes, "sha256": self.hashes.hexdigest()}
        return {"members": self.members, "blobs": blobs}


class ArchiveWriter:
    """Writes an archive: whole or not at all. Raises UsageError for a path that cannot be, TargetError later."""

    def __init__(self, path: Path) -> None:
        if not path.name.endswith(_SUFFIXES):
            raise UsageError(reason=f"{path} does not end in .tar or .tar.zst. Nothing was written.")
        if os.path.lexists(path):
            raise UsageError(reason=f"{path} is there already: name a path that is not. Nothing was written.")
        self._path = path
        self._part = path.with_name(f".{path.name}.part")
        self.contents = Contents()
        try:
            # What a killed export left has this name, too, and is written over.
            self._file = os.fdopen(os.open(self._part, os.O_RDWR | os.O_CREAT, 0o600), "wb")
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._file.truncate()
        except BlockingIOError:
            raise UsageError(reason=f"Another export writes {path} just now.") from None
        except OSError as error:
            self._failed(error)
        self._out: Any = self._file
        if path.name.endswith(".zst"):
            packer = zstandard.ZstdCompressor(level=_LEVEL, threads=-1, write_checksum=True)
            self._out = packer.stream_writer(self._file, closefd=False)
        self._add("format", f"{MAGIC} {VERSION}\n".encode())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self._file.close()
            self._part.unlink(missing_ok=True)

    def add_rows(self, table: str, part: int, data: bytes) -> None:
        name = rows_member(table, part)
        self.contents.add_rows(name, len(data), hashlib.sha256(data).hexdigest())
        self._add(name, data)

    def add_blob(self, sha256: bytes, data: bytes) -> None:
        self.contents.add_blob(sha256, len(data))
        self._add(blob_member(sha256), data)

    def begin_blob(self, sha256: bytes, size: int) -> None:
        """A blob that is too large to hold: its bytes follow by `write`, then comes `end`."""
        self.contents.add_blob(sha256, size)
        self._write(_header(blob_member(sha256), size))

    def write(self, piece: bytes) -> None:
        self._write(piece)

    def end(self, size: int) -> None:
        self._write(bytes(-size % BLOCK))

    def finish(self, manifest: dict[str, Any]) -> bytes:
        """Add the manifest, and give the file its name; the SHA-256 of the manifest."""
        text = orjson.dumps(manifest | self.contents.as_json(), option=orjson.OPT_INDENT_2)
        self._add("manifest.json", text)
        self._write(bytes(2 * BLOCK))
        try:
            if self._out is not self._file:
                self._out.close()
            self._file.flush()
            os.fsync(self._file.fileno())
            os.replace(self._part, self._path)
            _sync_folder(self._path.parent)
            self._file.close()
        except OSError as error:
            self._failed(error)
        return hashlib.sha256(text).digest()

    def _add(self, name: str, data: bytes) -> None:
        self._write(_header(name, len(data)), data, bytes(-len(data) % BLOCK))

    def _write(self, *pieces: bytes) -> None:
        try:
            for piece in pieces:
                self._out.write(piece)
        except OSError as error:
            self._failed(error)

    def _failed(self, error: OSError) -> NoReturn:
        is_full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        mend = (
            "Free some space or name a path on another disk" if is_full else "Mend that or name another path"
        )
        raise TargetError(
            where=str(self._path), reason=error.strerror or str(error), mend=f"{mend}, then export again."
        ) from error


def joined(columns: Iterable[str]) -> bytes:
    """The first line of a member with rows."""
    return ",".join(columns).encode() + b"\n"


def _header(name: str, size: int) -> bytes:
    """A plain header of POSIX.1-1988 (ustar); a size from 8 GB on as GNU tar writes it."""
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, 0o600
    return info.tobuf(tarfile.GNU_FORMAT if size >= 8**11 else tarfile.USTAR_FORMAT)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
