"""The profiles: from a machine to settings. No clock, no disk, no database."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, get_args

from postroom.ops.tuning.machine import Machine

Profile = Literal["production", "high-throughput", "read-heavy", "small"]
PROFILES: tuple[Profile, ...] = get_args(Profile)

KB, MB, GB = 1024, 1024**2, 1024**3
MEANT_FOR_BYTES = 8 * GB
"""All profiles but `small` are meant for this much and more."""

# docs/reference: PgBouncer keeps 25 connections for each login, and 5 more in need.
_POOL = 25 + 5
_POOLED_LOGINS = 3
"""email_service, email_worker, email_readonly."""
_DIRECT = 20
"""Administrators, backups, monitoring, standbys, and the three kept for superusers."""

NEVER_TOUCHED = frozenset(
    """wal_level archive_mode archive_command archive_library archive_timeout restore_command max_wal_senders
    max_replication_slots wal_keep_size max_slot_wal_keep_size hot_standby synchronous_commit synchronous_standby_names
    primary_conninfo primary_slot_name fsync full_page_writes shared_preload_libraries listen_addresses port
    ssl password_encryption data_checksums""".split()
)
"""What backups, standbys and committed work hang on: no profile changes it."""

HELD_BY_STANDBYS = frozenset(["max_connections", "max_worker_processes"])
"""A standby stops replaying when its primary has more of these than itself."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """One setting as it should be, in the server's own spelling."""

    name: str
    value: str
    why: str
    also_fine: tuple[int, int] | None = None
    """From and up to how many bytes what is set already may stay: what is free changes with each message."""


def fitting_profile(machine: Machine) -> Profile:
    """For somebody who has not chosen."""
    return "production" if machine.memory_bytes >= MEANT_FOR_BYTES else "small"


def fewest_connections(profile: Profile) -> int:
    """As many as the poolers may open, and some to look after the server."""
    return _POOL * (_POOLED_LOGINS if profile != "small" else 2) + _DIRECT


def propose(profile: Profile, machine: Machine, *, segment_bytes: int = 16 * MB) -> list[Proposal]:
    """The settings of a profile on a machine, for a server whose log is in segments of this size."""
    connections = 100 if profile == "small" else 200
    return [
        Proposal(
            "max_connections",
            str(connections),
            f"pools of 25+5 for each login need {fewest_connections(profile)}",
        ),
        *_memory(profile, machine, connections),
        *_log(profile, machine, segment_bytes),
        *_disk(machine),
        *_workers(profile, machine),
        *_upkeep(profile),
    ]


def _memory(profile: Profile, machine: Machine, connections: int) -> Iterator[Proposal]:
    memory = machine.memory_bytes
    share = {"production": 0.25, "high-throughput": 0.25, "read-heavy": 0.35, "small": 0.125}[profile]
    buffers = _between(128 * MB, memory * share, 1 * GB if profile == "small" else 16 * GB)
    buffers = min(buffers, max(32 * MB, memory // 4)) if memory < GB else buffers
    yield Proposal("shared_buffers", _size(buffers), f"{share * 100:.4g} % of {memory / GB:.1f} GB")
    cached = memory * (0.5 if profile == "small" else 0.75)
    yield Proposal(
        "effective_cache_size",
        _size(cached),
        "what the system caches as well; a guess for the planner",
    )
    sorts = {"production": 3, "high-throughput": 4, "read-heavy": 2, "small": 6}[profile]
    work = _between(1310 * KB, (memory - buffers) / 2 / connections / sorts, 64 * MB)
    yield Proposal(
        "work_mem", _size(work), f"half of the rest, if {connections} sessions have {sorts} sorts each"
    )
    most = 2 * GB if profile == "high-throughput" else GB
    yield Proposal(
        "maintenance_work_mem", _size(_between(64 * MB, memory / 20, most)), "vacuum, index builds"
    )
    yield Proposal(
        "wal_buffers", "64MB" if profile == "high-throughput" else "16MB", "a few large batches of mail"
    )


def _log(profile: Profile, machine: Machine, segment_bytes: int) -> Iterator[Proposal]:
    wanted = {"production": 4, "high-throughput": 16, "read-heavy": 4, "small": 1}[profile] * GB
    room = machine.free_bytes
    most = wanted if room is None else int(_between(256 * MB, room / 5, wanted))
    most = most // GB * GB or most
    why = "fewer checkpoints" if most == wanted else "a fifth of the space that is free"
    # With less than two segments the server does not start, and ALTER SYSTEM takes it all the same.
    fewest = 2 * segment_bytes
    if most < 2 * fewest:
        most, why = 2 * fewest, f"four segments of {_size(segment_bytes)}"
    is_near = room is not None and room / 5 < 1.25 * wanted
    fine = (most // 2, min((room or 0) // 4, wanted)) if is_near else None
    yield Proposal("max_wal_size", _size(most), why, fine)
    least = max(min(80 * MB if profile == "small" else GB, most // 4), 64 * MB, fewest)
    fine = (least // 2, least) if is_near else None
    yield Proposal("min_wal_size", _size(least), "log files kept for reuse", fine)
    yield Proposal("checkpoint_completion_target", "0.9", "spread the writes")
    minutes = {"production": 15, "high-throughput": 30, "read-heavy": 15, "small": 5}[profile]
    yield Proposal("checkpoint_timeout", f"{minutes}min", "after a crash the log since then is replayed")


def _disk(machine: Machine) -> Iterator[Proposal]:
    turns = machine.is_rotational is True
    why = "a disk that turns" if turns else "no head to move"
    yield Proposal("random_page_cost", "4" if turns else "1.1", why)
    yield Proposal("effective_io_concurrency", "2" if turns else "200", why)


def _workers(profile: Profile, machine: Machine) -> Iterator[Proposal]:
    cpus = machine.cpus
    yield Proposal("max_worker_processes", str(max(8, cpus)), f"{cpus} processors")
    yield Proposal("max_parallel_workers", str(max(2, cpus)), f"{cpus} processors")
    each = {"production": 2, "high-throughput": 0, "read-heavy": 4, "small": 0}[profile]
    each = min(each, cpus // 2)
    why = "many short statements keep all processors busy" if profile != "read-heavy" else "large reads"
    upkeep = min(4, max(1, cpus // 2))
    small = machine.shared_memory_bytes
    if small is not None and small < 256 * MB:
        each, upkeep, why = 0, 0, f"/dev/shm holds {_size(small)} only: parallel workers would fail"
    yield Proposal("max_parallel_workers_per_gather", str(each), why)
    yield Proposal("max_parallel_maintenance_workers", str(upkeep), why if upkeep == 0 else "index builds")


def _upkeep(profile: Profile) -> Iterator[Proposal]:
    yield Proposal(
        "default_statistics_target",
        "200" if profile == "read-heavy" else "100",
        "better plans for a longer analyze" if profile == "read-heavy" else "enough for these queries",
    )
    yield Proposal(
        "autovacuum_vacuum_scale_factor", "0.1", "at a million messages a fifth is too much to wait for"
    )
    yield Proposal("autovacuum_analyze_scale_factor", "0.05", "new mail changes what the planner should know")
    limit = {"production": 1000, "high-throughput": 3000, "read-heavy": 1000, "small": 200}[profile]
    yield Proposal("autovacuum_vacuum_cost_limit", str(limit), "vacuum keeps pace with what comes in")
    yield Proposal("jit", "off", "the queries are short: compiling costs more than it saves")


def _between(least: float, wanted: float, most: float) -> int:
    return int(max(least, min(wanted, most)))


def _size(size_bytes: float) -> str:
    """Rounded down, so that a machine gives the same answer tomorrow."""
    if size_bytes >= GB:
        quarters = int(size_bytes * 4 // GB)
        return f"{quarters // 4}GB" if quarters % 4 == 0 else f"{quarters * 256}MB"
    if size_bytes >= 16 * MB:
        return f"{int(size_bytes // MB)}MB"
    return f"{int(size_bytes // KB)}kB"
