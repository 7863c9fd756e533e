"""The archive of the log: every segment once, never replaced by another content."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from pathlib import Path

import zstandard

from postroom.errors import BackupError
from postroom.ops.backup.place import WAL, Place
from postroom.ops.backup.seal import BackupKey, opened, sealed, sealed_at

SEGMENT_BYTES = 16 * 1024 * 1024
_SEGMENT = re.compile(r"[0-9A-F]{24}")
_NAMES = re.compile(r"[0-9A-F]{24}(\.partial|\.[0-9A-F]{8}\.backup)?|[0-9A-F]{8}\.history")
_PER_LOG = 2**32 // SEGMENT_BYTES


def push(archive: Place, key: BackupKey, path: Path, name: str) -> None:
    """Put a file of the log into the archive; done as well when the same is there already.

    Raises BackupError when another content is there: then two servers write to one archive.
    """
    if not _NAMES.fullmatch(name):
        raise BackupError(reason=f"{name} is no name of a file of the log.")
    archive.check()
    content = path.read_bytes()
    now_ms = time.time_ns() // 1_000_000
    box = b"".join(sealed(key, f"{WAL}/{name}", [zstandard.compress(content, 1)], at_ms=now_ms))
    try:
        archive.write_new(name, box)
    except FileExistsError:
        if fetched(archive, key, name) != content:
            raise BackupError(
                reason=f"{archive.root} has another {name} already: another server writes there. It was left as it is.",
                mend="Give this server a place of its own: postroom backup enable --to PLACE.",
            ) from None


def fetched(archive: Place, key: BackupKey, name: str) -> bytes:
    """A file of the log. Raises FileNotFoundError, or BackupDamaged."""
    packed = b"".join(opened(key, f"{WAL}/{name}", archive.read(name)))
    return zstandard.decompress(packed, max_output_size=2 * SEGMENT_BYTES)


def pushed_at(archive: Place, name: str) -> int:
    """When a file came into the archive, in milliseconds."""
    return sealed_at(f"{WAL}/{name}", archive.read(name))


def segments(archive: Place) -> list[str]:
    """The names of the whole segments that are there, oldest first."""
    return [name for name, _ in archive.below("") if _SEGMENT.fullmatch(name)]


def following(name: str) -> str:
    """The segment after this one, on the same timeline."""
    number = _number(name) + 1
    return f"{name[:8]}{number // _PER_LOG:08X}{number % _PER_LOG:08X}"


def first_gap(names: Iterable[str], start: str) -> tuple[str, str] | None:
    """From a segment on: the first that is missing though a later one of its timeline is there, and that later one."""
    there = sorted(name for name in names if name[:8] == start[:8] and name >= start)
    wanted = start
    for name in there:
        if name != wanted:
            return wanted, name
        wanted = following(name)
    return None


def lies_before(name: str, start: str) -> bool:
    """Whether a file of the log is needed by no backup that begins with this segment, whatever its timeline."""
    return bool(re.match(r"[0-9A-F]{24}", name)) and name[8:24] < start[8:24]


def segment_of(lsn: str, timeline: int) -> str:
    """The name of the segment that holds a position such as 0/2000028."""
    high, low = (int(part, 16) for part in lsn.split("/"))
    return f"{timeline:08X}{high:08X}{low // SEGMENT_BYTES:08X}"


def _number(name: str) -> int:
    return int(name[8:16], 16) * _PER_LOG + int(name[16:24], 16)
