"""Following: what makes one server the standby of another, and what the leader has to know of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import psycopg

from postroom.errors import ClusterError
from postroom.ops.home import Home, load_secrets
from postroom.ops.members import Member, Members
from postroom.ops.server_user import server_user
from postroom.ops.standby.asking import (
    QUERIES,
    monitor,
    refused,
    replication,
    rows,
    superuser,
    wait_until,
)
from postroom.ops.standby.copying import base_backup, carry_backups, make_it_ours, put_in_place
from postroom.ops.standby.place import floors_of, write_follower, write_leader
from postroom.ops.standby.programs import required
from postroom.settings import Settings

_FOLLOW_SECONDS = 60
_MEND = "See why: postroom standby status, and the log of the standby."


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    major: int
    version: str


def copy(settings: Settings, known: Members, new: Member, leader: Member, keys: Path) -> Version:
    """A copy of the leader in the home of `new`, ready to be started as its standby. `keys` is a home with the passwords.

    Raises ClusterError.
    """
    home, source = Home(Path(str(new.home))), Home(keys)
    user = server_user(home.data)
    make_slot(known, leader, new.slot, source)
    try:
        with monitor(known, leader, source) as connection:
            floors = floors_of(connection)
            number = connection.info.server_version
    except psycopg.Error as error:
        raise refused(f"{leader.name} ({leader.where}) does not answer", error) from error
    version = Version(major=number // 10000, version=f"{number // 10000}.{number % 10000}")
    program = required(settings, "pg_basebackup", version.major, user, home.path)
    where = f"host={leader.host} port={leader.port} user=email_replication"
    password = load_secrets(source.path)["email_replication"]
    base_backup(program, home, user, where, password, new.slot)
    make_it_ours(home.half_made, user)
    write_follower(home.half_made, known, new.name, source, floors)
    carry_backups(source.path, home, home.half_made, user)
    put_in_place(home)
    return version


def make_slot(known: Members, leader: Member, slot: str, home: Home) -> None:
    """The leader keeps its log from now on for whoever reads this slot. Raises ClusterError."""
    try:
        with replication(known, leader, home) as connection:
            rows(connection, QUERIES.make_slot, slot=slot)
    except psycopg.Error as error:
        raise refused(f"{leader.name} ({leader.where}) makes no replication slot", error) from error


def forget_slot(known: Members, leader: Member, slot: str, home: Home) -> bool:
    """Whether it is gone. The server that reads it is sent away, where the leader is ours."""
    try:
        with superuser(leader, home) if leader.local else replication(known, leader, home) as connection:
            if leader.local:
                rows(connection, QUERIES.send_reader_away, slot=slot)
            rows(connection, QUERIES.drop_idle_slot, slot=slot)
            return not any(row["slot"] == slot for row in rows(connection, QUERIES.slots))
    except psycopg.Error:
        return False


def lead(known: Members, leader: Member, home: Home, synchronous: list[str]) -> None:
    """Let a primary of ours know who must confirm. One that is somebody else's is left as it is. Raises ClusterError."""
    place = leader.local
    if place is None:
        return
    write_leader(place.data, known, synchronous)
    try:
        with superuser(leader, home) as connection:
            rows(connection, QUERIES.reload)
            wanted = ", ".join(f'"{name}"' for name in synchronous)
            wait_until(
                lambda: wanted in rows(connection, QUERIES.now_synchronous)[0]["names"], _FOLLOW_SECONDS
            )
    except psycopg.Error as error:
        raise refused(f"{leader.name} ({leader.where}) does not answer", error) from error


def lead_with_all(known: Members, leader: Member, home: Home) -> list[str]:
    """Where commits wait for a standby, let them wait for one of those that follow now; who these are.

    None is waited for that does not follow: every commit would hang.
    """
    names = [name for name in followers(known, leader, home) if name in known] if known.synchronous else []
    lead(known, leader, home, names)
    return names


def followers(known: Members, leader: Member, home: Home) -> list[str]:
    """Who streams from it now."""
    with monitor(known, leader, home) as connection:
        return [row["name"] for row in rows(connection, QUERIES.followers) if row["state"] == "streaming"]


def wait_for(known: Members, leader: Member, standby: Member, home: Home) -> None:
    """Until it has caught up so far that it streams. Raises ClusterError."""
    if not wait_until(lambda: standby.name in followers(known, leader, home), _FOLLOW_SECONDS):
        raise ClusterError(
            reason=f"{standby.name} does not follow {leader.name} after {_FOLLOW_SECONDS} seconds.",
            mend=_MEND,
        )
