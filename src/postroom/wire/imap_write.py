"""Changing a mailbox on a server: flags, moves, copies, deletions and folders, each with what can be known of its outcome
(RFC 9051, RFC 6851, RFC 4315)."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from postroom.errors import SourceError
from postroom.model import Body, Sighting
from postroom.wire import imap_look
from postroom.wire.imap_append import Appended, appended, appending
from postroom.wire.imap_connection import CommandRefused, ImapConnection
from postroom.wire.imap_names import command, from_wire, quoted, spelled, to_wire
from postroom.wire.imap_replies import (
    LARGEST_UID,
    Reply,
    fetched,
    flags_of,
    listed,
    selected,
    sequence_sets,
    status,
    statuses,
    uid_ranges,
)

_PASSING = (b"UNAVAILABLE", b"INUSE", b"SERVERBUG", b"LIMIT", b"EXPIRED")
"""Response codes (RFC 5530 3) of a trouble that may be over the next time."""
DELETED = "\\Deleted"
_MOST_PAIRS = 100_000
T = TypeVar("T")
_TIMING = re.compile(r" \([\d.]+ \+ [\d. +]+ secs\)$")
"""What Dovecot says behind every reason: how long it took."""


class Refused(Exception):
    """The server would not: `reason` is for people. `is_passing`: it may the next time."""

    def __init__(self, reason: str, *, is_passing: bool = False) -> None:
        self.reason = reason
        self.is_passing = is_passing
        super().__init__(reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """Of a folder before it is changed."""

    uidvalidity: int
    uidnext: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Landed:
    """Where messages have come to lie, as far as the server says (COPYUID)."""

    uidvalidity: int | None = None
    uids: Mapping[int, int] = field(default_factory=dict)


class MailboxWriter:
    """Changes on one connection, which somebody else opened. All calls block.

    Every method raises Refused for a NO or BAD, and SourceError as reading does: then nobody knows what was done.
    """

    def __init__(self, link: ImapConnection) -> None:
        self._link = link
        self._selected: str | None = None

    def open(self, wire_name: str) -> Numbers:
        """Select a folder to be changed; its numbers. It stays selected."""
        self._selected = None
        found = dict(self._ask(*command(b"SELECT", quoted(to_wire(wire_name))), parse=selected))
        self._selected = wire_name
        uidvalidity = found.get(b"UIDVALIDITY")
        return Numbers(uidvalidity=uidvalidity if isinstance(uidvalidity, int) else 0)

    def numbers(self, wire_name: str) -> Numbers:
        """UIDVALIDITY and UIDNEXT of a folder that is not the selected one: what comes next has that number or more."""
        query = command(b"STATUS", quoted(to_wire(wire_name)), b"(UIDVALIDITY UIDNEXT)")
        found = dict(self._ask(*query, parse=statuses)[0][1])
        validity, uidnext = found.get(b"UIDVALIDITY"), found.get(b"UIDNEXT")
        if not isinstance(validity, int) or not isinstance(uidnext, int):
            raise SourceError(where=self._link.where, reason="it does not say the numbers of a folder")
        return Numbers(uidvalidity=validity, uidnext=uidnext)

    def words(self, uids: Sequence[int]) -> dict[int, frozenset[str]]:
        """Which of these UIDs the selected folder has, with their flags and keywords."""
        found: dict[int, frozenset[str]] = {}
        for window in sequence_sets(uids):
            found |= dict(self._ask(b"UID FETCH %s (FLAGS)" % window, parse=flags_of))
        return {uid: words for uid, words in found.items() if uid in set(uids)}

    def store(self, uids: Sequence[int], *, add: Collection[str] = (), remove: Collection[str] = ()) -> None:
        """Set and take away, and leave every other flag as it is."""
        for window in sequence_sets(uids):
            for sign, words in ((b"+", add), (b"-", remove)):
                if words:
                    listed_words = " ".join(sorted(words)).encode()
                    self._run(b"UID STORE %s %sFLAGS.SILENT (%s)" % (window, sign, listed_words))

    def move(self, uids: Sequence[int], to: str) -> Landed | None:
        """In one step; None where the server has no such command (RFC 6851), and nothing was done."""
        if "MOVE" not in self._link.capabilities and "IMAP4REV2" not in self._link.capabilities:
            return None
        return self._transfer(b"UID MOVE", uids, to)

    def copy(self, uids: Sequence[int], to: str) -> Landed:
        return self._transfer(b"UID COPY", uids, to)

    def expunge(self, uids: Sequence[int]) -> None:
        """Remove these for good. A server without UIDPLUS can only remove all that is marked `\\Deleted`: where that would
        take others along, they stay marked, for whoever marked those to remove."""
        self.store(uids, add=[DELETED])
        if "UIDPLUS" in self._link.capabilities or "IMAP4REV2" in self._link.capabilities:
            for window in sequence_sets(uids):
                self._run(b"UID EXPUNGE %s" % window)
            return
        if self._matching(b"DELETED") <= set(uids):
            self._run(b"EXPUNGE")

    def append(self, wire_name: str, raw: bytes, *, flags: Collection[str], moment: datetime) -> Appended:
        """Put a message of ours into a folder; where it lies, as far as the server says."""
        self._run(*appending(wire_name, raw, flags=flags, moment=moment))
        return appended(self._link)

    def since(self, wire_name: str, numbers: Numbers) -> tuple[int, dict[int, Sighting]]:
        """What came into a folder since it had these numbers, or all of it where it was renumbered, and its UIDVALIDITY.
        It stays selected."""
        now = self.open(wire_name)
        first = numbers.uidnext or 1 if now.uidvalidity == numbers.uidvalidity else 1
        uids = sorted(uid for uid in self._matching(b"UID %d:%d" % (first, LARGEST_UID)) if uid >= first)
        return now.uidvalidity, imap_look.sightings(self._link, uids, headers=True)

    def body(self, uid: int) -> Body | None:
        """The bytes of one message of the selected folder."""
        for one in self._ask(b"UID FETCH %d (UID BODY.PEEK[])" % uid, parse=fetched):
            if one.uid == uid and one.body is not None:
                return one.body
        return None

    def undeleted(self, wire_name: str) -> int:
        """How many messages a folder has that nobody marked `\\Deleted`."""
        self.open(wire_name)
        return len(self._matching(b"UNDELETED"))

    def create(self, name: str) -> str:
        """Make a folder, or see that it is there; its wire name. Levels of `name` are joined by `/`."""
        wire_name = self._spelled(name)
        try:
            self._run(*command(b"CREATE", quoted(to_wire(wire_name))))
        except Refused:
            if not self.has(wire_name):
                raise
        self._politely(b"SUBSCRIBE", wire_name)
        return wire_name

    def rename(self, wire_name: str, name: str) -> tuple[str, str]:
        """Rename a folder, or see that it was; its new wire name, and the sign between levels."""
        new = self._spelled(name)
        self._unselect(wire_name)
        try:
            self._run(*command(b"RENAME", quoted(to_wire(wire_name)), quoted(to_wire(new))))
        except Refused:
            if self.has(wire_name) or not self.has(new):
                raise
        self._politely(b"UNSUBSCRIBE", wire_name)
        self._politely(b"SUBSCRIBE", new)
        return new, (self._delimiter() or b"").decode("latin-1")

    def delete(self, wire_name: str) -> None:
        """Delete a folder, or see that it is gone."""
        self._unselect(wire_name)
        try:
            self._run(*command(b"DELETE", quoted(to_wire(wire_name))))
        except Refused:
            if self.has(wire_name):
                raise
        self._politely(b"UNSUBSCRIBE", wire_name)

    def has(self, wire_name: str) -> bool:
        """Whether there is a folder of this name that can hold messages."""
        query = command(b'LIST ""', quoted(to_wire(wire_name)))
        for attributes, _, name in self._ask(*query, parse=listed):
            if from_wire(name) == wire_name:
                return not attributes & {b"\\noselect", b"\\nonexistent"}
        return False

    def _transfer(self, verb: bytes, uids: Sequence[int], to: str) -> Landed:
        landed = Landed()
        for window in sequence_sets(uids):
            # MOVE says it in an untagged OK, COPY in the tagged one (RFC 6851 4.3).
            told: list[tuple[int, dict[int, int]]] = []

            def take(reply: Reply, told: list[tuple[int, dict[int, int]]] = told) -> None:
                if reply[0][:5].upper() == b"* OK " and (one := _copyuid(status(reply[0][2:])[1])):
                    told.append(one)

            self._run(*command(b"%s %s" % (verb, window), quoted(to_wire(to))), each=take)
            if one := _copyuid(self._link.code):
                told.append(one)
            for uidvalidity, pairs in told:
                landed = Landed(uidvalidity=uidvalidity, uids={**landed.uids, **pairs})
        return landed

    def _spelled(self, name: str) -> str:
        """A name as the server spells it, with its own sign between levels."""
        delimiter = self._delimiter()
        wire_name = spelled(name, delimiter)
        if wire_name is None:
            sign = delimiter.decode("latin-1") if delimiter else "/"
            raise Refused(f"its server takes {sign!r} for the sign between levels, or knows no levels")
        return wire_name

    def _delimiter(self) -> bytes | None:
        found = self._ask(b'LIST "" ""', parse=listed)
        return found[0][1] if found else None

    def _unselect(self, wire_name: str) -> None:
        """Some servers do not rename or delete what is open. CLOSE would remove what is marked `\\Deleted`."""
        if self._selected == wire_name:
            self._selected = None
            self._run(b"EXAMINE INBOX")

    def _politely(self, verb: bytes, wire_name: str) -> None:
        """What other programs show hangs on it, and nothing else."""
        with suppress(Refused):
            self._run(*command(verb, quoted(to_wire(wire_name))))

    def _matching(self, criteria: bytes) -> set[int]:
        with _refusing():
            return imap_look.matching(self._link, criteria)

    def _run(self, *flights: bytes, each: Callable[[Reply], None] = lambda _: None) -> None:
        with _refusing():
            self._link.run(*flights, each=each)

    def _ask(self, *flights: bytes, parse: Callable[[Reply], T | None]) -> list[T]:
        with _refusing():
            return self._link.ask(*flights, parse=parse)


@contextmanager
def _refusing() -> Iterator[None]:
    try:
        yield
    except CommandRefused as refusal:
        reason = _TIMING.sub("", refusal.text)
        raise Refused(reason, is_passing=refusal.code.upper().startswith(_PASSING)) from refusal


def _copyuid(code: bytes) -> tuple[int, dict[int, int]] | None:
    """UIDVALIDITY and the pairs of `COPYUID 38505 304,319:320 3956:3958` (RFC 4315 3); nothing where they do not pair."""
    words = code.split()
    if len(words) != 4 or words[0].upper() != b"COPYUID" or not words[1].isdigit():
        return None
    came, went = uid_ranges(words[2]), uid_ranges(words[3])
    if _size(came) != _size(went) or _size(came) > _MOST_PAIRS:
        return None
    return int(words[1]), dict(zip(_each(came), _each(went), strict=True))


def _size(ranges: Sequence[tuple[int, int]]) -> int:
    return sum(last - first + 1 for first, last in ranges)


def _each(ranges: Sequence[tuple[int, int]]) -> list[int]:
    return [uid for first, last in ranges for uid in range(first, last + 1)]
