"""Taking a backup: what the server streams goes compressed and sealed to its place, with no copy in between."""

from __future__ import annotations

import hashlib
import io
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from postroom import __version__
from postroom.errors import BackupError, UsageError
from postroom.ops.backup import arrangement, manifest, objects, wal
from postroom.ops.backup.count import QUERIES, Row, connected, row_counts, rows
from postroom.ops.backup.flush import wait_for_archive
from postroom.ops.backup.lock import one_at_a_time
from postroom.ops.backup.manifest import Kind, Manifest
from postroom.ops.backup.place import Place, packed, unpacked
from postroom.ops.backup.seal import BackupKey, sealed
from postroom.ops.backup.tar_watch import TarWatch
from postroom.ops.backup.tools import find_tool, streamed
from postroom.ops.provision import Site, open_site
from postroom.settings import Settings

BASE = "base.tar.zst"
PG_MANIFEST = "backup_manifest.zst"
SECRETS = "secrets.tar"
SECRET_FILES = ("secrets.json", "master.key", "signing.key")
"""What a restored store needs besides its data, from the home folder."""
Report = Callable[[int, int, str], None]


def take(settings: Settings, kind: Kind, report: Report) -> Manifest:
    """Take a backup of the embedded server. Raises BackupError; then there is none."""
    plan = arrangement.of_home(settings.home)
    if settings.database_url:
        raise UsageError(
            reason="POSTROOM_DATABASE_URL names a server of your own: its data folder is not ours to copy. "
            "Take a dump (postroom backup --kind dump), and let pgBackRest or your provider take the rest."
        )
    site = open_site(settings)
    with one_at_a_time(settings.home):
        place, key = plan.place(), plan.key()
        place.require_marker()
        manifest.clear_interrupted(place)
        return _Taking(settings, site, place, key, report).take(kind)


class Writer:
    """Writes the objects of one backup, and counts them."""

    def __init__(self, place: Place, key: BackupKey, backup_id: str) -> None:
        self._place, self._key, self._id = place, key, backup_id
        self.objects: dict[str, dict[str, Any]] = {}
        self._at_ms = time.time_ns() // 1_000_000

    def write(self, name: str, chunks: Iterable[bytes]) -> None:
        path = f"{manifest.FOLDER}/{self._id}/{name}"
        digest, size = hashlib.sha256(), 0

        def counted() -> Iterator[bytes]:
            nonlocal size
            for piece in sealed(self._key, path, chunks, at_ms=self._at_ms):
                digest.update(piece)
                size += len(piece)
                yield piece

        self._place.write(path, counted())
        self.objects[name] = {"bytes": size, "sha256": digest.hexdigest()}

    def clear_away(self) -> None:
        """Take them away again: it will be no backup."""
        try:
            self._place.remove_folder(f"{manifest.FOLDER}/{self._id}")
        except BackupError:
            pass  # the place is away; the next backup clears it


class _Taking:
    """One backup at work."""

    def __init__(self, settings: Settings, site: Site, place: Place, key: BackupKey, report: Report) -> None:
        self._settings, self._site, self._place, self._key = settings, site, place, key
        self._report = report

    def take(self, kind: Kind) -> Manifest:
        begun = datetime.now(UTC)
        backup_id = manifest.new_id(self._place, begun, kind)
        with connected(self._site.url("postgres")) as connection:
            known = rows(connection, QUERIES.identity)[0]
            parent = self._parent(kind, known["system_identifier"], known["server"])
            rows(connection, QUERIES.keep_log)
            before = row_counts(connection)
            writer = Writer(self._place, self._key, backup_id)
            try:
                watch = self._take_base(writer, known["server"], parent, known["size_bytes"])
                after = row_counts(connection)
                finished = datetime.now(UTC)
                copied = objects.copy_new(self._settings, self._place, self._key, self._report)
                if copied:
                    writer.write(objects.LIST, packed(objects.listed(copied)))
                writer.write(SECRETS, self._secrets())
                found = self._manifest(backup_id, kind, parent, known, watch, writer)
                made = Manifest(
                    **found,
                    begun_at=begun.isoformat(timespec="milliseconds"),
                    finished_at=finished.isoformat(timespec="milliseconds"),
                    rows={name: [before.get(name, 0), after.get(name, 0)] for name in after},
                    blobs=_blobs(copied),
                    key_id=self._key.id.hex(),
                )
                manifest.write(self._place, self._key, made)
            except BaseException:
                writer.clear_away()
                raise
            if copied:
                objects.note_copied(self._settings, copied)
            if known["archives"]:
                self._report(1, 1, "archive")
                wait_for_archive(
                    self._site,
                    wal.segment_of(made.stop_lsn, made.timeline),
                    f"The backup {made.id} is there, but ",
                )
        return made

    def _parent(self, kind: Kind, identifier: str, server: str) -> Manifest | None:
        found = [each for each in manifest.read_all(self._place) if each.kind != "dump"]
        if strangers := [each for each in found if each.system_identifier != identifier]:
            raise BackupError(
                reason=f"{self._place.root} holds backups of another server ({strangers[-1].id}).",
                mend="Choose another place: postroom backup enable --to PLACE.",
            )
        if kind != "incremental":
            return None
        if int(server.split(".")[0]) < 17:
            raise UsageError(
                reason=f"PostgreSQL {server} takes full backups only; incremental ones need 17: postroom backup --kind full."
            )
        if not found:
            raise UsageError(
                reason="There is no backup yet that an incremental one could build on: postroom backup --kind full."
            )
        manifest.chain_of(found, found[-1])
        return found[-1]

    def _take_base(self, writer: Writer, server: str, parent: Manifest | None, size: int) -> TarWatch:
        program = find_tool(self._settings, "pg_basebackup", int(server.split(".")[0]))
        watch = TarWatch(["backup_label", "backup_manifest"])
        with tempfile.TemporaryDirectory(prefix="backup-", dir=self._settings.home) as folder:
            options = [
                "--pgdata=-",
                "--format=tar",
                "--wal-method=fetch",
                "--checkpoint=fast",
                "--no-password",
            ]
            if parent:
                before = Path(folder) / "backup_manifest"
                with before.open("wb") as file:
                    for chunk in unpacked(self._place.open(self._key, parent.path(PG_MANIFEST))):
                        file.write(chunk)
                options.append(f"--incremental={before}")
            stream = streamed([program, *options], self._site.environment("email_replication"))

            def told() -> Iterator[bytes]:
                for chunk in watch.watch(stream):
                    self._report(watch.size_bytes, 0 if parent else size, "database")
                    yield chunk

            writer.write(BASE, packed(told()))
        writer.write(PG_MANIFEST, packed([watch.kept["backup_manifest"]]))
        return watch

    def _manifest(
        self,
        backup_id: str,
        kind: Kind,
        parent: Manifest | None,
        known: Row,
        watch: TarWatch,
        writer: Writer,
    ) -> dict[str, Any]:
        ranges = orjson.loads(watch.kept["backup_manifest"])["WAL-Ranges"]
        first, last = ranges[0], ranges[-1]
        server = str(known["server"])
        return {
            "id": backup_id,
            "kind": kind,
            "parent": parent.id if parent else None,
            "postroom": __version__,
            "server": server,
            "major": int(server.split(".")[0]),
            "system_identifier": known["system_identifier"],
            "timeline": last["Timeline"],
            "start_segment": wal.segment_of(first["Start-LSN"], first["Timeline"]),
            "stop_lsn": last["End-LSN"],
            "data_bytes": watch.size_bytes,
            "objects": writer.objects,
        }

    def _secrets(self) -> Iterator[bytes]:
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w") as tar:
            for name in SECRET_FILES:
                if (self._settings.home / name).exists():
                    tar.add(self._settings.home / name, name)
        yield out.getvalue()


def _blobs(copied: objects.Copied | None) -> dict[str, object]:
    if copied is None:
        return {}
    return {
        "root": copied.root,
        "storage_type": copied.storage_type,
        "count": len(copied.objects),
        "bytes": sum(size for _, size in copied.objects),
        "new": copied.new,
    }
