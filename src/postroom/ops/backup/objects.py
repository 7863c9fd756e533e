"""Blobs outside the database: each object is copied once, whichever backups need it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from postroom.blobs import Blobs, kept
from postroom.blobs.objects import Shelf
from postroom.errors import BackupError, BlobStoreUnreachable
from postroom.ops.backup.manifest import Manifest
from postroom.ops.backup.place import Place
from postroom.ops.backup.seal import BackupKey
from postroom.ops.home import write_private
from postroom.settings import Settings

POOL = "blobs"
LIST = "blobs.list"
_WRITERS = 4
_NAME_CHARACTERS = 64
Report = Callable[[int, int, str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Copied:
    """What lies on the shelf, all of it in the backups now."""

    root: str
    storage_type: str
    objects: list[tuple[str, int]]
    new: int
    begun_ms: int


def copy_new(settings: Settings, place: Place, key: BackupKey, report: Report) -> Copied | None:
    """Copy what the backups do not hold yet. None for a store that keeps its blobs in the database.

    It comes after the database's own backup: then every row in that one has its object here.
    """
    shelf = Blobs(settings).home_shelf
    if shelf is None:
        return None
    begun_ms = time.time_ns() // 1_000_000
    objects = sorted((path, size) for path, size in shelf.below("") if _is_object(path))
    there = {path for path, _ in place.below(POOL)}
    missing = [path for path, _ in objects if f"{POOL}/{path}" not in there]
    done = 0

    def copy(path: str) -> None:
        # One that is gone by now belonged to a row that was purged before any of our backups ended.
        try:
            place.seal(key, f"{POOL}/{path}", shelf.read(path), at_ms=begun_ms)
        except FileNotFoundError:
            pass

    with ThreadPoolExecutor(_WRITERS) as writers:
        for _ in writers.map(copy, missing):
            done += 1
            report(done, len(missing), "blobs")
    return Copied(
        root=shelf.root, storage_type=shelf.storage_type, objects=objects, new=len(missing), begun_ms=begun_ms
    )


def note_copied(settings: Settings, copied: Copied) -> None:
    """From now on objects that were written before may go."""
    write_private(settings.home / kept.FILE, f"{copied.begun_ms}\n")


def listed(copied: Copied) -> Iterator[bytes]:
    """The list of the objects, for the backup."""
    for path, size in copied.objects:
        yield f"{size} {path}\n".encode()


def objects_of(manifest: Manifest, text: bytes) -> list[tuple[str, int]]:
    """The objects of a backup from its list."""
    found = [line.split(" ", 1) for line in text.decode().splitlines()]
    if len(found) != manifest.blobs["count"]:
        raise BackupError(
            reason=f"The list of blobs of {manifest.id} is not whole.", mend="Use another backup."
        )
    return [(path, int(size)) for size, path in found]


def bring_back(place: Place, key: BackupKey, paths: Iterable[str], shelf: Shelf) -> list[str]:
    """Copy objects from the backups to a shelf; the paths of those that the backups do not hold."""
    missing: list[str] = []

    def bring(path: str) -> None:
        try:
            shelf.write(path, place.open(key, f"{POOL}/{path}"))
        except FileNotFoundError:
            missing.append(path)

    with ThreadPoolExecutor(_WRITERS) as writers:
        for _ in writers.map(bring, paths):
            pass
    return sorted(missing)


def living_shelf(settings: Settings, manifest: Manifest) -> Shelf:
    """Where the objects of the store lay when the backup was taken."""
    return Blobs(settings).shelf_at(str(manifest.blobs["storage_type"]), str(manifest.blobs["root"]))


def from_the_store(living: Shelf, paths: Iterable[str], shelf: Shelf) -> list[str]:
    """What came after the last backup lies where it was written, if that is still there; the paths of what does not."""
    missing: list[str] = []
    for path in paths:
        try:
            shelf.write(path, living.read(path))
        except (FileNotFoundError, BlobStoreUnreachable):
            missing.append(path)
    return missing


def _is_object(path: str) -> bool:
    """Not what is being written, and not the mark of an import."""
    name = path.rpartition("/")[2].removesuffix(".zst")
    return len(name) == _NAME_CHARACTERS and not name.startswith(".")
