"""Drill: the way back, walked to its end. A marker, a moment, another marker; restored to the moment, one is there.

The markers are a table in the database `postgres`, beside the mail and gone afterwards; the server that proves it is a
scratch one.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg

from postroom.errors import BackupError
from postroom.ops.backup import manifest
from postroom.ops.backup.count import QUERIES, connected, rows
from postroom.ops.backup.flush import end_segment, wait_for_archive
from postroom.ops.backup.manifest import Kind, Manifest
from postroom.ops.backup.rebuild import Source
from postroom.ops.backup.scratch import Recovered, scratch
from postroom.ops.backup.take import take
from postroom.ops.backup.target import Target
from postroom.ops.backup.verify import Verdict, examine, source_of
from postroom.ops.provision import Site, open_site
from postroom.settings import Settings

_TABLE = b"postroom_drill"
Report = Callable[[int, int, str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Drilled:
    """What was proved."""

    backup: str
    kind: Kind
    moment: datetime
    segments: int
    """Files of the log that were replayed."""
    backup_seconds: float
    archive_seconds: float
    restore_seconds: float
    verdict: Verdict


def drill(settings: Settings, report: Report, *, parent: Path | None = None) -> Drilled:
    """Raises BackupError when anything on the way back is not as it must be."""
    source = source_of(settings)
    site = open_site(settings)
    _require_archive(site)
    begun = time.monotonic()
    made = take(settings, _kind(source), report)
    taken = time.monotonic()
    with connected(_maintenance(site)) as connection:
        try:
            moment, last = _mark(connection)
            report(0, 0, "archive")
            wait_for_archive(site, last, "The drill failed: ")
            archived = time.monotonic()
            chain = source.chain(manifest.read_all(source.place), Target(backup_id=made.id))
            target = Target(time=moment)
            with scratch(source, chain, target, report, parent=parent or settings.home) as server:
                _compare(server, moment)
                verdict = examine(source, chain[-1], server, report, exact=False)
                segments = len(server.segments)
        finally:
            connection.execute(b"drop table if exists " + _TABLE)
    if verdict.faults:
        raise BackupError(
            reason=f"The drill failed: {'; '.join(verdict.faults[:3])}.", mend="Look at: postroom doctor."
        )
    manifest.mark_verified(source.place, made, moment)
    return Drilled(
        backup=made.id,
        kind=made.kind,
        moment=moment,
        segments=segments,
        backup_seconds=round(taken - begun, 2),
        archive_seconds=round(archived - taken, 2),
        restore_seconds=round(time.monotonic() - archived, 2),
        verdict=verdict,
    )


def _require_archive(site: Site) -> None:
    with connected(site.url("postgres")) as connection:
        if not rows(connection, QUERIES.identity)[0]["archives"]:
            raise BackupError(
                reason="The server does not archive its log yet.",
                mend="Restart it: postroom down && postroom up --detach.",
            )


def _kind(source: Source) -> Kind:
    """On top of what is there, where the server can; else a full one."""
    physical: list[Manifest] = [each for each in manifest.read_all(source.place) if each.kind != "dump"]
    return "incremental" if physical and physical[-1].major >= 17 else "full"


def _maintenance(site: Site) -> str:
    return urlunsplit(urlsplit(site.url("postgres"))._replace(path="/postgres"))


def _mark(connection: psycopg.Connection[dict[str, object]]) -> tuple[datetime, str]:
    """Write both markers; the moment between them, and the file of the log that holds the second."""
    connection.execute(b"drop table if exists " + _TABLE)
    connection.execute(b"create table " + _TABLE + b" (marker text not null)")
    connection.execute(b"insert into " + _TABLE + b" values ('before')")
    moment = rows(connection, QUERIES.position)[0]["now"]
    time.sleep(0.01)  # so that the moment lies between two commits whatever the clock's grain
    connection.execute(b"insert into " + _TABLE + b" values ('after')")
    return moment, end_segment(connection)


def _compare(server: Recovered, moment: datetime) -> None:
    with connected(server.url(database="postgres")) as connection:
        found = [row["marker"] for row in connection.execute(b"select marker from " + _TABLE)]
    if found != ["before"]:
        raise BackupError(
            reason=f"The drill failed: restored to {moment.isoformat(sep=' ')}, the server has the markers "
            f"{', '.join(found) or 'none'} instead of the one before.",
            mend="Do not rely on these backups; report it.",
        )
