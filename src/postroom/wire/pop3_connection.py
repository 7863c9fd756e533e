"""One connection to a POP3 server: commands out, replies in (RFC 1939, RFC 2449).

Written on the socket instead of poplib, which holds every message whole, knows no pipelining, and gives up at
lines of 2,048 bytes.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

from postroom.errors import ServerMisbehaved, SourceError
from postroom.model import Body
from postroom.wire.files import HELD_BYTES, FileSlice, OpenFile
from postroom.wire.imap_replies import for_people
from postroom.wire.stream import Stream

MAX_MESSAGE_BYTES = 2**30
_MAX_STATUS_BYTES = 64 * 2**10
_PIECE_BYTES = 2**20
_MAX_LISTED = 5_000_000


class Pop3Refused(Exception):
    """The server answered -ERR; translated by whoever knows what was asked."""

    def __init__(self, *, code: str, text: str) -> None:
        self.code, self.text = code, text
        super().__init__(text)


class Pop3Connection:
    """A conversation: `connection.run(b"STAT")`, `connection.listed(b"UIDL")`, `connection.send(b"RETR 1")`."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.where = stream.where
        self.capabilities: dict[str, frozenset[str]] = {}
        """What CAPA lists (RFC 2449): name to arguments, both in upper case."""
        self._line_end = b"\r\n"

    @property
    def is_open(self) -> bool:
        return self.stream.is_open

    def greeting(self) -> None:
        """The first thing that the server says. Raises Pop3Refused, or ServerMisbehaved for what is no POP3."""
        line = self.stream.line(_MAX_STATUS_BYTES)
        if not line.endswith(b"\r\n"):
            self._line_end = b"\n"  # forbidden, and yet sent by some
        self._conclude(line)

    def learn(self) -> None:
        """Ask what the server can; old ones do not know the question."""
        self.capabilities = {}
        try:
            lines = self.listed(b"CAPA")
        except Pop3Refused:
            return
        for line in lines:
            name, *arguments = line.decode("latin-1").upper().split() or [""]
            self.capabilities[name] = frozenset(arguments)

    def run(self, command: bytes) -> str:
        """A command answered by one line; its text. Raises Pop3Refused."""
        self.send(command)
        return self.reply()

    def send(self, *commands: bytes) -> None:
        """Commands whose replies are read later, in order (PIPELINING, RFC 2449 6.6)."""
        self.stream.send(b"".join(command + b"\r\n" for command in commands))

    def reply(self) -> str:
        """The reply to a command that was sent. Raises Pop3Refused."""
        return self._conclude(self.stream.line(_MAX_STATUS_BYTES))

    def challenge(self) -> bytes | None:
        """The next challenge in an AUTH exchange (RFC 5034 4), None at its good end. Raises Pop3Refused."""
        line = self.stream.line(_MAX_STATUS_BYTES)
        if line.startswith(b"+") and not line[:3].upper().startswith(b"+OK"):
            return line[1:].strip()
        self._conclude(line)
        return None

    def listed(self, command: bytes) -> list[bytes]:
        """The lines of a listing, without their ends."""
        self.run(command)
        found = []
        for line in self._pieces():
            if len(found) >= _MAX_LISTED or not line.endswith(self._line_end):
                self.misbehaved(f"its answer to {command.decode()} is no list")
            found.append(line[: -len(self._line_end)])
        return found

    def body(self) -> Body:
        """A message that was asked for with RETR or TOP, in memory or, when large, in a file without a name."""
        self.reply()
        held: list[bytes] = []
        size = 0
        pieces = self._pieces()
        for piece in pieces:
            held.append(piece)
            size += len(piece)
            if size > HELD_BYTES:
                return self._spooled(held, pieces)
        return b"".join(held)

    def close(self) -> None:
        """Leave without waiting for an answer; marks of deletion are forgotten by the server."""
        self.stream.abandon()

    def misbehaved(self, reason: str) -> NoReturn:
        """End the connection: what comes now could not be told from other replies."""
        self.stream.abandon()
        raise ServerMisbehaved(where=self.where, reason=reason)

    def _spooled(self, held: list[bytes], rest: Iterator[bytes]) -> Body:
        size = 0
        try:
            with tempfile.TemporaryFile() as file:
                for pieces in (held, rest):
                    for piece in pieces:
                        size += file.write(piece)
                        if size > MAX_MESSAGE_BYTES:
                            self.misbehaved(f"it sent a message of more than {MAX_MESSAGE_BYTES} bytes")
                file.flush()
                return FileSlice(OpenFile(Path(f"/proc/self/fd/{file.fileno()}")), 0, size)
        except OSError as error:
            self.stream.abandon()
            mend = f"Free some space in {tempfile.gettempdir()}."
            reason = f"a message of more than {size} bytes cannot be put aside ({error.strerror})"
            raise SourceError(where=self.where, reason=reason, mend=mend) from error

    def _pieces(self) -> Iterator[bytes]:
        """A multi-line reply up to its lone dot, the stuffed dots taken out (RFC 1939 3)."""
        at_line_start = True
        lone_dot = b"." + self._line_end
        while True:
            line = self.stream.line(_PIECE_BYTES)
            if at_line_start and line[:1] == b".":
                if line == lone_dot:
                    return
                line = line[1:]
            at_line_start = line.endswith(self._line_end)
            yield line

    def _conclude(self, line: bytes) -> str:
        word, _, rest = line.strip().partition(b" ")
        if word.upper() == b"+OK":
            return rest.decode("latin-1")
        if word.upper() != b"-ERR":
            self.misbehaved(f"it said {for_people(line)!r} where a POP3 reply was due")
        code = ""
        if rest.startswith(b"[") and b"]" in rest:  # RFC 2449 8
            raw, _, rest = rest[1:].partition(b"]")
            code = raw.decode("latin-1").upper()
        raise Pop3Refused(code=code, text=for_people(rest))
