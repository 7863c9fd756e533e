"""Status: every member, what it is, and how far it is behind, in bytes and in seconds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import psycopg

from postroom.ops import members
from postroom.ops.home import Home
from postroom.ops.members import Member, Members
from postroom.ops.standby.asking import QUERIES, Row, State, monitor, primary_among, rows, states
from postroom.settings import Settings

Role = Literal["primary", "standby", "fenced", "second primary", "down"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One member."""

    name: str
    where: str
    home: str | None
    role: Role
    state: str
    """streaming, catchup, disconnected, or empty."""
    synchronous: bool
    """Whether commits wait for it now."""
    timeline: int | None
    behind_bytes: int | None
    behind_seconds: float | None
    slot_kept_bytes: int | None
    """How much of the log the primary keeps for it."""
    slot_state: str | None
    """`lost`: it was away for too long, and must rejoin by a new copy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """All of them."""

    primary: str | None
    synchronous: bool
    """Whether commits are to wait for a standby."""
    waits_for: list[str]
    """The standbys that they wait for now; with none no commit is on two servers."""
    members: list[Line]

    @property
    def trouble(self) -> str | None:
        """What somebody should see to, and how; None when all is well."""
        by_role = {each.role: each for each in self.members}
        if self.primary is None:
            return "No member takes writes: postroom --data-dir DIR standby promote  # or start the primary: postroom up --detach"
        if two := by_role.get("second primary"):
            return f"{two.name} takes writes as well as {self.primary}: postroom --data-dir {two.home} down"
        for each in self.members:
            if each.slot_state == "lost" or each.role == "fenced":
                return f"{each.name} follows nobody: postroom --data-dir {each.home} standby rejoin"
            if each.role == "down":
                return f"{each.name} is down: postroom --data-dir {each.home} up --detach"
            if each.role == "standby" and each.state == "disconnected":
                return f"{each.name} is up and follows nobody: postroom --data-dir {each.home} standby rejoin"
        if self.synchronous and not self.waits_for:
            return "No commit waits for a standby, though it should: postroom --data-dir DIR standby rejoin"
        return None


def status(settings: Settings, known: Members) -> Status:
    """Asks each member itself; starts none."""
    home = Home(settings.home)
    found = states(known, home)
    leader = primary_among(found)
    followers: dict[str, Row] = {}
    slots: dict[str, Row] = {}
    names = ""
    if leader:
        try:
            with monitor(known, leader.member, home) as connection:
                followers = {row["name"]: row for row in rows(connection, QUERIES.followers)}
                slots = {row["slot"]: row for row in rows(connection, QUERIES.slots)}
                names = rows(connection, QUERIES.now_synchronous)[0]["names"]
        except psycopg.Error:
            leader = None  # it went away meanwhile
    waits_for = [each.name for each in known.members if f'"{each.name}"' in names]
    lines = [
        _line(each, found.get(each.name), leader, followers.get(each.name), slots.get(each.slot))
        for each in known.members
    ]
    return Status(
        primary=leader.member.name if leader else None,
        synchronous=known.synchronous,
        waits_for=waits_for,
        members=lines,
    )


def _line(
    member: Member, state: State | None, leader: State | None, follower: Row | None, slot: Row | None
) -> Line:
    is_leader = leader is not None and leader.member.name == member.name
    behind_bytes, behind_seconds = _behind(state, leader, follower)
    return Line(
        name=member.name,
        where=member.where,
        home=member.home,
        role=_role(member, state, is_leader=is_leader),
        state=""
        if state is None or not state.is_standby
        else str(follower["state"])
        if follower
        else "disconnected",
        synchronous=bool(follower and follower["sync_state"] in ("sync", "quorum")),
        timeline=state.timeline if state else None,
        behind_bytes=None if is_leader else behind_bytes,
        behind_seconds=None if is_leader else behind_seconds,
        slot_kept_bytes=None if is_leader or not slot else slot["kept_bytes"],
        slot_state=None if is_leader or not slot else slot["wal_status"],
    )


def _role(member: Member, state: State | None, *, is_leader: bool) -> Role:
    if is_leader:
        return "primary"
    if state and not state.is_standby:
        return "second primary"
    if member.local and members.fence_of(member.local):
        return "fenced"
    return "standby" if state else "down"


def _behind(
    state: State | None, leader: State | None, follower: Row | None
) -> tuple[int | None, float | None]:
    """In bytes, and in seconds: what the primary measured, or how old the last thing is that came through."""
    if leader is None:
        return None, None
    if follower and follower["behind_bytes"] is not None:
        return max(0, follower["behind_bytes"]), round(follower["behind_seconds"], 1)
    if state is None or state.replayed is None:
        return None, None
    behind = max(0, leader.lsn - state.replayed)
    return behind, round(state.replayed_seconds_ago or 0, 1) if behind else 0
