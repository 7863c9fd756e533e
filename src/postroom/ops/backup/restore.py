"""Restoring: a store of its own in another folder, as everything was at one moment. The living one is not touched."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psycopg

from postroom.blobs import Blobs
from postroom.blobs.objects import object_path
from postroom.errors import BackupError, UsageError
from postroom.model import TenantId
from postroom.ops.backup import manifest as manifests
from postroom.ops.backup import objects
from postroom.ops.backup.count import QUERIES, Row, connected, rows
from postroom.ops.backup.manifest import Manifest
from postroom.ops.backup.rebuild import Source, secrets_of
from postroom.ops.backup.scratch import Recovered, recovered
from postroom.ops.backup.target import Target
from postroom.ops.backup.verify import Verdict, examine
from postroom.ops.home import Home, Marker, sync_names, write_private
from postroom.ops.postmaster import find_postmaster, free_port
from postroom.ops.server_user import ServerUser, server_user

Report = Callable[[int, int, str], None]
_LAST = re.compile(r"last completed transaction was at log time (\S+ \S+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """A store that only waits to be started."""

    folder: Path
    backup: str
    segments: int
    """Files of the log that were replayed."""
    last_transaction_at: str | None
    """The last one that is in it, where the log told."""
    verdict: Verdict
    blob_store: str | None
    """What POSTROOM_BLOB_STORE must be for it; None for a store with its blobs in the database."""
    blobs: int
    blobs_missing: int
    """Objects that rows name and that neither the backups nor the store itself hold."""


def restore(source: Source, target: Target, folder: Path, report: Report) -> Restored:
    """Make a store in a folder that is empty or not there. Raises UsageError, NotFound, BackupError; then it is as before."""
    _refuse(folder, target)
    chain = source.chain(manifests.read_all(source.place), target)
    last = chain[-1]
    user = server_user(folder / "postgres")
    was_there = _make(folder, user)
    try:
        with recovered(source, chain, target, report, folder=folder, user=user, durable=True) as server:
            exact = target.backup_id is not None
            verdict = examine(source, last, server, report, exact=exact)
            if verdict.faults:
                raise BackupError(
                    reason=f"What was restored from {last.id} is not whole: {'; '.join(verdict.faults[:3])}.",
                    mend="Nothing was left there; try another backup: postroom backup list.",
                )
            blob_store, brought, missing = _bring_objects(source, last, server, folder, report)
            last_at = _last_transaction(server)
            segments = len(server.segments)
            major, version = server.binaries.major, server.binaries.version
        _finish(source, last, folder, major, version)
    except BaseException:
        _clear_away(folder, was_there=was_there)
        raise
    return Restored(
        folder=folder,
        backup=last.id,
        segments=segments,
        last_transaction_at=last_at,
        verdict=verdict,
        blob_store=blob_store,
        blobs=brought,
        blobs_missing=missing,
    )


def _refuse(folder: Path, target: Target) -> None:
    if find_postmaster(folder / "postgres") or find_postmaster(folder):
        raise UsageError(
            reason=f"A server lives in {folder}; nothing was changed. Restore into a new folder, and switch to that."
        )
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(
            reason=f"{folder} is not empty; nothing was changed. Name a folder that is not there yet."
        )
    if target.time and target.time > datetime.now(UTC):
        raise UsageError(reason=f"{target} is still to come.")


def _make(folder: Path, user: ServerUser) -> bool:
    """The folder, which the server's user can enter; whether it was there."""
    try:
        was_there = folder.exists()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if user.is_another:
            folder.chmod(0o711)
    except OSError as error:
        raise BackupError(
            reason=f"{folder} cannot be made: {error.strerror}.", mend="Choose another folder."
        ) from error
    if not user.can_enter(folder):
        raise BackupError(
            reason=f"The user {user.name}, as whom the server runs, cannot reach {folder}.",
            mend="Choose a folder that everybody can enter.",
        )
    return was_there


def _bring_objects(
    source: Source, last: Manifest, server: Recovered, folder: Path, report: Report
) -> tuple[str | None, int, int]:
    """The objects of the rows that were restored: into the new folder, or back into the bucket where it lost some."""
    if not last.blobs:
        return None, 0, 0
    local = last.blobs["storage_type"] == "local"
    place = f"local:{folder / 'blobs'}" if local else str(last.blobs["root"])
    shelf = Blobs(source.settings).shelf_at(
        last.blobs["storage_type"], str(folder / "blobs") if local else place
    )
    with connected(server.url()) as connection:
        found = rows(connection, QUERIES.objects_by_tenant)
        if not local:  # examine() had them look into the scratch folder
            _move_rows_back(connection, last, folder / "blobs")
    wanted = sorted(
        object_path(TenantId(row["tenant_id"]), bytes(row["sha256"]), row["codec"]) for row in found
    )
    if not local:
        shutil.rmtree(folder / "blobs", ignore_errors=True)
    there = {path for path, _ in shelf.below("")}
    absent = [path for path in wanted if path not in there]
    missing = objects.bring_back(source.place, source.key, _told(absent, report), shelf)
    still = (
        objects.from_the_store(objects.living_shelf(source.settings, last), missing, shelf)
        if local
        else missing
    )
    return place, len(wanted), len(still)


def _move_rows_back(connection: psycopg.Connection[Row], last: Manifest, folder: Path) -> None:
    """The bucket is where it was."""
    values = {"old": str(last.blobs["root"]), "new": str(folder)}
    connection.execute(QUERIES.move_objects_back.text.encode(), values)


def _told(paths: list[str], report: Report) -> list[str]:
    report(0, len(paths), "blobs")
    return paths


def _last_transaction(server: Recovered) -> str | None:
    found = _LAST.findall(server.log.read_text(errors="replace"))
    return found[-1] if found else None


def _finish(source: Source, last: Manifest, folder: Path, major: int, version: str) -> None:
    """Make the folder a home: the data by its name, passwords and keys, and the marker, which makes it one."""
    home = Home(folder)
    os.replace(folder / "data", home.data)
    for name, content in secrets_of(source, last).items():
        write_private(folder / name, content.decode())
    now = datetime.now(UTC).isoformat(timespec="seconds")
    home.write_marker(Marker(major=major, version=version, port=free_port(), created=now))
    sync_names(folder)


def _clear_away(folder: Path, *, was_there: bool) -> None:
    if not folder.is_dir():
        return
    for each in folder.iterdir():
        if each.is_dir() and not each.is_symlink():
            shutil.rmtree(each, ignore_errors=True)
        else:
            each.unlink(missing_ok=True)
    if not was_there:
        folder.rmdir()
