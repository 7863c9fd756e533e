"""The home folder: where the server's data, its marker, its lock and the secrets lie."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NoReturn

from postroom.errors import ClusterError

FORMAT = 1
_LOG_FILE_BYTES = 16 * 2**20
_TEMPORARY = ".postroom-"
_BEFORE_THE_SERVER = {"blobs", "master.key", "signing.key", "lost+found"}
_HALF_MADE = {"lock", "bin", "run", "log", "secrets.json", "postgres.new"} | _BEFORE_THE_SERVER


@dataclass(frozen=True, slots=True, kw_only=True)
class Marker:
    """What `postroom.json` says: this folder is ours, and which server lives in it."""

    major: int
    version: str
    port: int
    created: str = ""
    """When the server was made: ISO 8601, UTC."""


@dataclass(frozen=True, slots=True)
class Home:
    """The paths inside the home folder."""

    path: Path

    @property
    def data(self) -> Path:
        return self.path / "postgres"

    @property
    def half_made(self) -> Path:
        """Where initdb works; renamed to `data` when it is whole."""
        return self.path / "postgres.new"

    @property
    def run(self) -> Path:
        return self.path / "run"

    @property
    def log(self) -> Path:
        return self.path / "log" / "postgres.log"

    @property
    def marker(self) -> Path:
        return self.path / "postroom.json"

    def read_marker(self) -> Marker | None:
        """The marker, or None where no server was made yet."""
        try:
            found = json.loads(self.marker.read_text())
            known = found.pop("format") == FORMAT
            return (
                Marker(**found) if known else self._refuse("was written by a newer Postroom", "Use that one.")
            )
        except FileNotFoundError:
            return None
        except (ValueError, TypeError, KeyError, AttributeError):
            return self._refuse("is damaged", "Restore it from a backup.")

    def _refuse(self, what: str, mend: str) -> NoReturn:
        raise ClusterError(reason=f"The marker {self.marker} {what}; nothing was changed.", mend=mend)

    def write_marker(self, marker: Marker) -> None:
        write_private(self.marker, json.dumps({"format": FORMAT, **asdict(marker)}, indent=2) + "\n")

    def refuse_foreign(self) -> None:
        """A folder full of somebody else's files stays untouched: not even a lock is put there."""
        if not self.path.exists() or self.marker.exists():
            return
        found = {each.name for each in self.path.iterdir() if not each.name.startswith(_TEMPORARY)}
        begun_by_us = "lock" in found and found <= _HALF_MADE
        if not begun_by_us and not found <= _BEFORE_THE_SERVER:
            raise ClusterError(
                reason=f"The folder {self.path} is not empty and not made by Postroom; nothing was changed.",
                mend="Choose another folder with POSTROOM_HOME.",
            )

    @contextmanager
    def locked(self) -> Iterator[int]:
        """One process at a time starts or stops the server; the others wait here. Gives the open file."""
        with (self.path / "lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield lock.fileno()


def load_secrets(home: Path) -> dict[str, str]:
    """The passwords of this home; empty where there are none yet."""
    path = home / "secrets.json"
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise ClusterError(reason=f"The file {path} is damaged.", mend="Restore it from a backup.") from error


def save_secrets(home: Path, passwords: dict[str, str]) -> None:
    """Replace the passwords of this home in one step; nobody else can read them."""
    write_private(home / "secrets.json", json.dumps(passwords, indent=2) + "\n")


def ensure_secret(home: Path, name: str) -> str:
    """The password of this name, made at the first call; two processes at once get the same one."""
    with folder_errors(home):
        home.mkdir(mode=0o700, parents=True, exist_ok=True)  # with a server of your own nothing else makes it
    with folder_errors(home), Home(home).locked():
        known = load_secrets(home)
        if name not in known:
            known[name] = secrets.token_urlsafe(32)
            save_secrets(home, known)
        return known[name]


def write_private(path: Path, text: str) -> None:
    """Write a file that is either the old one or the new one, with mode 0600 and the folder's owner."""
    descriptor, name = tempfile.mkstemp(prefix=_TEMPORARY, dir=path.parent)
    try:
        with os.fdopen(descriptor, "w") as file:
            _give_to_owner(path.parent, descriptor)
            file.write(text)
            file.flush()
            os.fsync(descriptor)
        os.replace(name, path)
        sync_names(path.parent)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def sync_names(folder: Path) -> None:
    """Make sure that new names in a folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _give_to_owner(folder: Path, descriptor: int) -> None:
    """Root may work in a folder of an ordinary user, who must go on reading the file afterwards."""
    if os.geteuid() == 0:
        owner = folder.stat()
        os.fchown(descriptor, owner.st_uid, owner.st_gid)


def size_on_disk(folder: Path) -> int:
    """What the files below a folder take; those that vanish meanwhile or that we may not see do not count."""
    total = 0
    for where, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                total += os.lstat(os.path.join(where, name)).st_blocks * 512
    return total


def full_folder(home: Home) -> Path | None:
    """The folder of the server that has no space for another file of its log; the log may lie elsewhere."""
    for folder in (home.data / "pg_wal", home.data):
        with suppress(OSError):
            if shutil.disk_usage(folder).free < _LOG_FILE_BYTES:
                return folder
    return None


def no_space(home: Path) -> ClusterError:
    return ClusterError(
        reason=f"There is no space left for the database in {home}.",
        mend="Free some, or choose another folder with POSTROOM_HOME; what was stored is kept.",
    )


@contextmanager
def folder_errors(home: Path) -> Iterator[None]:
    """Say in one sentence why the folder cannot be used."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise no_space(home) from error
        where = error.filename or home
        raise ClusterError(
            reason=f"The folder {home} cannot be used: {error.strerror} ({where}).",
            mend="Choose a folder you may write to with POSTROOM_HOME.",
        ) from error
