"""The running server as its `postmaster.pid` and the operating system show it."""

from __future__ import annotations

import os
import random
import socket
import time
from dataclasses import dataclass
from pathlib import Path

_PORTS = range(20000, 32000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Postmaster:
    """A server process that is alive and works in our data folder."""

    pid: int
    port: int
    sockets: Path


def find_postmaster(data: Path) -> Postmaster | None:
    """The server of a data folder, or None when it does not run."""
    found = last_postmaster(data)
    return found if found and _lives(found.pid, data) else None


def programs_of(running: Postmaster) -> Path | None:
    """The folder of the programs that a server was started from; None where the system does not tell."""
    try:
        program = Path(f"/proc/{running.pid}/exe").readlink()
    except OSError:
        return None
    return program.parent if program.exists() else None


def last_postmaster(data: Path) -> Postmaster | None:
    """The server that wrote the pid file, which may have been killed long since."""
    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
        # pid, data folder, start time, port, socket folder, listen address, shared memory, status
        return Postmaster(pid=int(lines[0]), port=int(lines[3]), sockets=Path(lines[4]))
    except (FileNotFoundError, PermissionError, ValueError, IndexError):
        return None


def _lives(pid: int, data: Path) -> bool:
    """Whether the process is there and is the server: after a crash another one may have got its number."""
    _bury(pid)
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/cwd").readlink() == data.resolve()
    except ProcessLookupError:
        return False
    except PermissionError:
        return True  # somebody else's process, as an ordinary user sees the server that root started
    except FileNotFoundError:
        # A dead process has no folder there; a system without /proc has none at all.
        return not Path("/proc/self").exists()


def _bury(pid: int) -> None:
    """In a container we may be process 1, whom every orphan is left to; unburied it would seem alive."""
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        pass


def wait_for_end(data: Path, *, seconds: float) -> bool:
    """Whether the server has ended in time."""
    deadline = time.monotonic() + seconds
    while find_postmaster(data):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def free_port() -> int:
    """A port nobody uses, below those that Linux hands to outgoing connections (32768 and up).

    One of those could be taken by any connection while the server is down, and the server would have to move.
    """
    for port in random.sample(_PORTS, k=100):
        if is_free(port):
            return port
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def is_free(port: int) -> bool:
    """Whether the server could listen there. Like the server, it does not mind connections still closing."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except (OSError, OverflowError):
            return False
    return True
