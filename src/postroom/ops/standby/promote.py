"""Promoting: a standby takes writes, and whoever took them before takes none any more."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace

import psycopg

from postroom.errors import ClusterError, PostroomError, UsageError
from postroom.ops import members
from postroom.ops.cluster import Cluster
from postroom.ops.home import Home
from postroom.ops.members import Member, Members, put_fence
from postroom.ops.postmaster import find_postmaster
from postroom.ops.server_user import server_user
from postroom.ops.standby import following
from postroom.ops.standby.asking import (
    QUERIES,
    State,
    place_of,
    primary_among,
    refused,
    rows,
    state_of,
    states,
    superuser,
    wait_until,
)
from postroom.ops.standby.copying import carry_keys
from postroom.ops.standby.place import waits_for, write_leader
from postroom.ops.standby.programs import program_for
from postroom.settings import Settings

Tell = Callable[[str], None]
_PROMOTE_SECONDS = 60
_PATIENCE_SECONDS = 5
_CHECKPOINT = re.compile(r"^Latest checkpoint location: +(\S+)$", re.MULTILINE)
_STATE = re.compile(r"^Database cluster state: +(.+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Promoted:
    """A primary that has taken a write."""

    name: str
    port: int
    timeline: int
    fenced: list[str]
    """Servers that took writes before, and do no more."""
    has_everything: bool | None
    """Whether it has all that the old primary had written; None where that cannot be seen."""
    has_all_acknowledged: bool
    """Whether it is sure to have all that was acknowledged: commits waited for it, or it has everything."""
    seconds: float
    """How long it took, from the first word to the first write."""


def known_at(settings: Settings) -> Members:
    """The members of a store that has more than one. Raises UsageError."""
    if found := members.read(settings.home):
        return found
    raise UsageError(
        reason=f"The store in {settings.home} has no standby. Make one: postroom standby create --into DIR."
    )


def promote(settings: Settings, tell: Tell) -> Promoted:
    """Let the standby in this home take the place of its primary. Raises UsageError, ClusterError."""
    known, home, begun = known_at(settings), Home(settings.home), time.monotonic()
    Cluster(home.path, postgres_bin=settings.postgres_bin, port=known.me.port).ensure_running()
    found = states(known, home)
    mine = found.get(known.own)
    if mine is None:
        raise ClusterError(
            reason=f"The server in {home.path} does not answer.", mend=f"Its log is {home.log}."
        )
    if not mine.is_standby:
        raise UsageError(
            reason=f"{known.own} takes writes already, on timeline {mine.timeline}. See: postroom standby status."
        )
    _refuse_strangers(known, found)
    _refuse_the_hindmost(known, found, mine)
    fenced = [each.name for each in known.others() if _fence(each, known.own, found, tell)]
    return take_over(settings, known, known.me, fenced, tell, begun=begun)


def take_over(
    settings: Settings, known: Members, new: Member, fenced: list[str], tell: Tell, *, begun: float
) -> Promoted:
    """The promotion itself, when no other takes writes any more."""
    home = Home(settings.home)
    has_everything = _wait_for_all(settings, known, new, fenced, home)
    place = _home_of(new)
    waited = False
    for name in fenced:
        if old := known[name].local:
            waited = waited or waits_for(old.data) == [new.name]
            carry_keys(old.path, place)  # it may have got a new master key since
    write_leader(place.data, known, [])
    tell(f"Promoting {new.name}")
    try:
        with superuser(new, place) as connection:
            rows(connection, QUERIES.reload)
            rows(connection, QUERIES.promote, seconds=_PROMOTE_SECONDS)
        if not wait_until(lambda: _takes_writes(known, new, place), _PROMOTE_SECONDS):
            raise ClusterError(
                reason=f"{new.name} was told to take writes and does not after {_PROMOTE_SECONDS} seconds.",
                mend=f"Its log is {place.log}.",
            )
    except psycopg.Error as error:
        raise refused(f"{new.name} could not be promoted", error, f"Its log is {place.log}.") from error
    seconds = time.monotonic() - begun
    for each in known.others(new.name):
        following.make_slot(known, new, each.slot, place)
    with suppress(ClusterError, psycopg.Error):
        following.lead_with_all(known, new, place)  # other standbys may follow it already
    state = state_of(known, new, place)
    return Promoted(
        name=new.name,
        port=new.port,
        timeline=state.timeline if state else 0,
        fenced=fenced,
        has_everything=has_everything,
        has_all_acknowledged=bool(has_everything) or waited,
        seconds=round(seconds, 1),
    )


def _refuse_strangers(known: Members, found: dict[str, State]) -> None:
    """A primary that is not ours to stop must be stopped by whoever keeps it: two that take writes drift apart."""
    for each in known.others():
        state = found.get(each.name)
        if state and not state.is_standby and each.local is None:
            raise ClusterError(
                reason=f"{each.name} ({each.where}) still takes writes, and its home is not on this machine.",
                mend="Stop it there first: postroom down, or as its keeper does it. Then promote again.",
            )


def _refuse_the_hindmost(known: Members, found: dict[str, State], mine: State) -> None:
    """Of several standbys the one that has most of the log: what only another has would be lost."""
    ahead = max((each for each in found.values() if each.is_standby), key=lambda each: each.lsn)
    if ahead.lsn > mine.lsn and primary_among(found) is None:
        raise ClusterError(
            reason=f"{ahead.member.name} has {ahead.lsn - mine.lsn:,} bytes of the log that {known.own} has not.",
            mend=f"Promote that one: postroom --data-dir {ahead.member.home} standby promote.",
        )


def _fence(member: Member, by: str, found: dict[str, State], tell: Tell) -> bool:
    """Stop a server that takes writes, or would when it is started; whether this one was such."""
    home, state = member.local, found.get(member.name)
    if home is None or (state and state.is_standby):
        return False
    if state is None and (home.data / "standby.signal").exists() and members.fence_of(home) is None:
        return False  # a standby that is down
    fence(home, by)
    tell(f"Fenced {member.name} in {home.path}: it takes no writes any more")
    return True


def fence(home: Home, by: str) -> None:
    """No program starts it any more; then it is stopped, at first so that it sends what it has."""
    with home.locked():
        put_fence(home, by)
    cluster = Cluster(home.path)
    try:
        cluster.stop("fast")
    except ClusterError:
        cluster.stop("immediate")


def _wait_for_all(
    settings: Settings, known: Members, new: Member, fenced: list[str], home: Home
) -> bool | None:
    """Until the new primary has all that a cleanly stopped one had written; None when that is not to be seen."""
    ends = [_end_of(settings, old) for name in fenced if (old := known[name].local)]
    if not ends or None in ends:
        return None
    end = max(each for each in ends if each is not None)
    seen, until = -1, time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < until:
        state = state_of(known, new, home)
        replayed = (state.replayed if state else None) or 0
        if replayed > end:
            return True
        if replayed > seen:
            seen, until = replayed, time.monotonic() + _PATIENCE_SECONDS
        time.sleep(0.05)
    return False


def _end_of(settings: Settings, old: Home) -> int | None:
    """Where the log of a stopped server ends: its last record is the checkpoint that it shut down with."""
    major = int((old.data / "PG_VERSION").read_text())
    user = server_user(old.data)
    program = program_for(settings, "pg_controldata", major, user, old.path)
    if program is None or find_postmaster(old.data):
        return None
    said = user.run([program, "-D", old.data]).text
    found, state = _CHECKPOINT.search(said), _STATE.search(said)
    if not found or not state or state[1] != "shut down":
        return None
    return place_of(found[1])


def _takes_writes(known: Members, new: Member, home: Home) -> bool:
    try:
        with superuser(new, home, known.database) as connection:
            rows(connection, QUERIES.write)
    except psycopg.Error:
        return False
    return True


def _home_of(member: Member) -> Home:
    home = member.local
    if home is None:
        raise ClusterError(
            reason=f"The home of {member.name} is not on this machine.", mend="Run this where it is."
        )
    return home


def switchover(settings: Settings, to: str | None, tell: Tell) -> tuple[Promoted, str]:
    """Let primary and standby change places, with nothing lost. The new primary, and what the old one is now.

    Raises UsageError, ClusterError; until the old primary is stopped nothing has changed.
    """
    from postroom.ops.standby.rejoin import rejoin_member

    known, home, begun = known_at(settings), Home(settings.home), time.monotonic()
    found = states(known, home)
    old = primary_among(found)
    if old is None:
        raise ClusterError(
            reason="No member takes writes now, so none can hand over.",
            mend="Promote a standby: postroom --data-dir DIR standby promote.",
        )
    new = _chosen(known, found, old, to)
    old_home = _home_of(old.member)
    new_home = _home_of(new)
    if new.name not in following.followers(known, old.member, home):
        raise ClusterError(
            reason=f"{new.name} does not follow {old.member.name} now; it would miss what was written meanwhile.",
            mend="See: postroom standby status.",
        )
    tell(f"Stopping {old.member.name}, which sends {new.name} the last of its log")
    fence(old_home, new.name)
    there = replace(settings, home=new_home.path)
    if _wait_for_all(there, known, new, [old.member.name], home) is False:
        members.take_fence_away(old_home)
        (old_home.data / "standby.signal").unlink(missing_ok=True)
        Cluster(old_home.path, postgres_bin=settings.postgres_bin).ensure_running()
        raise ClusterError(
            reason=f"{new.name} did not get the end of the log of {old.member.name}, which takes writes again.",
            mend="See: postroom standby status.",
        )
    promoted = take_over(there, known, new, [old.member.name], tell, begun=begun)
    tell(f"Making {old.member.name} a standby of {new.name}")
    try:
        rejoined = rejoin_member(settings, known, old.member, tell)
    except PostroomError as error:
        return promoted, f"not a standby yet: {error}"
    return promoted, rejoined.how


def _chosen(known: Members, found: dict[str, State], old: State, to: str | None) -> Member:
    standbys = [name for name, each in found.items() if each.is_standby]
    if to and to not in known:
        raise UsageError(
            reason=f"There is no member {to!r}; there are {', '.join(each.name for each in known.members)}."
        )
    if to and to not in standbys:
        what = "takes writes already" if to == old.member.name else "does not answer"
        raise UsageError(reason=f"{to} {what}.")
    if not to and len(standbys) != 1:
        names = ", ".join(standbys) or "none"
        raise UsageError(reason=f"Name the standby that is to take over: --to NAME ({names}).")
    return known[to or standbys[0]]
