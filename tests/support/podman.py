"""Real containers: our images, built on stand-ins for the official ones (tests/containers/bases.sh), run by podman.

Everything lies in a storage of its own: images, volumes and names of whoever works on this machine are not touched.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.needs import require

ROOT = Path(__file__).parents[2]
DOCKER = ROOT / "deployment/docker"
CACHE = Path("/var/cache/postroom-tests/containers")
STORE = "localhost/postroom/email-postgres:16"
SERVICE = "localhost/postroom/email-service:latest"
POOLER = "localhost/postroom/email-pgbouncer:latest"
DEBIAN = "localhost/postroom-test/debian:bookworm"
_PROGRAMS = ("podman", "buildah", "runc", "npm")
_BUILDS = {
    STORE: (ROOT, DOCKER / "postgres/Dockerfile", "localhost/postroom-test/postgres:16"),
    SERVICE: (ROOT, DOCKER / "service/Dockerfile", DEBIAN),
    POOLER: (DOCKER / "pgbouncer", None, DEBIAN),
}


def environment(**more: str) -> dict[str, str]:
    """The machine's, with podman's files of our own (bases.sh writes them)."""
    return (
        os.environ
        | {
            "CONTAINERS_CONF": str(CACHE / "containers.conf"),
            "CONTAINERS_STORAGE_CONF": str(CACHE / "storage.conf"),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        }
        | more
    )


def run(
    *command: str | Path, stdin: str = "", check: bool = True, **more: str
) -> subprocess.CompletedProcess[str]:
    """A command of podman's family; what it said, both streams in one, is `stdout`."""
    done = subprocess.run(
        command,
        input=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        env=environment(**more),
    )
    if check:
        assert done.returncode == 0, f"{' '.join(map(str, command))}:\n{done.stdout}"
    return done


@contextmanager
def alone(name: str) -> Iterator[None]:
    """One process of the tests at a time."""
    with (CACHE / f"{name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@pytest.fixture(scope="session")
def images() -> None:
    """Our three images, of the files as they are now. Layers that nothing changed in are not built again."""
    missing = [each for each in _PROGRAMS if shutil.which(each) is None]
    require(
        os.geteuid() == 0 and not missing and (CACHE / "storage.conf").exists(),
        "containers cannot be built and run here: that takes root, podman and tests/containers/bases.sh",
    )
    with alone("build"):
        for image, (context, file, base) in _BUILDS.items():
            _build(image, context, file, base)


def _build(image: str, context: Path, file: Path | None, base: str) -> None:
    cache = Path("~/.cache/uv").expanduser()
    cache.mkdir(parents=True, exist_ok=True)
    run(
        *("buildah", "bud", "--quiet", "--layers", "--isolation", "chroot", "--network", "host"),
        *("--format", "docker", "--build-arg", f"BASE_IMAGE={base}", "--volume", f"{cache}:/root/.cache/uv"),
        *(("--file", file) if file else ()),
        *("--tag", image, context),
    )


class Container:
    """One that was started, by its name."""

    def __init__(self, name: str) -> None:
        self.name = name

    def exec(self, *command: str, check: bool = True, stdin: str = "") -> str:
        return run("podman", "exec", "--interactive", self.name, *command, check=check, stdin=stdin).stdout

    def is_healthy(self) -> bool:
        """What the image's own health command says: podman's timers need systemd."""
        return self.health().returncode == 0

    def health(self) -> subprocess.CompletedProcess[str]:
        config = self.inspect()["Config"]
        return run("podman", "exec", self.name, *config["Healthcheck"]["Test"][1:], check=False)

    def log(self) -> str:
        return run("podman", "logs", self.name).stdout

    def inspect(self) -> dict[str, Any]:
        return json.loads(run("podman", "inspect", self.name).stdout)[0]

    def is_running(self) -> bool:
        return self.inspect()["State"]["Running"]

    def kill(self) -> None:
        run("podman", "kill", "--signal", "KILL", self.name)
        run("podman", "wait", self.name)

    def start(self) -> None:
        run("podman", "start", self.name)

    def stop(self) -> float:
        """As an operator does; how many seconds it took."""
        begun = time.monotonic()
        run("podman", "stop", "--time", "60", self.name)
        return time.monotonic() - begun

    def sql(self, statement: str, *, login: str = "postgres") -> str:
        """By the socket of the database's container, as the seed's users type it."""
        return self.exec(
            *("psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-U", login, "-d", "email_service"),
            *("-c", statement),
        ).strip()


@contextmanager
def container(image: str, *options: str, command: tuple[str, ...] = ()) -> Iterator[Container]:
    """One of its own, and its anonymous volumes, for the length of a `with`."""
    name = f"postroom-test-{os.getpid()}-{time.monotonic_ns()}"
    run("podman", "run", "--detach", "--name", name, *options, image, *command)
    try:
        yield Container(name)
    finally:
        run("podman", "rm", "--force", "--volumes", "--time", "0", name)


def once(image: str, *options: str, command: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    """One that ends by itself: its exit code and all that it said."""
    return run("podman", "run", "--rm", "--no-healthcheck", *options, image, *command, check=False)


@contextmanager
def volume() -> Iterator[str]:
    name = f"postroom-test-{os.getpid()}-{time.monotonic_ns()}"
    run("podman", "volume", "create", name)
    try:
        yield name
    finally:
        run("podman", "volume", "rm", "--force", name)


def until(is_so: Callable[[], Any], *, told: Callable[[], str] = lambda: "", seconds: float = 60) -> Any:
    """Wait until it is so, and give what it was; `told` says how things stand when it never came."""
    deadline = time.monotonic() + seconds
    while not (found := is_so()):
        assert time.monotonic() < deadline, told()
        time.sleep(0.2)
    return found
