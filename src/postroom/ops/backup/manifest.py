"""Manifest: what a backup holds. It is written last: a backup without one was interrupted."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Literal

import orjson

from postroom.errors import BackupDamaged, BackupError, NotFound
from postroom.ops.backup.place import Place
from postroom.ops.backup.seal import BackupKey, wrong_key

Kind = Literal["full", "incremental", "dump"]
FOLDER = "backups"
_FORMAT = 1
_NAME, _VERIFIED = "manifest.json", "verified.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """One backup."""

    id: str
    kind: Kind
    parent: str | None
    """What an incremental backup builds on."""
    postroom: str
    server: str
    major: int
    system_identifier: str
    timeline: int
    start_segment: str
    """The first file of the log that it needs."""
    stop_lsn: str
    begun_at: str
    finished_at: str
    """ISO 8601, UTC. From this moment on it can be restored to any second that the archive reaches."""
    data_bytes: int
    """Unpacked."""
    objects: dict[str, dict[str, Any]]
    """By name: bytes and SHA-256 as they lie at the place."""
    rows: dict[str, list[int]]
    """By table: how many there were when the backup began and when it ended."""
    blobs: dict[str, Any] = field(default_factory=dict)
    """Of a store with blobs outside the database: where they lie, how many, and their bytes."""
    key_id: str = ""
    verified_at: str | None = None

    @property
    def stored_bytes(self) -> int:
        return sum(each["bytes"] for each in self.objects.values())

    @property
    def finished(self) -> datetime:
        return datetime.fromisoformat(self.finished_at)

    def path(self, name: str) -> str:
        return f"{FOLDER}/{self.id}/{name}"


def new_id(place: Place, begun: datetime, kind: Kind) -> str:
    """A name that no backup has: the second it was begun in, or the next one where two are taken within one."""
    while place.below(f"{FOLDER}/{begun:%Y%m%d-%H%M%S}-{kind}"):
        begun += timedelta(seconds=1)
    return f"{begun:%Y%m%d-%H%M%S}-{kind}"


def write(place: Place, key: BackupKey, manifest: Manifest) -> None:
    """Now the backup is one."""
    values = {**asdict(replace(manifest, key_id=key.id.hex())), "format": _FORMAT}
    del values["verified_at"]
    place.write(manifest.path(_NAME), [orjson.dumps(values | {"mac": key.mac(_canonical(values))})])


def mark_verified(place: Place, manifest: Manifest, at: datetime) -> None:
    place.write(manifest.path(_VERIFIED), [orjson.dumps({"verified_at": at.isoformat(timespec="seconds")})])


def read_all(place: Place) -> list[Manifest]:
    """Every whole backup, oldest first. Raises BackupDamaged."""
    paths = {path for path, _ in place.below(FOLDER)}
    found = [_read(place, path, paths) for path in sorted(paths) if path.endswith(f"/{_NAME}")]
    return sorted(found, key=lambda each: (each.finished_at, each.id))


def clear_interrupted(place: Place) -> None:
    """Take away what is left of backups that never ended."""
    for folder in interrupted(place):
        place.remove_folder(folder)


def interrupted(place: Place) -> list[str]:
    """The folders of backups that never ended."""
    paths = [path for path, _ in place.below(FOLDER, with_unfinished=True)]
    whole = {path.split("/")[1] for path in paths if path.endswith(f"/{_NAME}")}
    return sorted(
        {f"{FOLDER}/{path.split('/')[1]}" for path in paths} - {f"{FOLDER}/{each}" for each in whole}
    )


def prove(place: Place, key: BackupKey, manifest: Manifest) -> None:
    """Whether this key wrote the manifest. Raises BackupError for another key, BackupDamaged for another manifest."""
    if manifest.key_id != key.id.hex():
        raise wrong_key(bytes.fromhex(manifest.key_id))
    values = orjson.loads(b"".join(place.read(manifest.path(_NAME))))
    mac = values.pop("mac", "")
    if not hmac.compare_digest(str(mac), key.mac(_canonical(values))):
        raise _damaged(manifest.path(_NAME), "somebody changed it")


def chosen(found: Sequence[Manifest], backup_id: str) -> Manifest:
    """Raises NotFound."""
    for each in found:
        if each.id == backup_id:
            return each
    raise NotFound(what="backup", name=backup_id, mend="See what there is: postroom backup list.")


def chain_of(found: Sequence[Manifest], last: Manifest) -> list[Manifest]:
    """The full backup that this one goes back to, and all between. Raises BackupError when there is no such chain."""
    by_id = {each.id: each for each in found}
    chain = [last]
    while parent := chain[0].parent:
        if parent not in by_id or by_id[parent] in chain:
            why = "which builds on it" if parent in by_id else "which is not there"
            raise BackupError(
                reason=f"The backup {chain[0].id} builds on {parent}, {why}.",
                mend="Use another one: postroom backup list.",
            )
        chain.insert(0, by_id[parent])
    return chain


def hashed(place: Place, manifest: Manifest, name: str) -> Iterator[bytes]:
    """The bytes of an object of the backup as they lie there. Raises BackupDamaged behind the last one."""
    digest, path = hashlib.sha256(), manifest.path(name)
    try:
        for chunk in place.read(path):
            digest.update(chunk)
            yield chunk
    except FileNotFoundError:
        raise _damaged(path, "it is not there") from None
    if digest.hexdigest() != manifest.objects[name]["sha256"]:
        raise _damaged(path, "its SHA-256 is another one")


def _read(place: Place, path: str, paths: set[str]) -> Manifest:
    try:
        values = orjson.loads(b"".join(place.read(path)))
        if values.pop("format") != _FORMAT:
            raise BackupError(reason=f"{path} was written by a newer Postroom.", mend="Use that one.")
        values.pop("mac")
        verified = path.replace(_NAME, _VERIFIED)
        if verified in paths:
            values["verified_at"] = orjson.loads(b"".join(place.read(verified)))["verified_at"]
        return Manifest(**values)
    except (ValueError, TypeError, KeyError, AttributeError, FileNotFoundError):
        raise _damaged(path, "it cannot be read") from None


def _canonical(values: dict[str, Any]) -> bytes:
    return orjson.dumps(values, option=orjson.OPT_SORT_KEYS)


def _damaged(path: str, why: str) -> BackupDamaged:
    return BackupDamaged(
        reason=f"{path} in the backup is not what was written: {why}.",
        mend="Use another backup, or another copy of this one.",
    )
