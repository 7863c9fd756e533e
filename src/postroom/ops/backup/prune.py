"""Letting old backups go: whole chains, the log before them, the blobs that no kept one lists."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from postroom.errors import BackupError, UsageError
from postroom.ops.backup import arrangement, objects, wal
from postroom.ops.backup import manifest as manifests
from postroom.ops.backup.lock import one_at_a_time
from postroom.ops.backup.manifest import Manifest
from postroom.ops.backup.place import unpacked
from postroom.ops.backup.rebuild import Source
from postroom.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """What went, and what stayed that would have gone."""

    removed: list[str]
    kept: list[str]
    kept_as_verified: str | None
    """The full backup of the last verified chain, where only that kept it."""
    segments: int
    blobs: int


def prune(settings: Settings, keep: int) -> Pruned:
    """Keep so many of the newest chains and dumps, and the last verified chain whatever its age. Raises BackupError."""
    if keep < 1:
        raise UsageError(reason="--keep is at least 1: the last backup is never let go.")
    plan = arrangement.of_home(settings.home)
    with one_at_a_time(settings.home):
        place = plan.place()
        place.require_marker()
        source = Source(settings, place, plan.archive(), plan.key())
        found = manifests.read_all(place)
        kept, as_verified = _kept(found, keep)
        gone = [each for each in found if each not in kept]
        for each in reversed(gone):  # what builds on a backup goes before it
            place.remove([each.path("manifest.json")])
            place.remove_folder(f"{manifests.FOLDER}/{each.id}")
        physical = [each for each in kept if each.kind != "dump"]
        return Pruned(
            removed=[each.id for each in gone],
            kept=[each.id for each in kept],
            kept_as_verified=as_verified,
            segments=_remove_log(source, physical),
            blobs=_remove_blobs(source, physical) if gone else 0,
        )


def _kept(found: Sequence[Manifest], keep: int) -> tuple[list[Manifest], str | None]:
    root = {each.id: whole for each in found if (whole := _root(found, each))}
    fulls = [each.id for each in found if each.kind == "full"]
    wanted = set(fulls[-keep:]) | {
        each.id for each in [each for each in found if each.kind == "dump"][-keep:]
    }
    verified = [each for each in found if each.verified_at and each.kind != "dump" and each.id in root]
    as_verified = None
    if verified:
        last = root[max(verified, key=lambda each: (each.verified_at or "", each.id)).id]
        as_verified = None if last in wanted else last
        wanted.add(last)
    return [each for each in found if root.get(each.id) in wanted], as_verified


def _root(found: Sequence[Manifest], each: Manifest) -> str | None:
    """The full backup that a backup goes back to, or the dump itself; None where the chain is broken."""
    try:
        return manifests.chain_of(found, each)[0].id
    except BackupError:
        return None


def _remove_log(source: Source, kept: Sequence[Manifest]) -> int:
    """What lies before the oldest backup leads nowhere any more."""
    if not kept:
        return 0
    start = min((each.start_segment for each in kept), key=lambda name: name[8:])
    old = [name for name, _ in source.archive.below("") if wal.lies_before(name, start)]
    source.archive.remove(old)
    return len(old)


def _remove_blobs(source: Source, kept: Sequence[Manifest]) -> int:
    needed: set[str] = set()
    for each in kept:
        if each.blobs:
            text = b"".join(unpacked(source.object(each, objects.LIST)))
            needed.update(f"{objects.POOL}/{path}" for path, _ in objects.objects_of(each, text))
    old = [path for path, _ in source.place.below(objects.POOL) if path not in needed]
    source.place.remove(old)
    return len(old)
