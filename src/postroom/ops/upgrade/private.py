"""A server that only we reach: on a socket in a folder of its own, archiving nothing, while nobody else may write."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from postroom.errors import ClusterError
from postroom.ops.binaries import Binaries
from postroom.ops.making import last_words
from postroom.ops.postmaster import find_postmaster, free_port, wait_for_end
from postroom.ops.server_user import ServerUser

_STOP_SECONDS = 120
_START_SECONDS = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class Sockets:
    """The folder of the socket, and the file that lets us in there without a password."""

    folder: Path
    port: int

    @property
    def hba(self) -> Path:
        return self.folder / "hba.conf"

    def url(self, database: str) -> str:
        return f"postgresql://postgres@/{database}?host={self.folder}&port={self.port}"

    @property
    def options(self) -> list[str]:
        """For programs of PostgreSQL that connect."""
        return [f"--host={self.folder}", f"--port={self.port}", "--username=postgres"]


@contextmanager
def sockets(user: ServerUser) -> Iterator[Sockets]:
    """A folder that only the server's user enters, and that goes at the end."""
    folder = Path(tempfile.mkdtemp(prefix="postroom-", dir="/tmp"))
    try:
        made = Sockets(folder=folder, port=free_port())
        made.hba.write_text("local all all trust\n")
        user.own(made.hba)
        user.own(folder)
        yield made
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def private_server(data: Path, binaries: Binaries, user: ServerUser, where: Sockets) -> Iterator[None]:
    """The server of a data folder; stopped cleanly at the end. Raises ClusterError."""
    forced = {
        "listen_addresses": "''",
        "port": str(where.port),
        "unix_socket_directories": str(where.folder),
        "hba_file": str(where.hba),
        "archive_mode": "off",
        "ssl": "off",
        "synchronous_standby_names": "''",
    }
    options = " ".join(f"-c {name}={value}" for name, value in forced.items())
    log = where.folder / "postgres.log"
    start = ["start", "--wait", f"--timeout={_START_SECONDS}", "--silent", f"--pgdata={data}", f"--log={log}"]
    done = user.run([binaries.program("pg_ctl"), *start, "-o", options])
    try:
        if done.returncode != 0:
            said = done.text + (log.read_text(errors="replace") if log.exists() else "")
            raise ClusterError(
                reason=f"PostgreSQL {binaries.version} does not start in {data}: {last_words(said)}."
            )
        yield
    except BaseException:
        stop(data, signal.SIGQUIT)
        raise
    stop(data, signal.SIGINT)


def stop(data: Path, how: signal.Signals) -> None:
    if running := find_postmaster(data):
        try:
            os.kill(running.pid, how)
        except ProcessLookupError:
            return
        wait_for_end(data, seconds=_STOP_SECONDS)
