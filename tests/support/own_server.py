"""A PostgreSQL server that somebody else keeps: made by hand with initdb and pg_ctl, reached over TCP by password."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psycopg

from postroom.ops.binaries import find_binaries
from postroom.ops.postmaster import free_port
from postroom.ops.reach import within_reach
from postroom.ops.server_user import ServerUser, server_user

SUPERUSER = "boss"
PASSWORD = "p:a/s@s w%rd"  # every character that means something in a URL


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnServer:
    port: int
    restart: Callable[[], None]

    def url(self, database: str = "", *, user: str = SUPERUSER, password: str = PASSWORD) -> str:
        return f"postgresql://{user}:{quote(password, safe='')}@127.0.0.1:{self.port}/{database}"

    def run(self, *statements: str, database: str = "postgres") -> None:
        """As the superuser, each in a transaction of its own."""
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            for each in statements:
                connection.execute(each.encode())


@contextmanager
def own_server(programs: Path, *options: str) -> Iterator[OwnServer]:
    """`options` are initdb's."""
    place = Path(tempfile.mkdtemp(prefix="own-server-", dir="/tmp"))
    place.chmod(0o755)
    user = server_user(place / "data")
    port = free_port()
    try:
        reachable = user.can_run(programs / "postgres")
        folder = programs if reachable else within_reach(find_binaries(programs), user, place).folder
        _initdb(folder, place, user, *options)
        start = ("-l", f"{place}/data/log", "-o", _settings(port))
        _pg_ctl(folder, place, user, "start", *start)
        yield OwnServer(port=port, restart=lambda: _pg_ctl(folder, place, user, "restart", *start))
        _pg_ctl(folder, place, user, "stop", "-m", "immediate")
    finally:
        shutil.rmtree(place)


def _initdb(folder: Path, place: Path, user: ServerUser, *options: str) -> None:
    secret = place / "password"
    secret.write_text(PASSWORD)
    (place / "data").mkdir(mode=0o700)
    for path in (secret, place / "data"):
        user.own(path)
    who = ["-U", SUPERUSER, "--pwfile", secret, "--auth", "scram-sha-256"]
    _run(user, folder / "initdb", "-D", place / "data", *who, *options)


def _settings(port: int) -> str:
    return f"-c port={port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off"


def _pg_ctl(folder: Path, place: Path, user: ServerUser, *words: str) -> None:
    _run(user, folder / "pg_ctl", "-D", place / "data", "-w", *words)


def _run(user: ServerUser, *command: str | Path) -> None:
    done = user.run(command)
    assert done.returncode == 0, done.text
