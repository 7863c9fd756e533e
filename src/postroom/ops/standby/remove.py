"""Removing a member: nobody waits for it any more, and no log is kept for it."""

from __future__ import annotations

from dataclasses import replace

from postroom.errors import ClusterError, UsageError
from postroom.ops import members
from postroom.ops.configuration import STANDBY
from postroom.ops.home import Home
from postroom.ops.standby import following
from postroom.ops.standby.asking import primary_among, states
from postroom.ops.standby.promote import fence, known_at
from postroom.settings import Settings


def remove(settings: Settings, name: str) -> str:
    """Let a member go; its home folder stays, fenced. The name of the primary. Raises UsageError, ClusterError."""
    known, home = known_at(settings), Home(settings.home)
    if name not in known:
        names = ", ".join(each.name for each in known.members)
        raise UsageError(reason=f"There is no member {name!r}; there are {names}.")
    leader = primary_among(states(known, home))
    if leader is None:
        raise ClusterError(
            reason="No member takes writes, so nobody can let it go.", mend="See: postroom standby status."
        )
    if leader.member.name == name:
        raise UsageError(
            reason=f"{name} is the one that takes writes. Hand over first: postroom standby switchover --to NAME."
        )
    gone = known[name]
    own = leader.member.name if known.own == name else known.own
    rest = replace(known, own=own, members=tuple(each for each in known.members if each.name != name))
    keys = leader.member.local or home
    following.lead_with_all(rest, leader.member, keys)  # first of all, as commits may be waiting for it
    if gone.local:
        fence(gone.local, leader.member.name)
    if not following.forget_slot(known, leader.member, gone.slot, keys):
        raise ClusterError(
            reason=f"The slot {gone.slot} on {leader.member.name} could not be dropped.", mend="Try it again."
        )
    if gone.local:
        (gone.local.path / members.FILE).unlink(missing_ok=True)
    members.write(rest)
    if len(rest.members) == 1 and leader.member.local:
        (leader.member.local.data / STANDBY).unlink(missing_ok=True)
    return leader.member.name
