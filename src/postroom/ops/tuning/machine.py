"""The machine: memory and processors as far as this process may use them, and the disk under the data."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_NO_LIMIT = 2**60
"""cgroup v1 writes a number near 2^63 where there is none."""
_VIRTUAL = ("virtio", "/xen", "/vbd-")


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What the server has to work with."""

    memory_bytes: int
    memory_limit: str = ""
    """What holds the memory below that of the machine; empty where nothing does."""
    cpus: int
    is_rotational: bool | None
    """None where the system does not say: a virtual disk calls itself one that turns, and is none."""
    free_bytes: int | None
    shared_memory_bytes: int | None = None
    """Of /dev/shm, where parallel workers exchange rows; 64 MB in many containers."""


def read_machine(data: Path, *, root: Path = Path("/")) -> Machine:
    """The machine of this process; `root` is where /proc, /sys and /dev are looked for."""
    limits = list(_limits(root))
    total = _total_memory(root)
    lowest = min(((value, name) for value, name in limits if value < _NO_LIMIT), default=(total, ""))
    memory, limit = lowest if lowest[0] < total else (total, "")
    return Machine(
        memory_bytes=memory,
        memory_limit=limit,
        cpus=_cpus(root),
        is_rotational=_is_rotational(data, root),
        free_bytes=_free(data),
        shared_memory_bytes=_size(root / "dev/shm"),
    )


def _total_memory(root: Path) -> int:
    for line in (root / "proc/meminfo").read_text().splitlines():
        if line.startswith("MemTotal:"):
            return int(line.split()[1]) * 1024
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _limits(root: Path) -> Iterator[tuple[int, str]]:
    """Every limit of memory from the process's own group up to the root, of cgroup v2 and v1."""
    for folder in _groups(root, "memory"):
        for name in ("memory.max", "memory.high", "memory.limit_in_bytes"):
            with suppress(OSError, ValueError):
                yield int((folder / name).read_text()), f"{folder / name}"


def _cpus(root: Path) -> int:
    """Processors that this process may run on, of which a group may allow fewer."""
    allowed = float(len(os.sched_getaffinity(0)))
    for folder in _groups(root, "cpu"):
        with suppress(OSError, ValueError):
            quota, period = (folder / "cpu.max").read_text().split()  # "max 100000" is no limit
            allowed = min(allowed, int(quota) / int(period))
        with suppress(OSError, ValueError):
            quota = (folder / "cpu.cfs_quota_us").read_text()
            if int(quota) > 0:
                allowed = min(allowed, int(quota) / int((folder / "cpu.cfs_period_us").read_text()))
    return max(1, int(allowed))


def _groups(root: Path, controller: str) -> Iterator[Path]:
    """The folders of this process's groups, from its own upwards. In a container its own is the top."""
    mounted = root / "sys/fs/cgroup"
    with suppress(OSError):
        for line in (root / "proc/self/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if controllers and controller not in controllers.split(","):
                continue
            tops = (
                [mounted / controllers, mounted / controller]
                if controllers
                else [mounted, mounted / "unified"]
            )
            for top in tops:
                folder = top / path.lstrip("/")
                while folder != top:
                    yield folder
                    folder = folder.parent
                yield top


def _is_rotational(data: Path, root: Path) -> bool | None:
    with suppress(OSError, ValueError):
        device = data.stat().st_dev
        block = (root / f"sys/dev/block/{os.major(device)}:{os.minor(device)}").resolve(strict=True)
        if any(sign in str(block) for sign in _VIRTUAL):
            return None
        for folder in (block, block.parent):  # a partition has no queue of its own
            if (folder / "queue/rotational").exists():
                return int((folder / "queue/rotational").read_text()) == 1
    return None


def _free(folder: Path) -> int | None:
    """Of the disk; also of a folder that is still to be made."""
    for each in (folder, *folder.parents):
        with suppress(OSError):
            return shutil.disk_usage(each).free
    return None


def _size(folder: Path) -> int | None:
    with suppress(OSError):
        return shutil.disk_usage(folder).total
    return None
