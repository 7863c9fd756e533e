"""One client at an SMTP server: who it is, then one message after the other."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from postroom.testing.faults import Answer, Fault, Refusals, played
from postroom.testing.line import Line

if TYPE_CHECKING:
    from postroom.testing.smtp import SmtpServer

_REFUSALS = Refusals(
    refuse=b"554 5.7.1 Refused.\r\n",
    throttle=b"451 4.7.1 Too many messages, try again in 5 minutes.\r\n",
    busy=b"450 4.2.1 Somebody else is there.\r\n",
    bye=b"421 4.3.2 Server is going down.\r\n",
)
_PATH = re.compile(r"(FROM|TO):\s*<([^>]*)>(.*)", re.IGNORECASE)
_VERBS = ("EHLO", "HELO", "STARTTLS", "AUTH", "MAIL", "RCPT", "DATA", "RSET", "NOOP", "QUIT")
_NEEDS = {"SIZE": "SIZE", "BODY": "8BITMIME", "SMTPUTF8": "SMTPUTF8", "RET": "DSN", "ENVID": "DSN", "NOTIFY": "DSN"}  # fmt: skip
"""Which extension a parameter of MAIL or RCPT belongs to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """A message with its envelope."""

    sender: str
    recipients: tuple[str, ...]
    options: tuple[str, ...]
    """What MAIL said behind the sender: `SIZE=212`."""
    raw: bytes


class _No(Exception):
    """A reply that is no yes."""


class SmtpSession:
    """`serve` ends when the client goes or the script ends the connection."""

    def __init__(self, server: SmtpServer, line: Line) -> None:
        self._server, self._line = server, line
        self._is_greeted = self._is_secure = self._has_signed_in = False
        self._forget()

    def _forget(self) -> None:
        self._sender: str | None = None
        self._options: tuple[str, ...] = ()
        self._recipients: list[str] = []

    def serve(self) -> None:
        goes_on = self._say("CONNECT", "")
        while goes_on and (raw := self._line.line()) is not None:
            text = raw.decode("utf-8", "replace")
            name, _, arguments = text.partition(" ")
            name = name.upper()
            self._server.commands.append(name if name == "AUTH" else text)
            if name == "AUTH":
                arguments = self._credentials(arguments)
            goes_on = self._say(name, arguments)

    def _credentials(self, arguments: str) -> str:
        """What the client says when it is asked for it, behind the mechanism (RFC 4954 4)."""
        mechanism, *given = arguments.split()
        asked = {"PLAIN": 1, "LOGIN": 2}.get(mechanism.upper(), 0) - len(given)
        for _ in range(asked):
            self._line.send(b"334 \r\n")
            given.append((self._line.line() or b"").decode("latin-1"))
        return " ".join([mechanism, *given])

    def _say(self, name: str, arguments: str) -> bool:
        """Carry it out and say so; False where the connection ends."""
        with self._server.lock:
            faults = self._server.due(name, None)
            refuses = any(each.kind in ("refuse", "throttle", "busy", "bye") for each in faults)
            answer = Answer(tagged=_REFUSALS.refuse) if refuses else self._outcome(name, arguments)
        if not self._goes_over(answer, faults):
            return False
        if name == "STARTTLS" and answer.tagged.startswith(b"220") and self._server.tls:
            self._line.secure(self._server.tls)
            self._is_secure, self._is_greeted = True, False
        if name == "DATA" and answer.tagged.startswith(b"354"):
            return self._message([each for each in faults if each.kind == "drop"])
        return True

    def _goes_over(self, answer: Answer, faults: Sequence[Fault]) -> bool:
        said = played(answer, faults, _REFUSALS)
        self._line.send(said.data)
        if said.then == "silent":
            self._line.silent()
        return said.then == "open"

    def _message(self, drops: Sequence[Fault]) -> bool:
        """What follows DATA, up to the lone dot and the answer to it."""
        if drops:
            self._line.exactly(drops[0].after)
            return False
        raw = self._line.message()
        if raw is None:
            return False
        with self._server.lock:
            faults = self._server.due(".", None)
            kinds = {each.kind for each in faults}
            limit = self._server.personality.size_limit
            if 0 < limit < len(raw):
                answer = Answer(tagged=b"552 5.3.4 The message is too large.\r\n")
            else:
                answer = self._taken(raw, is_kept=not kinds & {"refuse", "throttle", "busy", "bye", "lose"})
            self._forget()
        return self._goes_over(answer, faults)

    def _taken(self, raw: bytes, *, is_kept: bool) -> Answer:
        if is_kept:
            taken = Taken(
                sender=self._sender or "", recipients=tuple(self._recipients), options=self._options, raw=raw
            )
            self._server.take(taken)
        number = len(self._server.taken)
        if self._server.personality.lies:
            return Answer(untagged=[b"250-Well\r\n"], tagged=b"250\r\n")
        return Answer(tagged=b"250 2.0.0 Taken as %d\r\n" % number)

    def _outcome(self, name: str, arguments: str) -> Answer:
        if name == "CONNECT":
            return Answer(tagged=b"220 smtp.test ESMTP\r\n")
        try:
            if name not in _VERBS:
                raise _No("500 5.5.2 There is no such command.")
            work: Callable[[str], Answer] = getattr(self, f"_{name.lower()}")
            return work(arguments)
        except _No as error:
            return Answer(tagged=f"{error}\r\n".encode())
        except (ValueError, IndexError):
            return Answer(tagged=b"501 5.5.4 These are not its arguments.\r\n")

    def _ehlo(self, _: str) -> Answer:
        self._is_greeted = True
        self._forget()
        starttls = ["STARTTLS"] if self._server.tls and not self._is_secure else []
        lines = ["smtp.test", *self._server.personality.smtp, *starttls]
        said = [f"250-{each}\r\n".encode() for each in lines]
        return Answer(untagged=said[:-1], tagged=said[-1].replace(b"250-", b"250 ", 1))

    def _helo(self, _: str) -> Answer:
        self._is_greeted = True
        self._forget()
        return Answer(tagged=b"250 smtp.test\r\n")

    def _starttls(self, _: str) -> Answer:
        if self._server.tls is None or self._is_secure:
            raise _No("502 5.5.1 There is no TLS here.")
        return Answer(tagged=b"220 2.0.0 Go on\r\n")

    def _auth(self, arguments: str) -> Answer:
        mechanism, *given = arguments.split()
        offered = next((each for each in self._server.personality.smtp if each.startswith("AUTH ")), "")
        if mechanism.upper() not in offered.split()[1:]:
            raise _No("504 5.5.4 There is no such mechanism.")
        said = [base64.b64decode(each, validate=True).decode() for each in given]
        who = said[0].split("\0")[1:] if mechanism.upper() == "PLAIN" else said
        if who != [self._server.username, self._server.password]:
            raise _No("535 5.7.8 Invalid credentials.")
        self._has_signed_in = True
        return Answer(tagged=b"235 2.7.0 Welcome\r\n")

    def _mail(self, arguments: str) -> Answer:
        if not self._is_greeted:
            raise _No("503 5.5.1 Say EHLO first.")
        if self._server.needs_sign_in and not self._has_signed_in:
            raise _No("530 5.7.0 Sign in first.")
        if self._sender is not None:
            raise _No("503 5.5.1 There is a sender already.")
        sender, options = self._path(arguments, "FROM")
        limit = self._server.personality.size_limit
        for each in options:
            if each.upper().startswith("SIZE=") and 0 < limit < int(each[5:]):
                raise _No("552 5.3.4 The message is too large.")  # RFC 1870 6.1
        self._sender, self._options = sender, options
        return Answer(tagged=b"250 2.1.0 Go on\r\n")

    def _rcpt(self, arguments: str) -> Answer:
        if self._sender is None:
            raise _No("503 5.5.1 From whom?")
        self._recipients.append(self._path(arguments, "TO")[0])
        if self._server.personality.lies:
            return Answer(
                untagged=[b"251-I am not his server\r\n"], tagged=b"251 and take it all the same\r\n"
            )
        return Answer(tagged=b"250 2.1.5 Go on\r\n")

    def _path(self, arguments: str, word: str) -> tuple[str, tuple[str, ...]]:
        match = _PATH.fullmatch(arguments)
        if match is None or match[1].upper() != word:
            raise _No("501 5.5.4 These are not its arguments.")
        options = tuple(match[3].split())
        offered = {each.split()[0] for each in self._server.personality.smtp}
        for each in options:
            if _NEEDS.get(each.partition("=")[0].upper(), "") not in offered:
                raise _No(f"555 5.5.4 There is no {each.partition('=')[0]} here.")
        return match[2], options

    def _data(self, _: str) -> Answer:
        if not self._recipients:
            raise _No("554 5.5.1 To whom?")
        return Answer(tagged=b"354 Go on\r\n")

    def _rset(self, _: str) -> Answer:
        self._forget()
        return Answer(tagged=b"250 2.0.0 Forgotten\r\n")

    def _noop(self, _: str) -> Answer:
        return Answer(tagged=b"250 2.0.0 Still here\r\n")

    def _quit(self, _: str) -> Answer:
        return Answer(tagged=b"221 2.0.0 Good-bye\r\n", ends=True)
