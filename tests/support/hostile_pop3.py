"""A POP3 server that breaks its promises, on a free port of 127.0.0.1, one trick for each message.

with HostilePop3([letter(1), letter(2)], tricks={1: "cut"}) as server:
    Pop3Source(host="127.0.0.1", port=server.port, encryption="none", who=Password(username="a", password="p"))
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal

from postroom.testing.line import Line
from postroom.testing.listening import Listening

Trick = Literal[
    "cut",  # the connection ends in the middle of the message
    "cut once",  # so, but only the first time
    "stall",  # the message stops in the middle and nothing comes any more
    "garbage",  # something that is no POP3 comes instead
    "refuse",  # -ERR
]

SECRET = "correct horse"


class HostilePop3(Listening):
    """One maildrop; message n behaves or plays its trick whenever it is retrieved."""

    def __init__(self, messages: Sequence[bytes] = (), *, tricks: Mapping[int, Trick] | None = None):
        super().__init__()
        self.messages = dict(enumerate(messages, 1))
        self.uidls = {number: f"u{number}" for number in self.messages}
        self.tricks: dict[int, Trick] = dict(tricks or {})
        self.capabilities = ["TOP", "UIDL", "USER", "PIPELINING"]
        self.greeting = b"+OK ready\r\n"
        self.answers: dict[str, bytes | Callable[[str], bytes]] = {}
        """Raw answers for whole commands by their first words; b"" closes."""
        self.commands: list[str] = []
        self.tokens: set[str] | None = None
        """Access tokens that are taken by XOAUTH2 and OAUTHBEARER; None: everything is."""
        self.drops_after = 0
        """End each connection after so many messages; 0: never."""

    def serve(self, line: Line) -> None:
        _Session(self, line).serve()


class _Session:
    def __init__(self, server: HostilePop3, line: Line) -> None:
        self._server, self._line = server, line
        self._numbers = list(server.messages)
        self._marked: set[int] = set()
        self._given = 0

    def serve(self) -> None:
        self._line.send(self._server.greeting)
        while (command := self._said()) is not None:
            self._server.commands.append(command)
            if not self._answer(command):
                return

    def _said(self) -> str | None:
        raw = self._line.line()
        return None if raw is None else raw.decode("latin-1")

    def _answer(self, command: str) -> bool:
        for start, answer in self._server.answers.items():
            if command.startswith(start):
                raw = answer(command) if callable(answer) else answer
                self._line.send(raw)
                return raw != b""
        word, *arguments = command.split()
        number = int(arguments[0]) if arguments and arguments[0].isdigit() else 0
        match word.upper():
            case "CAPA":
                self._many(self._server.capabilities)
            case "UIDL":
                self._many(f"{n} {self._server.uidls[n]}" for n in self._numbers)
            case "LIST":
                self._many(f"{n} {len(self._server.messages[n])}" for n in self._numbers)
            case "AUTH":
                self._auth(arguments)
            case "RETR":
                return self._retrieve(number)
            case "TOP":
                header = self._server.messages[number].partition(b"\r\n\r\n")[0]
                self._line.send(b"+OK\r\n" + header + b"\r\n\r\n.\r\n")
            case "DELE":
                self._marked.add(number)
                self._line.send(b"+OK marked\r\n")
            case "QUIT":
                for each in self._marked:
                    self._server.messages.pop(each, None)
                self._line.send(b"+OK bye\r\n")
                return False
            case _:
                self._line.send(b"+OK\r\n")
        return True

    def _many(self, lines: Iterable[str]) -> None:
        text = "".join(f"{line}\r\n" for line in lines)
        self._line.send(f"+OK\r\n{text}.\r\n".encode())

    def _auth(self, arguments: list[str]) -> None:
        if len(arguments) < 2:
            self._line.send(b"+ \r\n")
            arguments.append(self._said() or "")
        said = base64.b64decode(arguments[1]).decode()
        taken = self._server.tokens is None or any(f"Bearer {t}\1" in said for t in self._server.tokens)
        if not taken:
            self._line.send(b"+ " + base64.b64encode(b'{"status":"invalid_token"}') + b"\r\n")
            self._server.commands.append(f"answer {self._said()!r}")
        self._line.send(b"+OK in\r\n" if taken else b"-ERR [AUTH] no\r\n")

    def _retrieve(self, number: int) -> bool:
        trick = self._server.tricks.get(number)
        if trick == "cut once":
            del self._server.tricks[number]
        body = self._server.messages[number]
        self._given += 1
        honest = b"+OK\r\n" + b"".join(_stuffed(line) for line in body.splitlines(keepends=True)) + b".\r\n"
        if trick == "refuse":
            self._line.send(b"-ERR message is damaged\r\n")
            return True
        if trick == "garbage":
            self._line.send(b"\x00\xff<html>502 Bad Gateway</html>\r\n")
            return True
        if trick is None:
            self._line.send(honest)
            return self._given != self._server.drops_after
        self._line.send(honest[: len(honest) // 2])
        if trick == "stall":
            self._line.silent()
        return False


def _stuffed(line: bytes) -> bytes:
    return b"." + line if line.startswith(b".") else line
