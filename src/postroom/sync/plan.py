"""What must be done so that the store holds what the folder on the server holds. Pure: values in, actions out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from postroom.model import FolderState

NOBODYS_FLAG = "\\Recent"
"""RFC 3501 2.3.2: says something of the session, not of the message; gone in RFC 9051."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Restart:
    """The server renumbered the folder: match everything anew, then let the old numbering go."""

    uidvalidity: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetch:
    """Bring these in, in this order: newest first, so that the folder is of use after seconds."""

    uids: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Forget:
    """The server no longer has these."""

    uids: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reflag:
    """Flags and keywords differ; the server is right."""

    words: Mapping[int, frozenset[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """The server shows something that would delete a whole folder. Nothing is deleted until a person says so."""

    messages: int
    reason: str


Action = Restart | Fetch | Forget | Reflag | Hold


def plan(local: FolderState, remote: FolderState, *, accept_empty: bool = False) -> list[Action]:
    """The actions that make `local` equal to `remote`, in the order in which they are safe.

    `remote.uids` is empty where the server proved that nothing changed; then the numbers are those of `local`.
    A full folder that is suddenly empty is held, unless `accept_empty`.
    """
    if is_unchanged(local, remote):
        return []
    if not remote.uids and local.uids and not accept_empty:
        count = len(local.uids)
        return [Hold(messages=count, reason=f"the server shows no message where there were {count}")]
    if local.uidvalidity is not None and local.uidvalidity != remote.uidvalidity:
        return [Restart(uidvalidity=remote.uidvalidity or 0), *_fetch(set(remote.uids))]
    gone = tuple(sorted(local.uids.keys() - remote.uids.keys()))
    changed = reflagged(local.uids, remote)
    return [
        *([Reflag(words=changed)] if changed else []),
        *([Forget(uids=gone)] if gone else []),
        *_fetch(remote.uids.keys() - local.uids.keys()),
    ]


def reflagged(ours: Mapping[int, frozenset[str] | None], remote: FolderState) -> dict[int, frozenset[str]]:
    """What lies here with other flags than there: those of the server. What was purged here has none to be made equal."""
    words = {uid: _words(remote, uid) for uid in ours.keys() & remote.uids.keys() if ours[uid] is not None}
    return {uid: each for uid, each in words.items() if each is not None and each != ours[uid]}


def is_unchanged(local: FolderState, remote: FolderState) -> bool:
    """Whether the server answered with nothing but the numbers that we knew."""
    return (
        remote.highestmodseq is not None
        and not remote.uids
        and (local.uidvalidity, local.uidnext, local.highestmodseq, len(local.uids))
        == (remote.uidvalidity, remote.uidnext, remote.highestmodseq, remote.exists)
    )


def _fetch(uids: set[int]) -> list[Fetch]:
    return [Fetch(uids=tuple(sorted(uids, reverse=True)))] if uids else []


def _words(state: FolderState, uid: int) -> frozenset[str] | None:
    words = state.uids[uid]
    return None if words is None else words - {NOBODYS_FLAG}
