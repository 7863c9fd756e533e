"""Session: one client at an IMAP server. It reads a command, lets it be carried out, and says the answer as the script has it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from postroom.testing.faults import Answer, Refusals, played
from postroom.testing.imap_commands import Commands
from postroom.testing.imap_view import Ended, Refused
from postroom.testing.line import Line
from postroom.testing.mailbox import NoSuchFolder
from postroom.testing.syntax import NotImap, literal_of, words

if TYPE_CHECKING:
    from postroom.testing.imap import ImapServer

_IDLE_LOOKS_SECONDS = 0.02


class Session:
    """`serve` ends when the client goes or the script ends the connection."""

    def __init__(self, server: ImapServer, line: Line) -> None:
        self._server = server
        self._line = line
        self._commands = Commands(server)

    def serve(self) -> None:
        self._line.send(b"* OK ready\r\n")
        while (pieces := self._command()) is not None:
            if not self._answer(pieces):
                return

    def _command(self) -> list[bytes] | None:
        """A command with its literals, each asked for unless it comes by itself."""
        pieces: list[bytes] = []
        while (line := self._line.line()) is not None:
            pieces.append(line)
            literal = literal_of(line)
            if literal is None:
                return pieces
            if not literal[1]:
                self._line.send(b"+ go on\r\n")
            data = self._line.exactly(literal[0])
            if data is None:
                return None
            pieces.append(data)
        return None

    def _answer(self, pieces: list[bytes]) -> bool:
        """Carry it out and say so; False where the connection ends."""
        tag, _, first = pieces[0].partition(b" ")
        self._server.commands.append(" ".join(each.decode("latin-1") for each in [first, *pieces[2::2]]))
        try:
            _, name, *arguments = words(pieces)
            name = name.upper().decode("latin-1")
            if name == "UID":
                name, *arguments = arguments
                name = name.upper().decode("latin-1")
                self._commands.is_uid = True
            else:
                self._commands.is_uid = False
        except (NotImap, ValueError, AttributeError):
            self._line.send(tag + b" BAD This is no command.\r\n")
            return True
        if name == "AUTHENTICATE" and len(arguments) == 1:
            self._line.send(b"+ \r\n")
            arguments.append(self._line.line() or b"")
        if name == "IDLE":
            return self._idle(tag)
        return self._say(name, arguments, tag)

    def _say(self, name: str, arguments: list[Any], tag: bytes) -> bool:
        with self._server.lock:
            faults = self._server.due(name, self._commands.about(name, arguments))
            answer = self._outcome(name, arguments, tag)
        said = played(answer, faults, _refusals(tag))
        self._line.send(said.data)
        if said.then == "silent":
            self._line.silent()
        if name == "COMPRESS" and answer.tagged.startswith(tag + b" OK"):
            self._line.compress()
        return said.then == "open"

    def _outcome(self, name: str, arguments: list[Any], tag: bytes) -> Answer:
        try:
            untagged = self._commands.carry_out(name, arguments, tag)
        except Refused as refusal:
            return Answer(untagged=(), tagged=tag + b" %s\r\n" % str(refusal).encode())
        except NoSuchFolder as error:
            text = f" NO [NONEXISTENT] Mailbox doesn't exist: {error}\r\n"
            return Answer(untagged=(), tagged=tag + text.encode("utf-8", "replace"))
        except Ended as end:
            return Answer(untagged=[f"* BYE {end}\r\n".encode()], tagged=b"", ends=True)
        except (NotImap, ValueError, IndexError, AttributeError, TypeError):
            return Answer(untagged=(), tagged=tag + b" BAD These are not its arguments.\r\n")
        code = self._commands.code
        return Answer(
            untagged=untagged,
            tagged=tag + b" OK " + (b"[" + code + b"] " if code else b"") + b"done\r\n",
            ends=name == "LOGOUT",
        )

    def _idle(self, tag: bytes) -> bool:
        """RFC 2177: tell what happens until the client says DONE."""
        self._line.send(b"+ idling\r\n")
        while not self._line.has_more(_IDLE_LOOKS_SECONDS):
            with self._server.lock:
                news = self._commands.news()
            self._line.send(b"".join(news))
        if (self._line.line() or b"").upper() != b"DONE":
            return False
        self._line.send(tag + b" OK done\r\n")
        return True


def _refusals(tag: bytes) -> Refusals:
    return Refusals(
        refuse=tag + b" NO [SERVERBUG] Internal error.\r\n",
        throttle=tag + b" NO [LIMIT] Too many requests, try again in 5 minutes.\r\n",
        busy=tag + b" NO [INUSE] Somebody else is there.\r\n",
        bye=b"* BYE Server is going down.\r\n",
    )
