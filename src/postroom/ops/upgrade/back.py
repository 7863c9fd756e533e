"""The way back to the version before, or the end of it."""

from __future__ import annotations

import shutil
import signal
from dataclasses import dataclass, replace
from pathlib import Path

from psycopg import sql

from postroom.blobs import kept
from postroom.errors import UsageError
from postroom.ops.backup import arrangement
from postroom.ops.backup.count import connected
from postroom.ops.binaries import examine
from postroom.ops.cluster import Cluster
from postroom.ops.home import Home, folder_errors, load_secrets, sync_names
from postroom.ops.making import SUPERUSER
from postroom.ops.upgrade import note
from postroom.ops.upgrade.note import Note
from postroom.ops.upgrade.private import stop
from postroom.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Returned:
    """The data as it was before the upgrade."""

    version: str
    left: str
    """Where the data of the newer version lies, with what was written since."""


def back(settings: Settings) -> Returned:
    """Take the old data into use again, as it was. Raises UsageError."""
    home = Home(settings.home)
    made = _made(home)
    old, new = note.folder_of(home, made.old_major), note.folder_of(home, made.new_major)
    if not old.exists() and not made.is_returning:
        raise UsageError(reason=f"{old} is gone; restore a backup instead: postroom restore --into DIR.")
    with folder_errors(home.path), home.locked():
        note.write(home, replace(made, is_returning=True))
        if old.exists():  # else a crash came after this
            if home.data.exists():
                stop(home.data, signal.SIGINT)
                shutil.rmtree(new, ignore_errors=True)
                home.data.rename(new)
            old.rename(home.data)
        if marker := home.read_marker():
            home.write_marker(replace(marker, major=made.old_major, version=made.old_version))
        for name in (arrangement.FILE, kept.FILE):
            if (home.path / f"{name}.{made.old_major}").exists():
                (home.path / f"{name}.{made.old_major}").rename(home.path / name)
        sync_names(home.path)
        note.forget(home)
    endpoint = Cluster(home.path, postgres_bin=_programs(settings, made), port=settings.port)
    endpoint.ensure_running()
    for database, name in made.dropped:
        secret = load_secrets(home.path)[SUPERUSER]
        with connected(endpoint.dsn("postgres", secret, database)) as connection:
            connection.execute(sql.SQL("create extension if not exists {}").format(sql.Identifier(name)))
    return Returned(version=made.old_version, left=str(new))


def finish(settings: Settings) -> Note:
    """Delete the old data: there is no way back then but a backup. Raises UsageError."""
    home = Home(settings.home)
    made = _made(home)
    if made.is_returning:
        raise UsageError(reason="The way back has begun: postroom upgrade --back --yes goes on with it.")
    with folder_errors(home.path), home.locked():
        shutil.rmtree(note.folder_of(home, made.old_major), ignore_errors=True)
        for name in (arrangement.FILE, kept.FILE):
            (home.path / f"{name}.{made.old_major}").unlink(missing_ok=True)
        note.forget(home)
    return made


def _programs(settings: Settings, made: Note) -> Path | None:
    """The chosen ones, if they are of the old version."""
    found = examine(settings.postgres_bin) if settings.postgres_bin else None
    return settings.postgres_bin if found and found.major == made.old_major else None


def _made(home: Home) -> Note:
    made = note.read(home)
    if made is None or not made.is_swapped:
        raise UsageError(reason=f"No upgrade of {home.path} waits to be finished or taken back.")
    return made
