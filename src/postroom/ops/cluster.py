"""The embedded server: made at first use, started when it is needed, left running for the next program."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from postroom.errors import ClusterError
from postroom.ops import members
from postroom.ops.binaries import find_binaries, find_psql
from postroom.ops.home import Home, ensure_secret, folder_errors, load_secrets, save_secrets, size_on_disk
from postroom.ops.launching import HOST, launch, remove_short_folder, usable_port, wait_for_answer
from postroom.ops.making import SUPERUSER, make_data, make_folders
from postroom.ops.members import refuse_fenced
from postroom.ops.postmaster import Postmaster, find_postmaster, free_port, wait_for_end
from postroom.ops.reach import within_reach
from postroom.ops.server_user import server_user
from postroom.ops.standby.asking import refuse_superseded
from postroom.ops.upgrade.note import refuse_unfinished

__all__ = ["Cluster", "ClusterStatus", "Endpoint", "ensure_secret", "load_secrets", "save_secrets"]

_STOP_SECONDS = 60
_STOP_SIGNALS = {"smart": signal.SIGTERM, "fast": signal.SIGINT, "immediate": signal.SIGQUIT}


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where the server answers, and the password of its superuser `postgres`."""

    host: str
    port: int
    socket_dir: Path
    """Folder of the Unix socket; only the user that the server runs as gets in."""
    superuser_password: str = field(repr=False)
    major: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterStatus:
    """What is known of the server without touching it."""

    running: bool
    pid: int | None
    port: int | None
    version: str | None
    data_dir: Path
    size_bytes: int
    """What the data folder takes on the disk."""


class Cluster:
    """The PostgreSQL server that lives in a home folder."""

    def __init__(self, home: Path, *, postgres_bin: Path | None = None, port: int | None = None) -> None:
        self._home = Home(home.absolute())
        self._chosen_bin = postgres_bin
        self._forced_port = port

    def ensure_running(self) -> Endpoint:
        """Make the server if there is none, start it if it is down, and return when it answers.

        Raises ServerFenced for one whose place another has taken.
        """
        with self._locked() as lock:
            refuse_fenced(self._home)
            running = find_postmaster(self._home.data) or self._start(lock)
            self._refuse_other_port(running)
            password = self._password()
            if not wait_for_answer(running, password, self._home):
                running = self._start(lock)  # the one we found was just dying
                if not wait_for_answer(running, password, self._home):
                    raise self._ended_at_once()
            major = int((self._home.data / "PG_VERSION").read_text())
            return Endpoint(
                host=HOST,
                port=running.port,
                socket_dir=running.sockets,
                superuser_password=password,
                major=major,
            )

    def stop(self, mode: Literal["smart", "fast", "immediate"] = "fast") -> None:
        """Shut the server down as `pg_ctl stop --mode` would. Nothing happens where none runs.

        fast rolls open transactions back, smart waits until the last connection is closed, immediate is like
        a crash: the next start has to recover.
        """
        if find_postmaster(self._home.data):
            with self._locked():
                running = find_postmaster(self._home.data)
                if running:
                    self._shut_down(running, _STOP_SIGNALS[mode])

    def status(self) -> ClusterStatus:
        """Whether the server runs, and where."""
        with folder_errors(self._home.path):
            marker, running = self._home.read_marker(), find_postmaster(self._home.data)
        port = running.port if running else marker.port if marker else None
        return ClusterStatus(
            running=running is not None,
            pid=running.pid if running else None,
            port=port,
            version=marker.version if marker else None,
            data_dir=self._home.data,
            size_bytes=size_on_disk(self._home.data),
        )

    def dsn(self, role: str, password: str, dbname: str) -> str:
        """A connection URL for psql and drivers (RFC 3986). The server must have been made."""
        known = find_postmaster(self._home.data) or self._home.read_marker()
        if known is None:
            raise ClusterError(
                reason=f"There is no server in {self._home.path} yet.", mend="Run: postroom up."
            )
        user, secret, name = (quote(part, safe="") for part in (role, password, dbname))
        return f"postgresql://{user}:{secret}@{HOST}:{known.port}/{name}"

    def psql(self) -> Path:
        """A psql that can talk to this server."""
        return find_psql(self._chosen_bin, major=self._major())

    @contextmanager
    def _locked(self) -> Iterator[int]:
        with folder_errors(self._home.path):
            self._home.refuse_foreign()
            self._home.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            with self._home.locked() as lock:
                yield lock

    def _start(self, lock: int) -> Postmaster:
        refuse_unfinished(self._home)
        known = members.read(self._home.path)
        if known:
            refuse_superseded(self._home, known)
        # The others know where it listens: it does not move.
        forced = self._forced_port is not None or known is not None
        marker = self._home.read_marker()
        port = self._forced_port or (marker.port if marker else free_port())
        if forced and marker is None:
            usable_port(port, forced=True)  # before anything is made
        binaries = find_binaries(self._chosen_bin, major=self._major())
        user = server_user(self._home.data)
        make_folders(self._home, user)
        binaries = within_reach(binaries, user, self._home.path)
        if marker is None or not self._home.data.exists():
            marker = make_data(self._home, binaries, user, port=port, lock=lock)
        return launch(self._home, binaries, user, marker, port=port, forced=forced)

    def _major(self) -> int | None:
        """The major version that made the data folder: only the same one can read it."""
        try:
            return int((self._home.data / "PG_VERSION").read_text())
        except (FileNotFoundError, PermissionError):
            marker = self._home.read_marker()
            return marker.major if marker else None

    def _password(self) -> str:
        password = load_secrets(self._home.path).get(SUPERUSER)
        if password:
            return password
        raise ClusterError(
            reason=f"The superuser's password is missing in {self._home.path / 'secrets.json'}.",
            mend="Restore that file from a backup.",
        )

    def _refuse_other_port(self, running: Postmaster) -> None:
        if self._forced_port not in (None, running.port):
            where = f"The server in {self._home.path}"
            raise ClusterError(
                reason=f"{where} runs on port {running.port}, not {self._forced_port}.",
                mend="Stop it first: postroom down.",
            )

    def _ended_at_once(self) -> ClusterError:
        return ClusterError(
            reason=f"The server in {self._home.path} ended as soon as it was started.",
            mend=f"Its log is {self._home.log}; the data was left as it is.",
        )

    def _shut_down(self, running: Postmaster, how: signal.Signals) -> None:
        try:
            os.kill(running.pid, how)
        except ProcessLookupError:
            pass
        except PermissionError as error:
            raise ClusterError(
                reason="The server was started by another user.", mend="Stop it as that one."
            ) from error
        if not wait_for_end(self._home.data, seconds=_STOP_SECONDS):
            raise ClusterError(
                reason=f"The server in {self._home.path} did not stop within {_STOP_SECONDS} seconds.",
                mend=f"Its log is {self._home.log}.",
            )
        remove_short_folder(running.sockets)
