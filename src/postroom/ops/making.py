"""Makes a new data folder: beside its place first, so that it is whole or not there at all."""

from __future__ import annotations

import re
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from postroom.errors import ClusterError
from postroom.ops.binaries import Binaries
from postroom.ops.configuration import include_ours, initdb_options
from postroom.ops.home import Home, Marker, load_secrets, no_space, save_secrets, sync_names
from postroom.ops.server_user import ServerUser

SUPERUSER = "superuser_password"
"""The entry of the superuser's password in the secrets."""


def make_folders(home: Home, user: ServerUser) -> None:
    """The folders around the data. Root's home lets the server's user through, but shows it no names."""
    if user.is_another:
        home.path.chmod(home.path.stat().st_mode & 0o777 | 0o011)
    if not user.can_enter(home.path):
        raise ClusterError(
            reason=f"The user {user.name}, as whom the server runs, cannot reach the folder {home.path}.",
            mend="Choose one that everybody can enter with POSTROOM_HOME, for example /var/lib/postroom.",
        )
    for folder in (home.run, home.log.parent):
        folder.mkdir(mode=0o700, exist_ok=True)
        user.own(folder)


def make_data(home: Home, binaries: Binaries, user: ServerUser, *, port: int, lock: int) -> Marker:
    """Make the data folder. What an interrupted attempt left behind is cleared away first."""
    _clear_half_made(home)
    home.half_made.mkdir(mode=0o700)
    user.own(home.half_made)
    try:
        _initdb(home, binaries, user, lock=lock)
        include_ours(home.half_made)
        now = datetime.now(UTC).isoformat(timespec="seconds")
        marker = Marker(major=binaries.major, version=binaries.version, port=port, created=now)
        home.write_marker(marker)
    except BaseException:
        _clear_half_made(home)
        raise
    home.half_made.rename(home.data)
    sync_names(home.path)  # else a power cut could bring the old name back, and the data pass for half made
    return marker


def _clear_half_made(home: Home) -> None:
    """The marker goes first: a marker without any data folder means that data was lost."""
    if home.marker.exists() and not home.half_made.exists():
        raise ClusterError(
            reason=f"The database folder {home.data} is missing, though it was made once.",
            mend=f"Restore it from a backup, or delete {home.marker} to begin anew.",
        )
    home.marker.unlink(missing_ok=True)
    if home.half_made.exists():
        shutil.rmtree(home.half_made)


def _initdb(home: Home, binaries: Binaries, user: ServerUser, *, lock: int) -> None:
    """Run initdb. It holds our lock as well: if we are killed, the next program waits until it has ended."""
    with _password_file(home, user) as password:
        where = [f"--pgdata={home.half_made}", f"--pwfile={password}"]
        command = [binaries.program("initdb"), *where, *initdb_options(binaries)]
        done = user.run(command, holding=lock)
    if "No space left" in done.text or "Disk quota" in done.text:
        raise no_space(home.path)
    if done.returncode != 0:
        said = last_words(done.text)
        raise ClusterError(
            reason=f"The database in {home.path} could not be made: {said}.", mend="Nothing was changed."
        )


@contextmanager
def _password_file(home: Home, user: ServerUser) -> Iterator[Path]:
    """The superuser's password where initdb can read it, for as long as it takes."""
    known = load_secrets(home.path)
    if SUPERUSER not in known:
        known[SUPERUSER] = secrets.token_urlsafe(32)
        save_secrets(home.path, known)
    with tempfile.NamedTemporaryFile("w", prefix=".password-", dir=home.run) as file:
        file.write(known[SUPERUSER] + "\n")
        file.flush()
        user.own(Path(file.name))
        yield Path(file.name)


def last_words(said: str) -> str:
    """The line of a program's output that tells why it failed."""
    lines = [line for line in said.splitlines() if line.strip()]
    signs = ("FATAL:", "PANIC:", "error:", "could not", "invalid value", "unrecognized configuration")
    telling = [line for line in lines if any(sign in line for sign in signs)]
    telling = [line for line in telling if "contains errors" not in line] or telling
    last = (telling or lines or ["it said nothing"])[-1]
    return re.sub(r"^.*(FATAL|PANIC|error): +", "", last).strip().rstrip(".")
