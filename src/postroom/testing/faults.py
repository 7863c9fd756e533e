"""Faults: what goes wrong and when, as data. The same script and the same client give the same conversation."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

FaultKind = Literal[
    "cut",  # the answer ends after so many bytes, and the connection with it
    "stall",  # the answer stops after so many bytes, and nothing comes any more
    "garbage",  # a line that is not of the protocol comes before the answer
    "refuse",  # NO instead of the answer
    "throttle",  # NO with a request for a pause instead of the answer
    "bye",  # BYE instead of the answer, and the connection ends
    "twice",  # all untagged replies come twice
    "literal",  # the first literal is announced with so many bytes more than it has
    "silent",  # OK, and none of the replies
    "vanish",  # just before the answer somebody else deletes a message of the folder: the one at place `after`
    "arrive",  # somebody else puts a message there
    "reflag",  # somebody else flags the message at place `after`
    "renumber",  # the folder is restored from a backup: other UIDs, another UIDVALIDITY
    "remove",  # somebody else deletes the folder
]
WORLD: frozenset[FaultKind] = frozenset({"vanish", "arrive", "reflag", "renumber", "remove"})
"""What changes the mailbox, and leaves the answer alone."""
GARBAGE = b"\x00\xff<html>502 Bad Gateway</html>\r\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that goes wrong, once."""

    kind: FaultKind
    command: str = "FETCH"
    """In the answer to which command: `FETCH` (with UID or without), `EXAMINE`, `LIST`, or `*` for any."""
    nth: int = 1
    """At the how-manieth of these since the script began."""
    after: int = 0
    """Bytes for `cut`, `stall` and `literal`; a place in the folder for `vanish` and `reflag`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a server says to one command, before anything goes wrong with it."""

    untagged: Sequence[bytes]
    """Whole replies with their literals and line ends."""
    tagged: bytes
    ends: bool = False
    """Whether the connection ends with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What goes over the line, and what becomes of the connection then."""

    data: bytes
    then: Literal["open", "closed", "silent"] = "open"


class Script:
    """Faults and where in them we are. One server may serve several connections by it."""

    def __init__(self, faults: Iterable[Fault] = ()) -> None:
        self._faults = list(faults)
        self._seen: Counter[str] = Counter()
        self._lock = threading.Lock()

    def due(self, command: str) -> list[Fault]:
        """What goes wrong at this command; each fault is given once."""
        with self._lock:
            self._seen[command] += 1
            self._seen["*"] += 1
            found = [each for each in self._faults if self._is_due(each, command)]
            self._faults = [each for each in self._faults if each not in found]
            return found

    def _is_due(self, fault: Fault, command: str) -> bool:
        return fault.command in (command, "*") and self._seen[fault.command] >= fault.nth

    @property
    def left(self) -> Sequence[Fault]:
        """What has not happened yet."""
        return tuple(self._faults)


def played(answer: Answer, faults: Sequence[Fault], tag: bytes) -> Said:
    """The answer as it is after these faults, the first first."""
    untagged, tagged, ends = list(answer.untagged), answer.tagged, answer.ends
    for each in faults:
        match each.kind:
            case "refuse":
                untagged, tagged = [], tag + b" NO [SERVERBUG] Internal error.\r\n"
            case "throttle":
                untagged, tagged = [], tag + b" NO [LIMIT] Too many requests, try again in 5 minutes.\r\n"
            case "bye":
                return Said(data=b"* BYE Server is going down.\r\n", then="closed")
            case "garbage":
                untagged = [GARBAGE, *untagged]
            case "twice":
                untagged = [*untagged, *untagged]
            case "silent":
                untagged = []
            case "literal":
                untagged = _misannounced(untagged, each.after)
            case _:
                pass
    data = b"".join(untagged) + tagged
    for each in faults:
        if each.kind in ("cut", "stall") and each.after < len(data):
            return Said(data=data[: each.after], then="closed" if each.kind == "cut" else "silent")
    return Said(data=data, then="closed" if ends else "open")


def _misannounced(untagged: list[bytes], more: int) -> list[bytes]:
    for at, reply in enumerate(untagged):
        line, separator, rest = reply.partition(b"}\r\n")
        head, brace, size = line.rpartition(b"{")
        if separator and brace and size.isdigit():
            return [*untagged[:at], head + b"{%d}\r\n" % max(int(size) + more, 0) + rest, *untagged[at + 1 :]]
    return untagged
