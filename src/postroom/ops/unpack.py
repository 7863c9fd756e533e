"""Unpack: an archive of a tenant read member by member. Nothing in it is believed, and nothing is put on the disk."""

from __future__ import annotations

import hashlib
import re
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn
from uuid import UUID

import orjson
import zstandard

from postroom.errors import ArchiveRefused
from postroom.model import TenantId
from postroom.ops.archive import BLOCK, MAGIC, VERSION, Contents

_ROWS = re.compile(r"rows/([a-z_][a-z0-9_]{0,62})/(\d{6,9})\.csv")
_BLOB = re.compile(r"blobs/([0-9a-f]{2})/((?:\1)[0-9a-f]{62})")
_PIECE_BYTES = 1024 * 1024
_MANIFEST_BYTES = 256 * 1024 * 1024
_ZSTD = b"\x28\xb5\x2f\xfd"


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One member; its bytes must be taken before the next."""

    name: str
    size: int
    pieces: Iterator[bytes]
    table: str | None = None
    sha256: bytes | None = None
    """Of a blob: what its bytes must come to."""

    def read(self) -> bytes:
        return b"".join(self.pieces)


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What an archive says of itself, once it was found true."""

    tenant_id: TenantId
    name: str
    schema_version: int
    tables: dict[str, dict[str, Any]]
    """By name: its columns, and how many rows."""
    key_id: str | None
    """Of the key that opens the credentials; None where they were left out."""
    members: dict[str, dict[str, Any]]
    blobs: int

    @property
    def rows(self) -> int:
        return sum(each["rows"] for each in self.tables.values())


def check(path: Path) -> Manifest:
    """Read all of an archive, and compare every member with the manifest. Raises ArchiveRefused."""
    contents, said, last = Contents(), None, b""
    for member in members(path):
        if said is not None:
            refuse(path, f"{member.name} stands behind the manifest")
        if member.name == "manifest.json":
            if member.size > _MANIFEST_BYTES:
                refuse(path, "the manifest is too large")
            said = member.read()
            continue
        digest = hashlib.sha256()
        for piece in member.pieces:
            digest.update(piece)
        if member.sha256 is None:
            if member.name in contents.members:
                refuse(path, f"{member.name} is in it twice")
            contents.add_rows(member.name, member.size, digest.hexdigest())
            continue
        if digest.digest() != member.sha256:
            refuse(path, f"the bytes of {member.name} are not those that its name promises")
        if member.sha256 <= last:
            refuse(path, f"{member.name} is not in its place")
        last = member.sha256
        contents.add_blob(member.sha256, member.size)
    if said is None:
        refuse(path, "its end is missing", "Copy it again from where it was made.")
    return _manifest(path, said, contents)


def members(path: Path) -> Iterator[Member]:
    """All members but the first, which says what the file is. Raises ArchiveRefused."""
    with _plain(path) as read:
        try:
            first = _next(path, read)
        except ArchiveRefused:
            first = None  # whatever is wrong with it, it is not ours
        said = first.read() if first and first.name == "format" and first.size < BLOCK else b""
        match = re.fullmatch(rf"{MAGIC} (\d+)\n", said.decode("ascii", "replace"))
        if not match:
            refuse(path, "it does not begin like one")
        if int(match[1]) != VERSION:
            reason = f"it has version {match[1]} of the format, and this program reads version {VERSION}"
            refuse(path, reason, "Use the Postroom that wrote it, or one that is newer.")
        while member := _next(path, read):
            yield member
            for _ in member.pieces:
                pass  # whatever was not taken


def refuse(path: Path, reason: str, mend: str = "") -> NoReturn:
    raise ArchiveRefused(where=str(path), reason=reason, mend=mend)


def _next(path: Path, read: Any) -> Member | None:
    block = _exactly(path, read, BLOCK)
    if not any(block):
        return None
    try:
        info = tarfile.TarInfo.frombuf(block, "utf-8", "strict")
    except (tarfile.HeaderError, UnicodeDecodeError):
        refuse(path, "a header in it is damaged", "Copy it again from where it was made.")
    rows, blob = _ROWS.fullmatch(info.name), _BLOB.fullmatch(info.name)
    if not (rows or blob or info.name in ("format", "manifest.json")) or info.type != tarfile.REGTYPE:
        outside = info.name.startswith("/") or ".." in info.name.split("/")
        refuse(path, f"{info.name!r} " + ("leads out of it" if outside else "does not belong into one"))
    return Member(
        name=info.name,
        size=info.size,
        pieces=_pieces(path, read, info.size),
        table=rows[1] if rows else None,
        sha256=bytes.fromhex(blob[2]) if blob else None,
    )


def _pieces(path: Path, read: Any, size: int) -> Iterator[bytes]:
    rest = size
    while rest:
        piece = _exactly(path, read, min(rest, _PIECE_BYTES))
        rest -= len(piece)
        yield piece
    _exactly(path, read, -size % BLOCK)


def _exactly(path: Path, read: Any, size: int) -> bytes:
    """So many bytes: less means that the file was cut off."""
    found = bytearray()
    try:
        while len(found) < size and (piece := read(size - len(found))):
            found += piece
    except (zstandard.ZstdError, OSError) as error:
        refuse(path, f"it cannot be read ({error})", "Copy it again from where it was made.")
    if len(found) < size:
        refuse(path, "its end is missing", "Copy it again from where it was made.")
    return bytes(found)


@contextmanager
def _plain(path: Path) -> Iterator[Any]:
    """The bytes of the tar, whether it is compressed or not."""
    try:
        file = path.open("rb")
    except OSError as error:
        refuse(path, f"it cannot be opened ({error.strerror})")
    with file:
        try:
            is_packed = file.read(len(_ZSTD)) == _ZSTD
            file.seek(0)
        except OSError as error:
            refuse(path, f"it cannot be read ({error.strerror})")
        if not is_packed:
            yield file.read
            return
        with zstandard.ZstdDecompressor().stream_reader(file, closefd=False) as plain:
            yield plain.read


def _manifest(path: Path, text: bytes, contents: Contents) -> Manifest:
    try:
        said = orjson.loads(text)
        manifest = Manifest(
            tenant_id=TenantId(UUID(said["tenant"]["id"])),
            name=str(said["tenant"]["name"]),
            schema_version=int(said["schema_version"]),
            tables={
                str(name): {"columns": tuple(map(str, each["columns"])), "rows": int(each["rows"])}
                for name, each in said["tables"].items()
            },
            key_id=said["credentials"]["key_id"],
            members=said["members"],
            blobs=said["blobs"]["count"],
        )
        found = contents.as_json()
        agrees = said["blobs"] == found["blobs"]
        wrong = [
            name
            for name in {**said["members"], **found["members"]}
            if said["members"].get(name) != found["members"].get(name)
        ]
    except (ValueError, TypeError, KeyError, AttributeError):
        refuse(path, "its manifest is damaged", "Copy it again from where it was made.")
    if wrong or not agrees:
        refuse(path, f"{wrong[0] if wrong else 'the list of blobs'} is not what the manifest says")
    return manifest
