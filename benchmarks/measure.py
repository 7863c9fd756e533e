"""How everything here is measured: wall time, CPU seconds of all processes concerned, and the machine by name."""

from __future__ import annotations

import os
import platform
import resource
import shutil
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK")


@dataclass(slots=True)
class Cost:
    """What something took, in seconds: of the clock, of our own and our children's CPU, of the server's CPU."""

    wall: float = 0.0
    own_cpu: float = 0.0
    server_cpu: float = 0.0

    @property
    def cpu(self) -> float:
        return self.own_cpu + self.server_cpu


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the report: what was measured, ours, the yardstick's, and what we aim at."""

    number: str
    what: str
    ours: str
    yardstick: str = ""
    ratio: str = ""
    goal: str = ""
    reached: bool | None = None
    notes: list[str] = field(default_factory=list)


@contextmanager
def measured(server_pid: int | None = None) -> Iterator[Cost]:
    """The cost of what happens inside; with the CPU of a PostgreSQL server and all that it started."""
    cost = Cost()
    own, server, began = _own_cpu(), _tree_cpu(server_pid), time.perf_counter()
    yield cost
    cost.wall = time.perf_counter() - began
    cost.own_cpu = _own_cpu() - own
    cost.server_cpu = _tree_cpu(server_pid) - server


def _own_cpu() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def _tree_cpu(pid: int | None) -> float:
    """A process and its children, those that ended included: the server reaps all of its own."""
    if pid is None:
        return 0.0
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return _cpu(str(pid), reaped=True) + sum(_cpu(child) for child in children)


def _cpu(pid: str, *, reaped: bool = False) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0  # it has ended, and its parent counts it
    return sum(int(each) for each in fields[11 : 15 if reaped else 13]) / _TICK


def run(command: Sequence[str], **environment: str) -> str:
    """Run a program to its end; what it printed. Raises where it fails."""
    done = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}: {done.stderr[-600:]}")
    return done.stdout


def peak_mb(command: Sequence[str], **environment: str) -> float:
    """The most memory that a program held at once, in MB of 1,000,000 bytes (VmHWM, read until it ends)."""
    peak = 0
    with subprocess.Popen(
        command, env=os.environ | environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        # What wait4 tells would count our own memory as well, which a child shares until it becomes the program.
        while process.poll() is None:
            peak = max(peak, _high_water_bytes(process.pid))
            time.sleep(0.02)
        said = process.stderr.read() if process.stderr else ""
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}: {said[-600:]}")
    return peak / 1e6


def _high_water_bytes(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0  # it has just ended
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM")), 0)


def alternated(rounds: int, **contestants: Callable[[], float]) -> dict[str, list[float]]:
    """Run them in turn, so many rounds: whatever disturbs the machine disturbs all of them."""
    found: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, contestant in contestants.items():
            found[name].append(contestant())
    return found


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which so large a share of the values lies: `percentile(times, 0.95)`."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def is_there(program: str) -> bool:
    return shutil.which(program) is not None


def version(program: str) -> str:
    """What a program calls itself: `isync 1.4.4`."""
    done = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    said = (done.stdout.strip() or done.stderr.strip() or "?").splitlines()[0]
    return said if program in said else f"{program} {said}"


def machine() -> str:
    """`2 cores of AMD EPYC, 24 GB, Linux 6.1, Python 3.11.7`"""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "?")
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9
    return (
        f"{os.cpu_count()} cores of {model}, {memory:.0f} GB, {platform.system()} {platform.release()}, "
        f"Python {platform.python_version()}"
    )
