"""Verifying: a backup is a backup when a server started from it answers, and answers rightly."""

from __future__ import annotations

import asyncio
import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import psycopg

from postroom.blobs import Blobs
from postroom.blobs.objects import Shelf, object_path
from postroom.blobs.store import find
from postroom.errors import BackupError, BlobDamaged, BlobMissing, PostroomError
from postroom.mime.recipe import Recipe
from postroom.model import TenantId
from postroom.ops.backup import arrangement, manifest, objects
from postroom.ops.backup.count import QUERIES, Row, connected, row_counts, rows
from postroom.ops.backup.dump import load
from postroom.ops.backup.manifest import Manifest
from postroom.ops.backup.place import unpacked
from postroom.ops.backup.rebuild import Source
from postroom.ops.backup.scratch import Recovered, new_folder, scratch
from postroom.ops.backup.target import Target
from postroom.ops.cluster import Cluster
from postroom.ops.server_user import server_user
from postroom.settings import Settings
from postroom.store.database import Database, TenantTx

_SAMPLE = 200
_EXEMPT = ["email_moves"]
"""What the server knows of moves of tenants is the operators' business."""
Report = Callable[[int, int, str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What was looked at, and what is wrong."""

    backup: str
    tables: int
    rows: int
    messages: int
    """Put together and held against their hashes."""
    blobs: int
    """Objects outside the database that the backups hold for it."""
    faults: list[str] = field(default_factory=list)


def source_of(settings: Settings, *, plan: arrangement.Arrangement | None = None) -> Source:
    """The backups of this store, or those that are named. Raises BackupError."""
    plan = plan or arrangement.of_home(settings.home)
    place = plan.place()
    place.require_marker()
    return Source(settings, place, plan.archive(), plan.key())


def verify(
    settings: Settings, backup_id: str | None, report: Report, *, parent: Path | None = None
) -> Verdict:
    """Restore a backup (without a name: the newest) into a scratch server and look at it. Raises BackupError."""
    source = source_of(settings)
    found = manifest.read_all(source.place)
    physical = [each for each in found if each.kind != "dump"]
    if not physical:
        raise BackupError(reason="There is no backup to verify.", mend="Take one: postroom backup.")
    target = Target(backup_id=backup_id or physical[-1].id)
    chain = source.chain(found, target)
    with scratch(source, chain, target, report, parent=parent or settings.home) as server:
        verdict = examine(source, chain[-1], server, report, exact=True)
    if not verdict.faults:
        manifest.mark_verified(source.place, chain[-1], datetime.now(UTC))
    return verdict


def verify_dump(settings: Settings, backup_id: str, *, parent: Path | None = None) -> Verdict:
    """Load a dump into a new server of its own and count. Raises NotFound, BackupError."""
    source = source_of(settings)
    dump = manifest.chosen(manifest.read_all(source.place), backup_id)
    folder = new_folder(parent or settings.home, server_user(settings.home / "postgres"))
    cluster = Cluster(folder / "home", postgres_bin=settings.postgres_bin)
    try:
        url = load(source, dump, folder, cluster)
        with connected(url) as connection:
            counts = row_counts(connection)
            faults = _differing(counts, dump.rows)
            unguarded = rows(connection, QUERIES.unguarded_tables, exempt=_EXEMPT)
            faults += [f"{row['name']} does not force row security" for row in unguarded]
    finally:
        cluster.stop("immediate")
        shutil.rmtree(folder, ignore_errors=True)
    if not faults:
        manifest.mark_verified(source.place, dump, datetime.now(UTC))
    return Verdict(
        backup=dump.id, tables=len(counts), rows=sum(counts.values()), messages=0, blobs=0, faults=faults
    )


def examine(source: Source, last: Manifest, server: Recovered, report: Report, *, exact: bool) -> Verdict:
    """Look at a restored server: rows, guards, bytes. `exact` where it stands at the very end of its backup."""
    faults: list[str] = []
    with connected(server.url()) as connection:
        counts = row_counts(connection)
        if exact:
            faults += _differing(counts, last.rows)
        unguarded = rows(connection, QUERIES.unguarded_tables, exempt=_EXEMPT)
        faults += [f"{row['name']} does not force row security" for row in unguarded]
        sample = rows(connection, QUERIES.sample, seed=last.id, count=_SAMPLE)
        blobs, missing = _look_at_objects(source, last) if last.blobs else (0, list[str]())
        faults += missing
        if last.blobs:
            move_rows(connection, last, server.data.parent / "blobs")
    faults += asyncio.run(_read_sample(source, last, server, sample, report, exact=exact))
    return Verdict(
        backup=last.id,
        tables=len(counts),
        rows=sum(counts.values()),
        messages=len(sample),
        blobs=blobs,
        faults=faults,
    )


def _differing(counts: dict[str, int], before_and_after: dict[str, list[int]]) -> list[str]:
    found = []
    for name, bounds in before_and_after.items():
        least, most = min(bounds), max(bounds)
        if name not in counts:
            found.append(f"the table {name} is not there")
        elif not least <= counts[name] <= most:
            wanted = f"{least:,}" if least == most else f"{least:,} to {most:,}"
            found.append(f"{name} has {counts[name]:,} rows instead of {wanted}")
    return found


def _look_at_objects(source: Source, last: Manifest) -> tuple[int, list[str]]:
    """Whether the backups hold every object that the backup lists."""
    listed = objects.objects_of(last, b"".join(unpacked(source.object(last, objects.LIST))))
    there = {path for path, _ in source.place.below(objects.POOL)}
    gone = [path for path, _ in listed if f"{objects.POOL}/{path}" not in there]
    more = f" and {len(gone) - 1:,} more" if len(gone) > 1 else ""
    return len(listed), [f"the blob {gone[0]}{more} is not in the backups"] if gone else []


def move_rows(connection: psycopg.Connection[Row], last: Manifest, folder: Path) -> None:
    """Let the rows of the restored server name another folder for its objects."""
    old = str(last.blobs["root"])
    pattern = re.sub(r"([\\\\%_])", r"\\\1", old) + "/%"
    values = {"new": str(folder), "old": old, "pattern": pattern}
    connection.execute(QUERIES.move_objects.text.encode(), values)


async def _read_sample(
    source: Source, last: Manifest, server: Recovered, sample: Sequence[Row], report: Report, *, exact: bool
) -> list[str]:
    """Put messages together from what was restored, with the objects taken out of the backups.

    Objects that came after the backup are taken from the living store; where that lost them, it is not the backup's fault.
    """
    living = objects.living_shelf(source.settings, last) if last.blobs and not exact else None
    folder = server.data.parent / "blobs"
    place = f"local:{folder}" if last.blobs else "postgres"
    blobs = Blobs(replace(source.settings, home=server.data.parent, blob_store=place))
    shelf = blobs.home_shelf
    faults: list[str] = []
    async with Database(server.url("email_worker"), statement_timeout_seconds=0) as db:
        for number, row in enumerate(sample, start=1):
            report(number, len(sample), "messages")
            recipe = Recipe.from_json(row["raw_recipe"]) if row["raw_recipe"] else None
            wanted = [bytes(row["raw_blob"]), *(each.sha256 for each in (recipe.cuts if recipe else ()))]
            try:
                async with db.tenant(TenantId(row["tenant_id"]), in_any_state=True) as tx:
                    if shelf:
                        missing = await _fetch_objects(source, tx, wanted, shelf)
                        if living and objects.from_the_store(living, missing, shelf):
                            continue
                    async for _ in blobs.message(tx, bytes(row["content_hash"]), wanted[0], recipe):
                        pass
            except (BlobDamaged, BlobMissing) as error:
                faults.append(f"message {row['id']}: {error}")
            except PostroomError as error:
                faults.append(f"message {row['id']} cannot be read: {error}")
    return faults


async def _fetch_objects(source: Source, tx: TenantTx, wanted: list[bytes], shelf: Shelf) -> list[str]:
    """The paths of those that the backups do not hold."""
    known = await find(tx, wanted)
    paths = [
        object_path(tx.tenant_id, each.sha256, each.codec)
        for each in known.values()
        if each.storage_path is not None
    ]
    return objects.bring_back(source.place, source.key, paths, shelf)
