"""The profiles and the machine: what is proposed for whom, and what is never touched."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from pathlib import Path

import pytest

from postroom.ops.tuning.compare import amount, compare
from postroom.ops.tuning.machine import Machine, read_machine
from postroom.ops.tuning.profiles import (
    NEVER_TOUCHED,
    PROFILES,
    Profile,
    fewest_connections,
    fitting_profile,
    propose,
)
from tests.support.needs import require

GB = 2**30
MACHINES = [
    Machine(memory_bytes=memory, cpus=cpus, is_rotational=turns, free_bytes=free, shared_memory_bytes=shared)
    for memory, cpus, turns, free, shared in itertools.product(
        (GB // 4, GB, 4 * GB, 16 * GB, 1024 * GB),
        (1, 4, 128),
        (True, None),
        (2 * GB, 500 * GB, None),
        (64 * 2**20, None),
    )
]


def _values(profile: Profile, machine: Machine) -> dict[str, str]:
    return {each.name: each.value for each in propose(profile, machine)}


def _bytes(text: str) -> float:
    found = amount(text)
    assert isinstance(found, float), text
    return found


@pytest.mark.parametrize("profile", PROFILES)
def test_every_profile_fits_every_machine(profile: Profile) -> None:
    for machine in MACHINES:
        values = _values(profile, machine)
        assert not NEVER_TOUCHED & set(values)
        assert _bytes(values["shared_buffers"]) <= 0.5 * machine.memory_bytes
        assert int(values["max_connections"]) >= fewest_connections(profile)
        assert 2 * 16 * 2**20 <= _bytes(values["min_wal_size"]) < _bytes(values["max_wal_size"])
        if machine.free_bytes:
            assert _bytes(values["max_wal_size"]) <= machine.free_bytes / 4
        assert _bytes(values["work_mem"]) >= _bytes("1310kB")
        assert int(values["max_parallel_workers"]) <= int(values["max_worker_processes"])
        if machine.shared_memory_bytes:
            assert (
                values["max_parallel_workers_per_gather"] == values["max_parallel_maintenance_workers"] == "0"
            )


def test_the_promised_values_are_those_of_production() -> None:
    machine = Machine(memory_bytes=8 * GB, cpus=4, is_rotational=False, free_bytes=500 * GB)
    values = _values("production", machine)
    promised = {
        "max_connections": "200",
        "wal_buffers": "16MB",
        "min_wal_size": "1GB",
        "max_wal_size": "4GB",
        "checkpoint_completion_target": "0.9",
        "random_page_cost": "1.1",
        "effective_io_concurrency": "200",
        "default_statistics_target": "100",
    }
    assert promised.items() <= values.items()
    assert values["shared_buffers"] == "2GB"
    assert fitting_profile(machine) == "production"
    assert fitting_profile(MACHINES[0]) == "small"


def test_what_a_standby_must_have_as_well_stays() -> None:
    row = {"name": "max_connections", "now": "300", "context": "postmaster"}
    proposals = propose("production", MACHINES[-1])
    (alone,) = compare(proposals, [row], has_standbys=False)
    (copied,) = compare(proposals, [row], has_standbys=True)
    assert (alone.proposed, alone.differs, alone.needs_restart) == ("200", True, True)
    assert (copied.proposed, copied.differs) == ("300", False)


def test_what_was_set_by_the_space_that_was_free_stays_while_it_still_fits() -> None:
    def compared(free: int, now: str) -> tuple[str, bool]:
        machine = Machine(memory_bytes=8 * GB, cpus=4, is_rotational=False, free_bytes=free)
        row = {"name": "max_wal_size", "now": now, "context": "sighup"}
        (found,) = compare(propose("high-throughput", machine), [row], has_standbys=False)
        return found.proposed, found.differs

    assert compared(50 * GB, "1GB") == ("10GB", True)
    assert compared(49 * GB, "10GB") == ("10GB", False)
    assert compared(81 * GB, "15GB") == ("15GB", False)
    assert compared(30 * GB, "10GB") == ("6GB", True)
    assert compared(500 * GB, "10GB") == ("16GB", True)


def test_values_are_compared_whatever_their_unit() -> None:
    assert amount("1GB") == amount("1024MB") == amount("1048576kB")
    assert amount("15min") == amount("900s")
    assert amount("0.9") == amount("0.90")
    assert amount("off") == amount("OFF")
    assert amount("1GB") != amount("1MB")


def _root(tmp_path: Path, groups: str, files: dict[str, str]) -> Path:
    root = tmp_path / "root"
    for name, text in {
        "proc/meminfo": "MemTotal: 16777216 kB\n",
        "proc/self/cgroup": groups,
        **files,
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def test_a_limit_of_cgroup_2_anywhere_above_counts(tmp_path: Path) -> None:
    files = {
        "sys/fs/cgroup/app/memory.max": f"{2 * GB}\n",
        "sys/fs/cgroup/app/cpu.max": "150000 100000\n",
        "sys/fs/cgroup/app/db/memory.max": "max\n",
        "sys/fs/cgroup/app/db/cpu.max": "max 100000\n",
    }
    machine = read_machine(tmp_path, root=_root(tmp_path, "0::/app/db\n", files))
    assert (machine.memory_bytes, machine.cpus) == (2 * GB, 1)
    assert machine.memory_limit.endswith("app/memory.max")


def test_in_a_container_the_own_group_is_the_top(tmp_path: Path) -> None:
    files = {"sys/fs/cgroup/memory.max": f"{GB}\n"}
    assert read_machine(tmp_path, root=_root(tmp_path, "0::/\n", files)).memory_bytes == GB
    hidden = _root(
        tmp_path / "v1", "4:memory:/docker/abc\n", {"sys/fs/cgroup/memory/memory.limit_in_bytes": f"{GB}\n"}
    )
    assert read_machine(tmp_path, root=hidden).memory_bytes == GB


def test_without_a_limit_the_machine_is_all_there_is(tmp_path: Path) -> None:
    files = {"sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n"}
    machine = read_machine(tmp_path, root=_root(tmp_path, "4:memory:/\n", files))
    assert (machine.memory_bytes, machine.memory_limit) == (16 * GB, "")


def test_a_limit_of_cgroup_1_is_read_by_a_process_in_it() -> None:
    own = next(
        (
            line.split(":")[2]
            for line in Path("/proc/self/cgroup").read_text().splitlines()
            if ":memory:" in line
        ),
        None,
    )
    group = Path(f"/sys/fs/cgroup/memory{own}/postroom-test-{os.getpid()}")
    require(own is not None and os.access(group.parent, os.W_OK), "no group of cgroup v1 can be made here")
    group.mkdir()
    try:
        (group / "memory.limit_in_bytes").write_text(str(GB))
        program = (
            f"import os; open('{group}/cgroup.procs', 'w').write(str(os.getpid()))\n"
            "from pathlib import Path; from postroom.ops.tuning.machine import read_machine\n"
            "print(read_machine(Path('/tmp')).memory_bytes)"
        )
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
        assert int(done.stdout) == GB
    finally:
        group.rmdir()


def test_disks_that_turn_and_disks_that_only_say_so(tmp_path: Path) -> None:
    device = tmp_path.stat().st_dev
    name = f"sys/dev/block/{os.major(device)}:{os.minor(device)}"
    for real, said, found in (("devices/ata1/sda/sda1", "1", True), ("devices/pci/nvme0", "0", False)):
        place = tmp_path / found.__str__()
        root = _root(place, "", {f"sys/{real}/queue/rotational": said})
        (root / name).parent.mkdir(parents=True)
        (root / name).symlink_to(root / "sys" / real)
        assert read_machine(tmp_path, root=root).is_rotational is found
    virtual = _root(tmp_path / "virtual", "", {"sys/devices/virtio1/vda/queue/rotational": "1"})
    (virtual / name).parent.mkdir(parents=True)
    (virtual / name).symlink_to(virtual / "sys/devices/virtio1/vda")
    assert read_machine(tmp_path, root=virtual).is_rotational is None
