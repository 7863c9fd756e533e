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
    "refuse",  # no, and for good, instead of the answer: NO, -ERR, 554
    "throttle",  # no for now, with a request for a pause: NO [LIMIT], -ERR [SYS/TEMP], 451
    "busy",  # no for now, for somebody else is there: NO [INUSE], -ERR [IN-USE], 450
    "bye",  # good-bye instead of the answer, and the connection ends: BYE, -ERR, 421
    "twice",  # all untagged replies come twice
    "literal",  # IMAP: the first literal is announced with so many bytes more than it has
    "silent",  # yes, and none of the replies
    "drop",  # SMTP, at DATA: the connection ends when so many bytes of the message have come
    "lose",  # SMTP, at the final dot: yes, and the message is nowhere
    "vanish",  # just before the answer somebody else deletes a message of the folder: the one at place `after`
    "arrive",  # somebody else puts a message there
    "reflag",  # somebody else flags the message at place `after`
    "renumber",  # the folder is restored from a backup: other UIDs, another UIDVALIDITY, other UIDLs
    "remove",  # somebody else deletes the folder
]
WORLD: frozenset[FaultKind] = frozenset({"vanish", "arrive", "reflag", "renumber", "remove"})
"""What changes the mailbox, and leaves the answer alone."""
GARBAGE = b"\x00\xff<html>502 Bad Gateway</html>\r\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that goes wrong."""

    kind: FaultKind
    command: str = "FETCH"
    """In the answer to which command: `FETCH` (with UID or without), `EXAMINE`, `RETR`, `RCPT`, or `*` for any. At POP3 and
    SMTP the greeting is the answer to `CONNECT`; at SMTP the one to a whole message is that to `.`."""
    nth: int = 1
    """At the how-manieth of these since the script began."""
    after: int = 0
    """Bytes for `cut`, `stall`, `literal` and `drop`; a place in the folder for `vanish` and `reflag`."""
    times: int = 1
    """At so many of these in a row: what goes wrong once may be the line, what goes wrong again may be the message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a server says to one command, before anything goes wrong with it."""

    untagged: Sequence[bytes] = ()
    """Whole replies with their literals and line ends; at POP3 the lines of a list or message."""
    tagged: bytes
    """The last line."""
    head: bytes = b""
    """What comes before all replies."""
    ends: bool = False
    """Whether the connection ends with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What goes over the line, and what becomes of the connection then."""

    data: bytes
    then: Literal["open", "closed", "silent"] = "open"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusals:
    """How a protocol says no: whole lines."""

    refuse: bytes
    throttle: bytes
    busy: bytes
    bye: bytes


class Script:
    """Faults and where in them we are. One server may serve several connections by it."""

    def __init__(self, faults: Iterable[Fault] = ()) -> None:
        self._faults = [(each, each.times) for each in faults]
        self._seen: Counter[str] = Counter()
        self._lock = threading.Lock()

    def due(self, command: str) -> list[Fault]:
        """What goes wrong at this command."""
        with self._lock:
            self._seen[command] += 1
            self._seen["*"] += 1
            found = [each for each, _ in self._faults if self._is_due(each, command)]
            self._faults = [
                (each, left - (each in found)) for each, left in self._faults if left > (each in found)
            ]
            return found

    def _is_due(self, fault: Fault, command: str) -> bool:
        return fault.command in (command, "*") and self._seen[fault.command] >= fault.nth

    @property
    def left(self) -> Sequence[Fault]:
        """What has not happened yet, or not as often as it is to."""
        return tuple(each for each, _ in self._faults)


def played(answer: Answer, faults: Sequence[Fault], refusals: Refusals) -> Said:
    """The answer as it is after these faults, the first first."""
    before, head, untagged, tagged, ends = b"", answer.head, list(answer.untagged), answer.tagged, answer.ends
    for each in faults:
        match each.kind:
            case "refuse" | "throttle" | "busy":
                head, untagged, tagged = b"", [], getattr(refusals, each.kind)
            case "bye":
                return Said(data=refusals.bye, then="closed")
            case "garbage":
                before += GARBAGE
            case "twice":
                untagged = [*untagged, *untagged]
            case "silent":
                untagged = []
            case "literal":
                untagged = _misannounced(untagged, each.after)
            case _:
                pass
    data = before + head + b"".join(untagged) + tagged
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
