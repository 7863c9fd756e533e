"""The operating system user the server runs as: this one, or `postroom` when we are root."""

from __future__ import annotations

import os
import pwd
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from postroom.errors import ClusterError

NAME = "postroom"
_TRIES = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a program printed, and how it ended."""

    text: str
    returncode: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerUser:
    """Who owns the data folder. PostgreSQL refuses to run as root, so root hands it to somebody else."""

    name: str
    uid: int
    gid: int

    @property
    def is_another(self) -> bool:
        return self.uid != os.geteuid()

    def run(self, command: Sequence[str | Path], *, holding: int | None = None) -> Said:
        """Run a PostgreSQL program as this user, in a session of its own, and take what it says.

        The program shares the open file `holding`: a lock on it lasts until the program has ended as well.
        """
        switch: dict[str, Any] = (
            {"user": self.uid, "group": self.gid, "extra_groups": []} if self.is_another else {}
        )
        with subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            cwd="/",
            env=clean_environment(),
            start_new_session=True,
            pass_fds=() if holding is None else (holding,),
            **switch,
        ) as process:
            try:
                text, _ = process.communicate()
            except BaseException:
                _end_group(process)
                raise
        return Said(text=text, returncode=process.returncode)

    def can_run(self, program: Path) -> bool:
        """Whether this user reaches the program and everything it loads."""
        try:
            return self.run([program, "--version"]).returncode == 0
        except OSError:
            return False

    def can_enter(self, folder: Path) -> bool:
        """Whether every folder on the way lets this user through."""
        return not self.is_another or self.run(["test", "-x", folder]).returncode == 0

    def own(self, path: Path) -> None:
        """Give a file or folder that we made to this user."""
        if self.is_another:
            # Not through a link: in a folder of somebody else's it could lead root to any file of the system.
            os.chown(path, self.uid, self.gid, follow_symlinks=False)


def _end_group(process: subprocess.Popen[str]) -> None:
    """After Ctrl-C end the program with the children it started, and wait until none writes any more."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass
    process.communicate()


def clean_environment() -> dict[str, str]:
    """The little that the programs need, with messages in English.

    PGDATA, PGPORT and the like would lead them astray; and the server outlives the program that starts it
    by months, so it must not keep the secrets of whoever that happened to be.
    """
    kept = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}
    return {**kept, "LC_ALL": "C"}


def server_user(data: Path) -> ServerUser:
    """The owner of the data folder if there is one; else ourselves, or the system user when we are root."""
    if os.geteuid() != 0:
        return ServerUser(name=str(os.geteuid()), uid=os.geteuid(), gid=os.getegid())
    if data.exists() and data.stat().st_uid != 0:
        owner = data.stat()
        return ServerUser(name=str(owner.st_uid), uid=owner.st_uid, gid=owner.st_gid)
    return _known() or _created()


def _known() -> ServerUser | None:
    try:
        entry = pwd.getpwnam(NAME)
    except KeyError:
        return None
    if entry.pw_uid == 0:
        raise ClusterError(
            reason=f"The system user {NAME} is root, as whom PostgreSQL does not run.", mend="Rename it."
        )
    return ServerUser(name=NAME, uid=entry.pw_uid, gid=entry.pw_gid)


def _created() -> ServerUser:
    """Make the system user; another process may be at it too, so look again before giving up.

    There is no falling back to `postgres` or `nobody`: other services run as these, and would own the mail.
    """
    said = ""
    for _ in range(_TRIES):
        said = _useradd()
        if user := _known():
            return user
        if "lock" not in said:
            break
        time.sleep(0.25)
    raise ClusterError(
        reason=f"The system user {NAME}, as whom the server is to run, cannot be created: {said}.",
        mend=f"Create it (useradd -r -M -s /usr/sbin/nologin {NAME}), or run as an ordinary user.",
    )


def _useradd() -> str:
    command = [
        "useradd",
        "--system",
        "--no-create-home",
        "--user-group",
        "--shell",
        "/usr/sbin/nologin",
        NAME,
    ]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        return f"useradd: {error.strerror}"
    return done.stderr.strip().rstrip(".") or f"useradd ended with {done.returncode}"
