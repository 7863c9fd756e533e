"""Tune: look at the machine and the server, propose, and let it hold when that is wanted."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

import psycopg

from postroom.errors import UsageError
from postroom.ops.doctor.patient import Row, connect
from postroom.ops.home import Home
from postroom.ops.provision import Site
from postroom.ops.tuning import embedded, others
from postroom.ops.tuning.compare import QUERIES, Change, compare
from postroom.ops.tuning.machine import Machine, read_machine
from postroom.ops.tuning.profiles import Profile, fitting_profile, propose
from postroom.settings import Settings
from postroom.store.database import translated

_HERE = ("127.0.0.1", "localhost", "::1")
_RELOAD_SECONDS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the command line says; what it leaves out is read from the machine."""

    profile: Profile | None = None
    memory_bytes: int | None = None
    cpus: int | None = None
    is_rotational: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuning:
    """The table, and what has become of it."""

    profile: Profile
    machine: Machine
    changes: list[Change]
    is_applied: bool = False
    waiting: list[str] = field(default_factory=list)
    """Settings that hold from the next start on."""
    overruled: list[Row] = field(default_factory=list)
    """Settings that another file sets as well, and later."""


def look(site: Site, settings: Settings, wanted: Wanted) -> Tuning:
    """What should be, beside what is. Raises UsageError where the machine is not to be seen."""
    machine = _machine(settings, wanted)
    profile = wanted.profile or fitting_profile(machine)
    with translated("tune"), connect(site.url("postgres")) as connection:
        segment = connection.execute(QUERIES.segment.text.encode()).fetchone()
        proposals = propose(profile, machine, segment_bytes=int((segment or {})["bytes"]))
        names = [each.name for each in proposals]
        now = connection.execute(QUERIES.settings.text.encode(), {"names": names}).fetchall()
        has_standbys = _has_standbys(connection)
    return Tuning(
        profile=profile,
        machine=machine,
        changes=list(compare(proposals, now, has_standbys=has_standbys)),
    )


def apply(site: Site, settings: Settings, tuning: Tuning, *, restart: bool) -> Tuning:
    """Let it hold; what needs a restart waits for one unless it is wanted. Raises UsageError, ClusterError, StoreError."""
    if settings.database_url:
        if restart:
            raise UsageError(
                reason="That server is not ours to restart: leave --restart out, and restart it yourself."
            )
        with translated("tune"), connect(site.url("postgres")) as connection:
            others.write_settings(connection, [each for each in tuning.changes if each.differs])
            _reload(connection, tuning.changes)
            return replace(tuning, is_applied=True, waiting=_waiting(connection, tuning.changes))
    before = embedded.write_tuned(settings, tuning.profile, tuning.changes)
    if restart:
        embedded.restart(settings, before)
    with translated("tune"), connect(site.url("postgres")) as connection:
        _reload(connection, tuning.changes)
        file = str(embedded.tuned_file(settings))
        return replace(
            tuning,
            is_applied=True,
            waiting=_waiting(connection, tuning.changes),
            overruled=connection.execute(QUERIES.overruled.text.encode(), {"file": file}).fetchall(),
        )


def _has_standbys(connection: psycopg.Connection[Row]) -> bool:
    """To be on the safe side, also where this user may not see whether there are any."""
    try:
        row = connection.execute(QUERIES.standbys.text.encode()).fetchone()
    except psycopg.errors.InsufficientPrivilege:
        return True
    return bool(row and row["has_standbys"])


def _machine(settings: Settings, wanted: Wanted) -> Machine:
    here = not settings.database_url or urlsplit(settings.database_url).hostname in _HERE
    if not here and not (wanted.memory_bytes and wanted.cpus):
        raise UsageError(
            reason="The server's machine cannot be seen from here: say what it has with --memory 8GB --cpus 4."
        )
    machine = read_machine(Home(settings.home).data)
    if here and wanted.memory_bytes and wanted.memory_bytes > machine.memory_bytes:
        raise UsageError(
            reason=f"--memory is more than the {machine.memory_bytes >> 20:,} MB that this machine has."
        )
    if settings.database_url:
        machine = replace(machine, free_bytes=None, is_rotational=None, shared_memory_bytes=None)
    if wanted.memory_bytes:
        machine = replace(machine, memory_bytes=wanted.memory_bytes, memory_limit="--memory")
    if wanted.cpus:
        machine = replace(machine, cpus=wanted.cpus)
    if wanted.is_rotational is not None:
        machine = replace(machine, is_rotational=wanted.is_rotational)
    return machine


def _reload(connection: psycopg.Connection[Row], changes: Sequence[Change]) -> None:
    """Read the files again, and wait until this session has: it is told a moment later."""
    connection.execute(QUERIES.reload.text.encode())
    names = [each.name for each in changes]
    until = time.monotonic() + _RELOAD_SECONDS
    before = connection.execute(QUERIES.settings.text.encode(), {"names": names}).fetchall()
    quiet = 0
    while quiet < 3 and time.monotonic() < until:
        time.sleep(0.1)
        now = connection.execute(QUERIES.settings.text.encode(), {"names": names}).fetchall()
        quiet = quiet + 1 if now == before else 0
        before = now


def _waiting(connection: psycopg.Connection[Row], changes: Sequence[Change]) -> list[str]:
    names = [each.name for each in changes]
    rows = connection.execute(QUERIES.settings.text.encode(), {"names": names}).fetchall()
    return [row["name"] for row in rows if row["pending_restart"]]
