"""A real PgBouncer in transaction mode, with so few connections that tenants are sure to share them."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg

from postroom.ops.postmaster import free_port
from tests.support.needs import require

_PROGRAM = Path("/usr/sbin/pgbouncer")
_SECONDS = 10
_CONFIGURATION = """
[databases]
* = host={host} port={server_port}

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {users}
pool_mode = {mode}
default_pool_size = {size}
max_client_conn = 100
"""


class Bouncer:
    """The pooler in front of a server. `url` leads through it."""

    def __init__(self, port: int) -> None:
        self.port = port

    def url(self, direct: str) -> str:
        """The same login and database as a URL of the server."""
        parts = urlsplit(direct)
        user = parts.netloc.rpartition("@")[0]
        return urlunsplit(parts._replace(netloc=f"{user}@127.0.0.1:{self.port}"))


@contextmanager
def running_bouncer(
    server: str, passwords: Mapping[str, str], *, size: int = 1, mode: str = "transaction"
) -> Iterator[Bouncer]:
    """`server` is any URL of it; `size` is how many connections each login has to each database."""
    require(_PROGRAM.exists(), "there is no PgBouncer: apt-get install pgbouncer")
    where = urlsplit(server)
    place = Path(tempfile.mkdtemp(prefix="bouncer-", dir="/tmp"))
    bouncer = Bouncer(free_port())
    users, configuration = place / "users.txt", place / "pgbouncer.ini"
    users.write_text("".join(f'"{name}" "{password}"\n' for name, password in passwords.items()))
    configuration.write_text(
        _CONFIGURATION.format(
            host=where.hostname, server_port=where.port, port=bouncer.port, users=users, size=size, mode=mode
        )
    )
    _hand_over(place, users, configuration)
    with (place / "log").open("wb") as log:
        process = subprocess.Popen([str(_PROGRAM), str(configuration)], stdout=log, stderr=log, **_nobody())
    try:
        _wait(bouncer.url(server), place / "log")
        yield bouncer
    finally:
        process.terminate()
        process.wait(_SECONDS)
        shutil.rmtree(place)


def _nobody() -> dict[str, int]:
    """PgBouncer refuses to run as root."""
    return {"user": _uid(), "group": _uid()} if os.geteuid() == 0 else {}


def _uid() -> int:
    return pwd.getpwnam("nobody").pw_uid


def _hand_over(*paths: Path) -> None:
    if os.geteuid() == 0:
        for path in paths:
            os.chown(path, _uid(), _uid())


def _wait(url: str, log: Path) -> None:
    until = time.monotonic() + _SECONDS
    while not _answers(url):
        assert time.monotonic() < until, log.read_text()
        time.sleep(0.05)


def _answers(url: str) -> bool:
    try:
        psycopg.connect(url, connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True
