"""One client at a POP3 server: the maildrop as it was at the sign-in, until QUIT."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from postroom.testing.faults import Answer, Refusals, played
from postroom.testing.line import Line

if TYPE_CHECKING:
    from postroom.testing.pop3 import Pop3Server

_REFUSALS = Refusals(
    refuse=b"-ERR Internal error.\r\n",
    throttle=b"-ERR [SYS/TEMP] Too many requests, try again in 5 minutes.\r\n",
    busy=b"-ERR [IN-USE] Somebody else is there.\r\n",
    bye=b"-ERR [SYS/TEMP] Server is going down.\r\n",
)
_BEFORE = ("CAPA", "USER", "PASS", "AUTH", "STLS", "QUIT")
_BEHIND = ("CAPA", "STAT", "LIST", "UIDL", "RETR", "TOP", "DELE", "RSET", "NOOP", "QUIT")


class _No(Exception):
    """-ERR, with its text."""


class Pop3Session:
    """`serve` ends when the client goes or the script ends the connection."""

    def __init__(self, server: Pop3Server, line: Line) -> None:
        self._server, self._line = server, line
        self._username = ""
        self._drop: list[int] | None = None
        """The UIDs by number; None before the sign-in."""
        self._marked: set[int] = set()
        self._is_secure = False

    def serve(self) -> None:
        goes_on = self._say("CONNECT", [])
        while goes_on and (raw := self._line.line()) is not None:
            name, *arguments = raw.decode("utf-8", "replace").split(" ") or [""]
            name = name.upper()
            hides = name in ("PASS", "AUTH")
            self._server.commands.append(name if hides else raw.decode("utf-8", "replace"))
            goes_on = self._say(name, arguments)

    def _say(self, name: str, arguments: list[str]) -> bool:
        """Carry it out and say so; False where the connection ends."""
        if name == "AUTH" and len(arguments) == 1:
            self._line.send(b"+ \r\n")
            arguments.append((self._line.line() or b"").decode("latin-1"))
        with self._server.lock:
            faults = self._server.due(name, "INBOX")
            refuses = any(each.kind in ("refuse", "throttle", "busy", "bye") for each in faults)
            answer = Answer(tagged=_REFUSALS.refuse) if refuses else self._outcome(name, arguments)
        said = played(answer, faults, _REFUSALS)
        self._line.send(said.data)
        if said.then == "silent":
            self._line.silent()
        elif name == "STLS" and answer.tagged.startswith(b"+OK") and self._server.tls:
            self._line.secure(self._server.tls)
            self._is_secure, self._username = True, ""
        return said.then == "open"

    def _outcome(self, name: str, arguments: list[str]) -> Answer:
        if name == "CONNECT":
            return _yes("ready")
        known = _BEFORE if self._drop is None else _BEHIND
        try:
            if name not in known:
                raise _No("There is no such command here.")
            work: Callable[[list[str]], Answer] = getattr(self, f"_{name.lower()}")
            return work(arguments)
        except _No as error:
            return Answer(tagged=f"-ERR {error}\r\n".encode())
        except (ValueError, IndexError):
            return Answer(tagged=b"-ERR These are not its arguments.\r\n")

    def _capa(self, _: list[str]) -> Answer:
        stls = ["STLS"] if self._server.tls and not self._is_secure else []
        return _many("here they are", [*self._server.personality.pop3, *stls])

    def _stls(self, _: list[str]) -> Answer:
        if self._server.tls is None or self._is_secure:
            raise _No("There is no TLS here.")
        return _yes("go on")

    def _user(self, arguments: list[str]) -> Answer:
        self._username = arguments[0]
        return _yes("and the password?")

    def _pass(self, arguments: list[str]) -> Answer:
        return self._signed_in(self._username, " ".join(arguments))

    def _auth(self, arguments: list[str]) -> Answer:
        if arguments[0].upper() != "PLAIN":
            raise _No("There is only PLAIN.")
        _, username, password = base64.b64decode(arguments[1], validate=True).split(b"\0")  # RFC 4616
        return self._signed_in(username.decode(), password.decode())

    def _signed_in(self, username: str, password: str) -> Answer:
        if (username, password) != (self._server.username, self._server.password):
            raise _No("[AUTH] Invalid credentials.")
        self._drop = list(self._server.mailbox.folder("INBOX").entries)
        return _yes(f"{len(self._drop)} messages")

    def _listed(self) -> list[tuple[int, int]]:
        """Number and UID of what is there and not marked."""
        return [(number, uid) for number, uid in enumerate(self._drop or [], 1) if uid not in self._marked]

    def _uid(self, argument: str) -> int:
        number = int(argument)
        found = dict(self._listed()).get(number)
        if found is None:
            raise _No("no such message")
        return found

    def _raw(self, uid: int) -> bytes:
        entry = self._server.mailbox.folder("INBOX").entries.get(uid)
        if entry is None:
            raise _No("message is gone")  # somebody deleted it elsewhere
        return entry.letter.raw

    def _size(self, uid: int) -> int:
        entry = self._server.mailbox.folder("INBOX").entries.get(uid)
        size = len(entry.letter.raw) if entry else 0
        return size // 2 + 7 if self._server.personality.lies else size

    def _stat(self, _: list[str]) -> Answer:
        uids = [uid for _, uid in self._listed()]
        return _yes(f"{len(uids)} {sum(map(self._size, uids))}")

    def _list(self, arguments: list[str]) -> Answer:
        return self._numbered(arguments, lambda uid: str(self._size(uid)))

    def _uidl(self, arguments: list[str]) -> Answer:
        return self._numbered(arguments, self._server.uidl)

    def _numbered(self, arguments: list[str], value: Callable[[int], str]) -> Answer:
        if arguments:
            return _yes(f"{arguments[0]} {value(self._uid(arguments[0]))}")
        return _many("here they are", [f"{number} {value(uid)}" for number, uid in self._listed()])

    def _retr(self, arguments: list[str]) -> Answer:
        uid = self._uid(arguments[0])
        return _text(f"{self._size(uid)} octets", self._raw(uid))

    def _top(self, arguments: list[str]) -> Answer:
        raw, count = self._raw(self._uid(arguments[0])), int(arguments[1])
        header, separator, body = raw.partition(b"\r\n\r\n")
        lines = body.splitlines(keepends=True)[:count]
        return _text("top of it", header + separator + b"".join(lines))

    def _dele(self, arguments: list[str]) -> Answer:
        self._marked.add(self._uid(arguments[0]))
        return _yes("marked")

    def _rset(self, _: list[str]) -> Answer:
        self._marked.clear()
        return _yes("nothing is marked")

    def _noop(self, _: list[str]) -> Answer:
        return _yes("still here")

    def _quit(self, _: list[str]) -> Answer:
        """RFC 1939 6: only now is deleted what was marked."""
        self._server.mailbox.expunge("INBOX", self._marked)
        return Answer(tagged=b"+OK good-bye\r\n", ends=True)


def _yes(text: str) -> Answer:
    return Answer(tagged=f"+OK {text}\r\n".encode())


def _many(text: str, lines: Sequence[str]) -> Answer:
    return Answer(
        head=f"+OK {text}\r\n".encode(),
        untagged=[f"{each}\r\n".encode() for each in lines],
        tagged=b".\r\n",
    )


def _text(text: str, raw: bytes) -> Answer:
    """RFC 1939 3: a line that begins with a dot gets one more; the last line has an end."""
    stuffed = (b"\r\n" + raw).replace(b"\r\n.", b"\r\n..")[2:]
    end = b"" if raw.endswith(b"\r\n") or not raw else b"\r\n"
    return Answer(head=f"+OK {text}\r\n".encode(), untagged=[stuffed + end], tagged=b".\r\n")
