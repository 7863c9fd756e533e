"""Switching backups on: a place, a key, and a server that archives its log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psycopg

from postroom.blobs import kept
from postroom.errors import BackupError, UsageError
from postroom.ops.backup import arrangement
from postroom.ops.backup.arrangement import KEY, Arrangement
from postroom.ops.backup.command import archive_command
from postroom.ops.backup.place import MARKER, WAL
from postroom.ops.cluster import Cluster
from postroom.ops.configuration import BACKUP
from postroom.ops.home import Home, write_private
from postroom.ops.key_files import make_key
from postroom.ops.provision import open_site
from postroom.ops.server_user import ServerUser, server_user
from postroom.settings import Settings

_OFF = "# Backups are switched off.\narchive_mode = off\narchive_command = 'true'\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Enabled:
    """What was switched on."""

    to: str
    key_file: Path
    is_new_key: bool
    archives: bool
    """Whether the log goes to the place now; false where the server has to be restarted first, or is not ours."""


def enable(settings: Settings, to: str, *, restart: bool, environment: Mapping[str, str]) -> Enabled:
    """Send the backups of this store to a place. Raises UsageError, BackupError."""
    plan = _arranged(settings, to, environment)
    site = open_site(settings)
    user = server_user(Home(settings.home).data)
    _refuse_foreign_place(plan, Home(settings.home))
    is_new_key = not plan.key_file.exists()
    if is_new_key:
        make_key(plan.key_file, "backup key")
    plan.key()  # or it is not one
    _prepare(plan, user, is_ours=settings.database_url is None)
    write_private(settings.home / arrangement.FILE, arrangement.text_of(plan))
    if not (settings.home / kept.FILE).exists():
        write_private(settings.home / kept.FILE, "0\n")  # nothing is copied yet
    archives = False
    if settings.database_url is None:
        if settings.backup_key_file is None:
            user.own(plan.key_file)
        user.own(settings.home / arrangement.FILE)
        archives = _archive(settings, user, site.url("postgres"), restart=restart)
    return Enabled(to=plan.to, key_file=plan.key_file, is_new_key=is_new_key, archives=archives)


def disable(settings: Settings) -> None:
    """Stop archiving. What is at the place stays there."""
    arrangement.of_home(settings.home)
    if settings.database_url is None:
        site = open_site(settings)
        write_private(Home(settings.home).data / BACKUP, _OFF)
        _reload(site.url("postgres"))
    (settings.home / arrangement.FILE).unlink()
    (settings.home / kept.FILE).unlink(missing_ok=True)


def _arranged(settings: Settings, to: str, environment: Mapping[str, str]) -> Arrangement:
    place = to if "://" in to else str(Path(to).expanduser().absolute())
    key_file = settings.backup_key_file or settings.home / KEY
    if settings.backup_key_file and not key_file.exists():
        raise UsageError(reason=f"There is no key file {key_file}: POSTROOM_BACKUP_KEY_FILE names it.")
    of_bucket = {name: value for name, value in environment.items() if name.startswith("AWS_")}
    return Arrangement(
        to=place,
        key_file=key_file.absolute(),
        endpoint=settings.s3_endpoint,
        environment=of_bucket if place.startswith("s3://") else {},
    )


def _refuse_foreign_place(plan: Arrangement, home: Home) -> None:
    place = plan.place()
    if not plan.to.startswith("s3://"):
        folder = Path(plan.to)
        if home.path == folder or folder in home.path.parents or home.data in (folder, *folder.parents):
            raise UsageError(reason=f"{folder} is the store itself; backups belong on another disk.")
        if folder.is_dir() and any(folder.iterdir()):
            place.require_marker()
        return
    if not place.has(MARKER) and place.below(""):
        place.require_marker()


def _prepare(plan: Arrangement, user: ServerUser, *, is_ours: bool) -> None:
    """The marker, and the folder of the log, which belongs to the server's user."""
    place = plan.place()
    if not plan.to.startswith("s3://"):
        folder = Path(plan.to)
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if is_ours and user.is_another:
                folder.chmod(folder.stat().st_mode & 0o777 | 0o011)
            (folder / WAL).mkdir(mode=0o700, exist_ok=True)
            if is_ours:
                user.own(folder / WAL)
        except OSError as error:
            raise BackupError(
                reason=f"{folder} cannot be made: {error.strerror}.", mend="Choose another place."
            ) from error
        if is_ours and not user.can_enter(folder / WAL):
            raise BackupError(
                reason=f"The user {user.name}, as whom the server runs, cannot reach {folder}.",
                mend="Choose a folder that everybody can enter, or chmod o+x the ones above it.",
            )
    if not place.has(MARKER):
        place.write(MARKER, [b'{"format": 1}\n'])


def _archive(settings: Settings, user: ServerUser, url: str, *, restart: bool) -> bool:
    """Write the server's settings, and say whether they hold."""
    write_archiving(Home(settings.home), Home(settings.home).data, user)
    if restart:
        cluster = Cluster(settings.home, postgres_bin=settings.postgres_bin, port=settings.port)
        cluster.stop()
        cluster.ensure_running()
        return True
    return _reload(url)


def write_archiving(home: Home, data: Path, user: ServerUser) -> None:
    """Let the server in a data folder archive its log as the home arranges it, from its next start on."""
    major = int((data / "PG_VERSION").read_text())
    command = archive_command(user, home.path / arrangement.FILE)
    lines = [
        "# Written by: postroom backup enable",
        "wal_level = replica",
        "archive_mode = on",
        f"archive_command = '{_quoted(command)}'",
        "archive_timeout = 60s",
        # What an incremental backup reads to know which pages changed.
        *(["summarize_wal = on"] if major >= 17 else []),
        "",
    ]
    write_private(data / BACKUP, "\n".join(lines))


def _reload(url: str) -> bool:
    """Let the server read its files; whether it archives."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("select pg_reload_conf()")
        row = connection.execute("select current_setting('archive_mode')").fetchone()
    return row is not None and row[0] != "off"


def _quoted(value: str) -> str:
    return value.replace("\\", "\\\\").replace("'", "''")
