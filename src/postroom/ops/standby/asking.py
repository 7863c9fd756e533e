"""Asking the members: who lives, who takes writes, how far each has come."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.rows import dict_row

from postroom import sql
from postroom.errors import ClusterError, ServerFenced
from postroom.model import Query
from postroom.ops.home import Home, load_secrets
from postroom.ops.making import SUPERUSER
from postroom.ops.members import Member, Members, put_fence, refuse_fenced

QUERIES = sql.queries("standby")
Row = dict[str, Any]
Connection = psycopg.Connection[Row]
_CONNECT_SECONDS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What a member says of itself."""

    member: Member
    is_standby: bool
    system_identifier: str
    timeline: int
    lsn: int
    """How far its log is written, or has come in: a place in bytes."""
    replayed: int | None
    replayed_seconds_ago: float | None
    receiving: str | None
    version: str


def monitor(known: Members, member: Member, home: Home) -> Connection:
    """A session of the login that may look at everything and change nothing. Raises psycopg.Error."""
    return _connect(member, "email_monitor", load_secrets(home.path)["email_monitor"], known.database)


def replication(known: Members, member: Member, home: Home) -> Connection:
    """A session of the login that standbys use: it may make slots, and let them go. Raises psycopg.Error."""
    return _connect(member, "email_replication", load_secrets(home.path)["email_replication"], known.database)


def superuser(member: Member, home: Home, database: str = "postgres") -> Connection:
    """A session of the superuser of a server of ours. Raises psycopg.Error."""
    connection = _connect(member, "postgres", load_secrets(home.path)[SUPERUSER], database)
    # What is done here must not wait for a standby that is the very reason for doing it.
    connection.execute("set synchronous_commit = local")
    return connection


def _connect(member: Member, user: str, password: str, database: str) -> Connection:
    return psycopg.Connection[Row].connect(
        host=member.host,
        port=member.port,
        user=user,
        password=password,
        dbname=database,
        autocommit=True,
        row_factory=dict_row,
        connect_timeout=_CONNECT_SECONDS,
        application_name="postroom standby",
    )


def rows(connection: Connection, query: Query, **parameters: Any) -> list[Row]:
    return connection.execute(query.text.encode(), parameters or None).fetchall()


def state_of(known: Members, member: Member, home: Home) -> State | None:
    """What it says; None when it does not answer."""
    try:
        with monitor(known, member, home) as connection:
            (found,) = rows(connection, QUERIES.state)
    except psycopg.Error:
        return None
    return State(
        **{
            **found,
            "member": member,
            "lsn": place_of(found["lsn"]),
            "replayed": place_of(found["replayed"]) if found["replayed"] else None,
        }
    )


def states(known: Members, home: Home) -> dict[str, State]:
    """Of all that answer, by name."""
    found = {each.name: state_of(known, each, home) for each in known.members}
    return {name: each for name, each in found.items() if each}


def primary_among(found: dict[str, State]) -> State | None:
    """The one that takes writes; of two that both think so, the one that was promoted last."""
    takers = [each for each in found.values() if not each.is_standby]
    return max(takers, key=lambda each: each.timeline, default=None)


def place_of(lsn: str) -> int:
    """A place in the log, as PostgreSQL writes it, in bytes."""
    high, low = lsn.split("/")
    return (int(high, 16) << 32) + int(low, 16)


def refuse_superseded(home: Home, known: Members) -> None:
    """Before a primary is started: another member may have been promoted while it was away. Raises ServerFenced."""
    refuse_fenced(home)
    if not home.data.exists() or (home.data / "standby.signal").exists():
        return
    for each in known.others():
        state = state_of(known, each, home)
        if state and not state.is_standby:
            put_fence(home, each.name)
            raise ServerFenced(home=home.path, by=f"{each.name} ({each.where})")


def wait_until(true: Callable[[], bool], seconds: float) -> bool:
    """Whether it came true in time."""
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def refused(what: str, error: psycopg.Error, mend: str = "") -> ClusterError:
    """The server's own words as ours."""
    said = (error.diag.message_primary or str(error)).strip().splitlines()[0].rstrip(".")
    return ClusterError(reason=f"{what}: {said}.", mend=mend)
