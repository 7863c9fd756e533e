"""One connection to an IMAP server: commands out, replies in, and nothing of it believed.

Written on the socket instead of imaplib, which allocates any literal it is told of, keeps replies apart by
their keyword alone, limits lines to less than large folders need, and sends neither 8-bit passwords nor odd
names.
"""

from __future__ import annotations

import ipaddress
import socket
import tempfile
from collections.abc import Callable
from functools import partial
from io import BufferedReader, BytesIO
from pathlib import Path
from typing import Literal, NoReturn, Protocol, TypeVar, cast

from postroom.errors import (
    ConnectionDropped,
    ConnectionFailed,
    ConnectionStalled,
    ServerMisbehaved,
    SourceError,
)
from postroom.model import Body
from postroom.wire.deflate import Deflater, Inflating
from postroom.wire.files import HELD_BYTES, FileSlice, OpenFile
from postroom.wire.imap_replies import Garbled, Reply, for_people, literal_size, status
from postroom.wire.stream import Stream
from postroom.wire.throttling import throttled

MAX_LINE_BYTES = 16 * 2**20
MAX_LITERAL_BYTES = 2**30
HELD_TOGETHER_BYTES = 4 * HELD_BYTES
"""Once the replies to one command fill this much memory, all but small literals go to files."""
T = TypeVar("T")
Flight = bytes | Callable[[bytes], bytes]
"""A piece of a command, or what makes it from the text of the server's `+` before it."""

_CLOSED = BytesIO()
_CLOSED.close()
_SMALL_BYTES = 64 * 2**10
_PIECE_BYTES = 2**20


class CommandRefused(Exception):
    """The server answered NO or BAD; translated by whoever knows what was asked."""

    def __init__(self, *, word: bytes, code: bytes, text: str) -> None:
        self.word, self.code, self.text = word, code, text
        super().__init__(text)


class BrokenOff:
    """What had come of a reply when it stopped: its first line, and its last literal as far as it came."""

    def __init__(self) -> None:
        self.head = b""
        self.part = b""


class Witness(Protocol):
    """Who hears all of a conversation, under TLS and compression."""

    def said(self, flight: bytes) -> None: ...

    def heard(self, line: bytes) -> None: ...

    def came(self, piece: bytes) -> None:
        """Of the literal that the last line announced."""

    def ended(self, how: Literal["closed", "silent", "left"]) -> None:
        """Said more than once, the first is true."""


class ImapConnection(Stream):
    """A conversation: `connection.ask(b"UID FETCH 1:9 (FLAGS)", parse=flags_of)`.

    Whatever ends a command in the middle (a broken reply, Ctrl-C) closes the connection: what comes then
    could not be told from the replies to the next one.
    """

    def __init__(
        self, *, where: str, host: str, port: int, timeout_seconds: float, witness: Witness | None = None
    ) -> None:
        super().__init__(where=where, host=host, port=port, timeout_seconds=timeout_seconds)
        self._witness = witness
        self.capabilities: frozenset[str] = frozenset()
        self.code = b""
        """The response code of the last command that went well, such as `APPENDUID 1 2`."""
        self.enabled: frozenset[str] = frozenset()
        """What of RFC 5161 the server has switched on for us."""
        self._tags = 0
        self._held = 0
        self.broken_off = BrokenOff()
        self._deflater: Deflater | None = None

    def secure(self, ca_file: Path | None, ca_pem: str | None = None) -> None:
        """Go on under TLS; what the server said before is forgotten (RFC 9051 6.2.1)."""
        self.capabilities = frozenset()
        super().secure(ca_file, ca_pem)

    @property
    def is_near(self) -> bool:
        """Whether the server is on this machine."""
        return ipaddress.ip_address(self._socket.getpeername()[0].partition("%")[0]).is_loopback

    @property
    def is_compressed(self) -> bool:
        """Whether what lies on the socket is not the text itself."""
        return self._deflater is not None

    def compress(self) -> None:
        """Go on compressed (RFC 4978); the server has just agreed, and says nothing before we do."""
        self._deflater = Deflater()
        self._file = BufferedReader(Inflating(self._socket), 2**18)

    def greeting(self) -> bytes:
        """The first word that the server says: OK or PREAUTH."""
        line = self._line()
        self._overhear(line)
        word, code, _ = status(line.removeprefix(b"* "))
        if not line.startswith(b"* ") or word not in (b"OK", b"PREAUTH"):
            self._misbehaved(f"this is no IMAP greeting: {for_people(line)!r}")
        self._learn(code)
        return word

    def run(self, first: bytes, *others: Flight, each: Callable[[Reply], None] = lambda _: None) -> None:
        """Send a command and hand each untagged reply to `each`.

        `others` are further pieces of the command, each sent after a `+` of the server's.
        Raises CommandRefused on NO and BAD.
        """
        tag = self._next_tag()
        is_complete = False
        first, waiting = self._in_one(first, others)
        try:
            self._send(tag + b" " + first)
            line = self._until_tagged(tag, waiting, each)
            is_complete = True
        except Garbled as error:
            raise ServerMisbehaved(where=self.where, reason=f"its reply is garbled: {error}") from error
        finally:
            if not is_complete:
                self.abandon()
        self._conclude(line.removeprefix(tag + b" "))

    def ask(self, first: bytes, *others: Flight, parse: Callable[[Reply], T | None]) -> list[T]:
        """Send a command whose replies are few, and give those that `parse` finds to be about the matter."""
        found: list[T] = []

        def take(reply: Reply) -> None:
            value = parse(reply)
            if value is not None:
                found.append(value)

        self.run(first, *others, each=take)
        return found

    def _in_one(self, first: bytes, others: tuple[Flight, ...]) -> tuple[bytes, list[Flight]]:
        """Literals without waiting for the server's `+`, where it takes them so (RFC 7888)."""
        known = [each for each in (first, *others) if isinstance(each, bytes)]
        literals = known[:-1]
        if "LITERAL+" not in self.capabilities or len(known) <= len(others):
            return first, list(others)  # what answers the server waits for it
        if not all(each.endswith(b"}") for each in literals):
            return first, list(others)
        return b"\r\n".join([*(each[:-1] + b"+}" for each in literals), known[-1]]), []

    def _until_tagged(self, tag: bytes, waiting: list[Flight], each: Callable[[Reply], None]) -> bytes:
        while True:
            reply = self._reply()
            line: bytes = reply[0]
            if line.startswith(b"* "):
                self._overhear(line)
                each(reply)
            elif line.startswith(tag + b" "):
                return line
            elif line.startswith(b"+") and waiting:
                flight = waiting.pop(0)
                self._send(flight if isinstance(flight, bytes) else flight(line[1:].strip()))
            else:
                self._misbehaved(f"it said {for_people(line)!r} where a reply was due")

    def close(self) -> None:
        """Say good-bye without waiting for the answer."""
        if not self.is_open:
            return
        try:
            self._send(self._next_tag() + b" LOGOUT")
        except SourceError:
            pass  # it is gone already
        self.abandon()

    def part_with(self) -> tuple[socket.socket, bytes]:
        """Give the socket away, with what was read of it already, to who reads it differently; nothing can be sent
        here any more."""
        self._socket.settimeout(0)
        try:
            unread = self._file.peek() if self.is_open else b""
        except OSError:  # there is nothing yet; or it broke, which whoever reads next will find
            unread = b""
        self._file.detach().close()
        self._file = cast(BufferedReader, _CLOSED)
        return self._socket, unread

    def _next_tag(self) -> bytes:
        self._tags += 1
        self._held = 0
        return b"P%d" % self._tags

    def abandon(self) -> None:
        if self._witness:
            self._witness.ended("left")
        super().abandon()

    def _send(self, flight: bytes) -> None:
        if self._witness:
            self._witness.said(flight)
        line = flight + b"\r\n"
        self.send(self._deflater.pack(line) if self._deflater else line)

    def _reply(self) -> Reply:
        """One reply with its literals."""
        self.broken_off.head = self.broken_off.part = b""
        reply: Reply = [self._line()]
        while (size := literal_size(reply[-1])) is not None:
            self.broken_off.head = reply[0]
            reply.append(self._literal(size))
            reply.append(self._line())
        return reply

    def _line(self) -> bytes:
        try:
            line = self.line(MAX_LINE_BYTES)
        except ConnectionFailed as error:
            self._note_end(error)
            raise
        if self._witness:
            self._witness.heard(line)
        if not line.endswith(b"\n"):
            self._misbehaved(f"it sent a line of more than {MAX_LINE_BYTES} bytes")
        return line

    def _literal(self, size: int) -> Body:
        if size > MAX_LITERAL_BYTES:
            self._misbehaved(f"it announced a literal of {size} bytes, more than {MAX_LITERAL_BYTES}")
        if size > HELD_BYTES or (size > _SMALL_BYTES and self._held + size > HELD_TOGETHER_BYTES):
            return self._spooled(size)
        self._held += size
        return self._exactly(size, size)

    def _spooled(self, size: int) -> Body:
        """A literal in a file that never has a name, and goes with the last body that looks at it."""
        try:
            with tempfile.TemporaryFile() as file:
                for start in range(0, size, _PIECE_BYTES):
                    file.write(self._exactly(min(_PIECE_BYTES, size - start), size))
                file.flush()
                return FileSlice(OpenFile(Path(f"/proc/self/fd/{file.fileno()}")), 0, size)
        except OSError as error:
            mend = f"Free some space in {tempfile.gettempdir()}."
            reason = f"a message of {size} bytes cannot be put aside ({error.strerror})"
            raise SourceError(where=self.where, reason=reason, mend=mend) from error

    def _exactly(self, count: int, announced: int) -> bytes:
        pieces: list[bytes] = []
        missing = count
        try:
            while missing:
                piece = self._reading(partial(self._file.read1, missing))
                if not piece:
                    reason = (
                        f"the server closed the connection in the middle of a literal of {announced} bytes"
                    )
                    raise ConnectionDropped(where=self.where, reason=reason)
                pieces.append(piece)
                missing -= len(piece)
                if self._witness:
                    self._witness.came(piece)
        except ConnectionFailed as error:
            self._note_end(error)
            raise
        finally:
            if missing:
                self.broken_off.part = b"".join(pieces)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _note_end(self, error: ConnectionFailed) -> None:
        if self._witness:
            self._witness.ended("silent" if isinstance(error, ConnectionStalled) else "closed")

    def _overhear(self, line: bytes) -> None:
        """What any reply may carry: capabilities, and the end."""
        head = line[2:12].upper()
        if head.startswith(b"BYE"):
            _, code, text = status(line[2:])
            reason = f"the server ended the connection: {text}"
            raise throttled(self.where, code, reason, is_last=True) or ConnectionFailed(
                where=self.where, reason=reason
            )
        if head.startswith(b"OK ["):
            self._learn(status(line[2:])[1])
        elif head == b"CAPABILITY":
            self._learn(line[2:])
        elif head.startswith(b"ENABLED"):
            self.enabled |= frozenset(line[2:].decode("latin-1").upper().split()[1:])

    def _learn(self, code: bytes) -> None:
        words = code.decode("latin-1").upper().split()
        if words[:1] == ["CAPABILITY"]:
            self.capabilities = frozenset(words[1:])

    def _conclude(self, line: bytes) -> None:
        word, code, text = status(line)
        if word in (b"NO", b"BAD"):
            if (pause := throttled(self.where, code, text, is_last=False)) is not None:
                self.abandon()
                raise pause
            raise CommandRefused(word=word, code=code, text=text)
        if word != b"OK":
            self._misbehaved(f"it ended a command with {for_people(line)!r}")
        self.code = code
        self._learn(code)

    def _misbehaved(self, reason: str) -> NoReturn:
        self.abandon()
        raise ServerMisbehaved(where=self.where, reason=reason)
