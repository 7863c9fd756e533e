"""Dumps: the database as pg_dump writes it, all tenants of it, by the login that may read everything and write nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import psycopg

from postroom import __version__
from postroom.errors import BackupError, UsageError
from postroom.ops.backup import arrangement, manifest
from postroom.ops.backup.count import QUERIES, connected, row_counts, rows
from postroom.ops.backup.lock import one_at_a_time
from postroom.ops.backup.manifest import Manifest
from postroom.ops.backup.place import packed, unpacked
from postroom.ops.backup.rebuild import Source
from postroom.ops.backup.take import Writer
from postroom.ops.backup.tools import find_tool, streamed
from postroom.ops.cluster import Cluster
from postroom.ops.provision import DATABASE, Site, open_site
from postroom.settings import Settings
from postroom.store.database import first_line

DUMP, ROLES = "database.dump.zst", "roles.sql"
_READER = "email_backup"
Report = Callable[[int, int, str], None]


def take_dump(settings: Settings, report: Report) -> Manifest:
    """Take a dump of any server. Raises BackupError; then there is none."""
    plan = arrangement.of_home(settings.home)
    site = open_site(settings)
    with one_at_a_time(settings.home):
        place, key = plan.place(), plan.key()
        place.require_marker()
        manifest.clear_interrupted(place)
        begun = datetime.now(UTC)
        backup_id = manifest.new_id(place, begun, "dump")
        writer = Writer(place, key, backup_id)
        try:
            with connected(site.url(_READER)) as connection, connection.transaction():
                known, counts, size = _dump(settings, site, connection, writer, report)
            made = Manifest(
                id=backup_id,
                kind="dump",
                parent=None,
                postroom=__version__,
                server=known["server"],
                major=int(known["server"].split(".")[0].split(" ")[0]),
                system_identifier="",
                timeline=0,
                start_segment="",
                stop_lsn="",
                begun_at=begun.isoformat(timespec="milliseconds"),
                finished_at=datetime.now(UTC).isoformat(timespec="milliseconds"),
                data_bytes=size,
                objects=writer.objects,
                rows={name: [count, count] for name, count in counts.items()},
                key_id=key.id.hex(),
            )
            manifest.write(place, key, made)
        except BaseException:
            writer.clear_away()
            raise
        return made


def _dump(
    settings: Settings,
    site: Site,
    connection: psycopg.Connection[dict[str, object]],
    writer: Writer,
    report: Report,
) -> tuple[dict[str, str], dict[str, int], int]:
    """Count and dump as of one moment."""
    connection.execute(b"set transaction isolation level repeatable read read only")
    connection.execute(b"set local idle_in_transaction_session_timeout = 0")
    known = rows(connection, QUERIES.snapshot)[0]
    counts = row_counts(connection)
    environment = site.environment(_READER)
    major = connection.info.server_version // 10000
    dump = find_tool(settings, "pg_dump", major)
    options = ["--format=custom", "--compress=0", "--enable-row-security", "--no-password"]
    size = 0

    def told() -> Iterator[bytes]:
        nonlocal size
        for chunk in streamed([dump, *options, f"--snapshot={known['snapshot']}"], environment):
            size += len(chunk)
            report(size, 0, "database")
            yield chunk

    writer.write(DUMP, packed(told()))
    roles = [find_tool(settings, "pg_dumpall", major), "--roles-only", "--no-role-passwords", "--no-password"]
    database = environment["PGDATABASE"]
    writer.write(ROLES, streamed([*roles, f"--database={database}"], environment))
    return known, counts, size


def extract(source: Source, dump: Manifest, folder: Path) -> list[Path]:
    """Write a dump out, as pg_restore and psql read it. Raises UsageError, BackupError."""
    if dump.kind != "dump":
        raise UsageError(reason=f"{dump.id} is no dump: postroom restore --backup {dump.id} --into DIR.")
    manifest.prove(source.place, source.key, dump)
    targets = [folder / "database.dump", folder / "roles.sql"]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, target in zip((DUMP, ROLES), targets, strict=True):
            with target.open("xb") as file:
                target.chmod(0o600)
                chunks = source.object(dump, name)
                for chunk in unpacked(chunks) if name.endswith(".zst") else chunks:
                    file.write(chunk)
    except FileExistsError as error:
        raise UsageError(reason=f"{error.filename} is there already: name another folder.") from error
    except OSError as error:
        raise BackupError(
            reason=f"{folder} cannot be written: {error.strerror}.", mend="Choose another."
        ) from error
    return targets


def load(source: Source, dump: Manifest, folder: Path, cluster: Cluster) -> str:
    """Put a dump into a new server, which is the caller's to stop. Its administrator's URL."""
    dumped, roles = extract(source, dump, folder)
    endpoint = cluster.ensure_running()
    url = cluster.dsn("postgres", endpoint.superuser_password, DATABASE)
    try:
        with connected(cluster.dsn("postgres", endpoint.superuser_password, "postgres")) as connection:
            for statement in _role_statements(roles.read_text()):
                connection.execute(statement.encode())
            connection.execute(f"create database {DATABASE} encoding 'UTF8' template template0".encode())
    except psycopg.Error as error:
        raise BackupError(reason=f"The roles of {dump.id} cannot be made: {first_line(error)}.") from error
    program = find_tool(source.settings, "pg_restore", dump.major)
    for _ in streamed([program, "--exit-on-error", f"--dbname={url}", dumped], {}):
        pass  # it says nothing, or fails
    return url


def _role_statements(text: str) -> list[str]:
    """What a new server needs of pg_dumpall's script: it has its own superuser."""
    lines = [line for line in text.splitlines() if line.endswith(";") and not line.startswith(("--", "\\"))]
    return [
        line
        for line in lines
        if line not in ("CREATE ROLE postgres;",) and not line.startswith("ALTER ROLE postgres ")
    ]
