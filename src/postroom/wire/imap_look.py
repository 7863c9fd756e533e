"""Looking at an open folder: which UIDs with which flags, by the shortest way that the server offers."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from postroom.errors import ConnectionFailed, ServerMisbehaved, SourceError, Throttled
from postroom.model import FolderState, Sighting, SourceFolder
from postroom.wire.imap_connection import CommandRefused, ImapConnection
from postroom.wire.imap_names import folders_of
from postroom.wire.imap_replies import (
    LARGEST_UID,
    Reply,
    fetched,
    flags_of,
    listed,
    searched,
    sequence_sets,
    vanished,
)

WINDOW_UIDS = 5000
"""So many flags are asked for at once: an answer that is lost costs no more."""
_SIGHTINGS_AT_ONCE = 1500
_MAX_UIDS = 50_000_000
Uids = Mapping[int, frozenset[str] | None]


def folders(link: ImapConnection) -> list[SourceFolder]:
    """Every folder that the server lists, with its use where it tells (RFC 6154 5.1). Raises SourceError."""
    asks_for_use = {"LIST-EXTENDED", "SPECIAL-USE"} <= link.capabilities
    try:
        return folders_of(link.ask(b'LIST "" "*"' + b" RETURN (SPECIAL-USE)" * asks_for_use, parse=listed))
    except CommandRefused as refusal:
        raise SourceError(where=link.where, reason=f"it does not list folders ({refusal.text})") from refusal


def since(link: ImapConnection, now: FolderState, known: FolderState) -> Uids:
    """What the folder holds, from what it held and what changed since then (RFC 7162 3.1.4, 3.2.6).

    With QRESYNC the server names the deleted as well; else the UIDs are asked for where their number differs.
    """
    uids = dict(known.uids)
    gone: list[tuple[int, int]] = []

    def take(reply: Reply) -> None:
        ranges = vanished(reply)
        if ranges is not None:
            gone.extend(ranges)
        elif (one := flags_of(reply)) is not None and one[0] < (now.uidnext or LARGEST_UID):
            uids[one[0]] = one[1]

    modifier = b"CHANGEDSINCE %d" % (known.highestmodseq or 0)
    if "QRESYNC" in link.enabled:
        modifier += b" VANISHED"
    link.run(b"UID FETCH 1:* (FLAGS) (%s)" % modifier, each=take)
    for uid in _within(uids, gone):
        del uids[uid]
    if len(uids) == (now.exists or 0):
        return uids
    return {uid: uids.get(uid) for uid in all_uids(link)}


def everything(link: ImapConnection, now: FolderState) -> dict[int, frozenset[str] | None]:
    """All UIDs below UIDNEXT with their flags: what came later belongs to the next look."""
    found: dict[int, frozenset[str] | None] = {}
    if now.exists == 0:
        return found
    last = now.uidnext - 1 if now.uidnext and now.uidnext > 1 else LARGEST_UID

    def take(reply: Reply) -> None:
        one = flags_of(reply)
        if one and one[0] <= last:
            found[one[0]] = one[1]

    if (now.exists or 0) <= WINDOW_UIDS:
        link.run(b"UID FETCH 1:%d (FLAGS)" % last, each=take)
        return found
    uids = sorted(all_uids(link))
    for start in range(0, len(uids), WINDOW_UIDS):
        window = uids[start : start + WINDOW_UIDS]
        link.run(b"UID FETCH %d:%d (FLAGS)" % (window[0], window[-1]), each=take)
    return found


def all_uids(link: ImapConnection) -> set[int]:
    """The UIDs that a search finds, as ranges where the server can (ESEARCH, RFC 4731).

    Some servers leave messages that they cannot open out of FETCH, some say a UIDNEXT that is too low.
    """
    return matching(link, b"RETURN (ALL) ALL" if "ESEARCH" in link.capabilities else b"ALL")


def matching(link: ImapConnection, criteria: bytes) -> set[int]:
    """The UIDs of a search. Raises ServerMisbehaved for more than there can be: two numbers may stand for billions."""
    several = link.ask(b"UID SEARCH " + criteria, parse=searched)
    ranges = [one for each in several for one in each]
    if sum(last - first + 1 for first, last in ranges) > _MAX_UIDS:
        raise ServerMisbehaved(where=link.where, reason="a search finds more messages than there can be")
    return {uid for first, last in ranges for uid in range(first, last + 1)}


def sightings(link: ImapConnection, uids: Sequence[int], *, headers: bool) -> dict[int, Sighting]:
    """What can be told of these messages without their bodies; nothing where the server fails."""
    items = b"UID FLAGS INTERNALDATE RFC822.SIZE" + identity(link)
    items += b" BODY.PEEK[HEADER.FIELDS (MESSAGE-ID DATE)]" if headers else b""
    found: dict[int, Sighting] = {}

    def take(reply: Reply) -> None:
        one = fetched(reply)
        if one is None:
            return
        seen = found.get(one.uid, Sighting(uid=one.uid))
        found[one.uid] = replace(
            seen,
            words=one.flags if one.flags is not None else seen.words,
            size_bytes=one.size if one.size is not None else seen.size_bytes,
            internal_date=one.internal_date or seen.internal_date,
            object_id=one.object_id or seen.object_id,
            header=one.header or seen.header,
        )

    try:
        for start in range(0, len(uids), _SIGHTINGS_AT_ONCE):
            for window in sequence_sets(uids[start : start + _SIGHTINGS_AT_ONCE]):
                link.run(b"UID FETCH %s (%s)" % (window, items), each=take)
    except Throttled:
        raise
    except CommandRefused:
        pass
    except (ServerMisbehaved, ConnectionFailed):
        link.abandon()  # they are fetched like any other, over a connection that is in order
    return {uid: found[uid] for uid in uids if uid in found}


def identity(link: ImapConnection) -> bytes:
    """The fetch item of the id that a message has in whatever folder, or nothing."""
    if "X-GM-EXT-1" in link.capabilities:
        return b" X-GM-MSGID"
    return b" EMAILID" if "OBJECTID" in link.capabilities else b""


def _within(uids: Iterable[int], ranges: Sequence[tuple[int, int]]) -> list[int]:
    """Which of the UIDs are in the ranges; these may name billions that never were."""
    merged: list[tuple[int, int]] = []
    for first, last in sorted(ranges):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    starts = [first for first, _ in merged]
    return [uid for uid in uids if (at := bisect_right(starts, uid)) and uid <= merged[at - 1][1]]
