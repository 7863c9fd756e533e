"""Copying: what a standby is made from. The data comes by PostgreSQL's own stream, the keys from home to home."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from postroom.blobs import kept
from postroom.errors import ClusterError
from postroom.ops.backup import arrangement
from postroom.ops.backup.enable import write_archiving
from postroom.ops.backup.take import SECRET_FILES
from postroom.ops.configuration import BACKUP, FILE, include_ours
from postroom.ops.home import Home, no_space, sync_names, write_private
from postroom.ops.making import last_words
from postroom.ops.server_user import ServerUser

_HBA = "local all all scram-sha-256\nhost all,replication all 127.0.0.1/32 scram-sha-256\n"


@contextmanager
def password_file(home: Home, user: ServerUser, password: str) -> Iterator[Path]:
    """A password where libpq finds it, and no process list shows it."""
    with tempfile.NamedTemporaryFile("w", prefix=".pgpass-", dir=home.run) as file:
        escaped = password.replace("\\", "\\\\").replace(":", "\\:")
        file.write(f"*:*:*:*:{escaped}\n")
        file.flush()
        user.own(Path(file.name))
        yield Path(file.name)


def base_backup(program: Path, home: Home, user: ServerUser, source: str, password: str, slot: str) -> None:
    """The data of a server, as it is now, in `postgres.new`. `source` is a connection string without password.

    The slot must be there: it keeps the log until the standby reads it. Raises ClusterError; then nothing is left.
    """
    shutil.rmtree(home.half_made, ignore_errors=True)
    home.half_made.mkdir(mode=0o700)
    user.own(home.half_made)
    with password_file(home, user, password) as file:
        options = ["--wal-method=stream", "--checkpoint=fast", "--no-password", f"--slot={slot}"]
        where = [f"--pgdata={home.half_made}", f"--dbname={source} passfile={file}"]
        done = user.run([program, *where, *options])
    if done.returncode != 0:
        shutil.rmtree(home.half_made, ignore_errors=True)
        if "No space left" in done.text or "Disk quota" in done.text:
            raise no_space(home.path)
        raise ClusterError(
            reason=f"The data could not be copied from the primary: {last_words(done.text)}.",
            mend="Nothing is left of it; mend that and try again.",
        )


def make_it_ours(data: Path, user: ServerUser) -> None:
    """A folder whose settings lie elsewhere, as Debian's do, gets the files that it lacks."""
    if not (data / "postgresql.conf").exists():
        write_private(data / "postgresql.conf", "# Made by: postroom standby create\n")
    if not (data / "pg_hba.conf").exists():
        write_private(data / "pg_hba.conf", _HBA)
    if not (data / "pg_ident.conf").exists():
        write_private(data / "pg_ident.conf", "")
    if FILE not in (data / "postgresql.conf").read_text(errors="replace"):
        include_ours(data)
    for name in ("postgresql.conf", "pg_hba.conf", "pg_ident.conf"):
        user.own(data / name)


def carry_keys(source: Path, home: Home) -> None:
    """Passwords and keys: without them nobody gets in, and no secret can be read, once the other machine is gone."""
    for name in SECRET_FILES:
        if (source / name).exists() and source != home.path:
            write_private(home.path / name, (source / name).read_text())


def carry_backups(source: Path, home: Home, data: Path, user: ServerUser) -> None:
    """Where the log is archived, for the time after a promotion. A standby archives nothing."""
    try:
        found = json.loads((source / arrangement.FILE).read_text())
    except FileNotFoundError:
        (data / BACKUP).unlink(missing_ok=True)
        return
    if source != home.path:
        if Path(found["key_file"]).parent == source:
            key = home.path / Path(found["key_file"]).name
            write_private(key, Path(found["key_file"]).read_text())
            user.own(key)
            found["key_file"] = str(key)
        write_private(home.path / arrangement.FILE, json.dumps(found, indent=2) + "\n")
        user.own(home.path / arrangement.FILE)
        if (source / kept.FILE).exists():
            write_private(home.path / kept.FILE, (source / kept.FILE).read_text())
    write_archiving(home, data, user)


def put_in_place(home: Home) -> None:
    """The new data by its name; what was there before goes."""
    gone = home.path / "postgres.gone"
    shutil.rmtree(gone, ignore_errors=True)
    if home.data.exists():
        home.data.rename(gone)
    home.half_made.rename(home.data)
    sync_names(home.path)
    shutil.rmtree(gone, ignore_errors=True)
