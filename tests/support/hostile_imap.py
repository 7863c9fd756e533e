"""An IMAP server that breaks the rules on purpose, in the test's own process.

    with HostileImap({1: b"...", 2: b"..."}, tricks={2: "cut"}) as server:
        ImapSource(host="127.0.0.1", port=server.port, encryption="none", username="u", password="p")

Everything can be changed while it runs: `messages`, `tricks`, `uidvalidity`, `capabilities`, `answers`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Literal

from postroom.testing.line import Line
from postroom.testing.listening import Listening

Trick = Literal[
    "cut",  # the connection ends in the middle of the literal
    "longer",  # the literal has more bytes than announced
    "shorter",  # the literal has fewer bytes than announced
    "garbage",  # something that is no IMAP comes instead
    "stall",  # the literal stops in the middle and nothing comes any more
    "huge",  # a literal of 10 GB is announced
    "bye",  # the server says BYE, with a reason
    "refuse",  # the whole command is answered with NO, before anything else
    "late",  # the whole command is answered with NO, after the other messages came
    "nil",  # the body is NIL
    "silent",  # it is listed with its flags, but the body never comes
]

SECRET = "correct horse"


class HostileImap(Listening):
    """One account with an inbox, or with several `folders`; each message behaves or plays its trick whenever its body is asked for."""

    def __init__(
        self, messages: Mapping[int, bytes] | None = None, *, tricks: Mapping[int, Trick] | None = None
    ):
        super().__init__()
        self.messages = dict(messages or {})
        self.tricks: dict[int, Trick] = dict(tricks or {})
        self.flags: dict[int, str] = {}
        self.gmail_ids: dict[bytes, int] = {}
        """What X-GM-MSGID says of a message, by its bytes; offer X-GM-EXT-1 with it."""
        self.interruptions = b""
        """What the server says in the middle of every answer to FETCH, without being asked."""
        self.uidnext: int | None = None
        """What it says of UIDNEXT, when that is a lie."""
        self.uidvalidity = 1
        self.capabilities = "IMAP4rev1 AUTH=PLAIN SASL-IR"
        self.greeting = b"* OK ready\r\n"
        self.folders: dict[str, dict[int, bytes]] = {}
        """Folders with their messages; without them there is the inbox, which holds `messages`."""
        self.listing = b""
        """What LIST answers; without it all folders."""
        self.answers: dict[str, bytes | Callable[[str], bytes]] = {}
        """Raw answers for whole commands by their first words, `{tag}` standing for the tag; b"" closes."""
        self.commands: list[str] = []
        """Every command line that came, without its tag."""

    def serve(self, line: Line) -> None:
        line.send(self.greeting)
        while (raw := line.line()) is not None:
            tag, _, command = raw.decode("latin-1").partition(" ")
            command = command or tag  # DONE ends an IDLE without a tag
            self.commands.append(command)
            if not self._answer(line, tag, command):
                return

    def _opened(self, command: str) -> bool:
        """Select a folder, or find it for STATUS; False where there is none of that name."""
        match = re.match(r'(EXAMINE|STATUS) (?:"((?:[^"\\]|\\.)*)"|(\S+))', command)
        if not match or not self.folders:
            return True
        name = (match[2] or match[3] or "").replace('\\"', '"').replace("\\\\", "\\")
        self.messages = self.folders.get(name, {})
        return name in self.folders

    def _list(self) -> bytes:
        names = list(self.folders) or ["INBOX"]
        return self.listing or b"".join(
            b'* LIST (\\HasNoChildren) "/" "%s"\r\n' % name.encode() for name in names
        )

    def _answer(self, line: Line, tag: str, command: str) -> bool:
        words = command.split()
        scripted = self._scripted(command)
        if scripted is not None:
            line.send(scripted.replace(b"{tag}", tag.encode()))
            return scripted != b""
        name = words[1] if words[0] == "UID" else words[0]
        if not self._opened(command):
            line.send(f"{tag} NO [NONEXISTENT] there is no such folder\r\n".encode())
            return True
        if name == "FETCH":
            return self._fetch(line, tag, command)
        reply = {
            "CAPABILITY": f"* CAPABILITY {self.capabilities}\r\n",
            "LOGOUT": "* BYE see you\r\n",
            "EXAMINE": self._numbers(),
            "STATUS": f"* STATUS {words[1] if len(words) > 1 else ''} (MESSAGES {len(self.messages)} "
            f"UIDVALIDITY {self.uidvalidity} UIDNEXT {max(self.messages, default=0) + 1})\r\n",
            "SEARCH": f"* SEARCH {' '.join(map(str, self.messages))}\r\n",
        }.get(name, "")
        body = self._list() if name == "LIST" else reply.encode()
        line.send(body + f"{tag} OK done\r\n".encode())
        return name != "LOGOUT"

    def _scripted(self, command: str) -> bytes | None:
        for start, answer in self.answers.items():
            if command.startswith(start):
                return answer(command) if callable(answer) else answer
        return None

    def _numbers(self) -> str:
        uidnext = self.uidnext or max(self.messages, default=0) + 1
        return (
            f"* {len(self.messages)} EXISTS\r\n* 0 RECENT\r\n* FLAGS (\\Seen)\r\n"
            f"* OK [UIDVALIDITY {self.uidvalidity}] x\r\n* OK [UIDNEXT {uidnext}] x\r\n"
        )

    def _fetch(self, line: Line, tag: str, command: str) -> bool:
        wanted = [uid for uid in self.messages if _covers(command.split()[2], uid)]
        with_body = "BODY.PEEK[]" in command
        playing = [self.tricks.get(uid) for uid in wanted] if with_body else []
        if "refuse" in playing:
            line.send(f"{tag} NO [SERVERBUG] message is damaged\r\n".encode())
            return True
        part = re.search(r"BODY\.PEEK\[\]<(\d+)\.(\d+)>", command)
        if part and wanted:
            return self._part(line, tag, wanted[0], int(part[1]), int(part[2]))
        for number, uid in enumerate(wanted, 1):
            line.send(self.interruptions)
            trick = self.tricks.get(uid) if with_body else None
            if not self._reply(line, number, uid, trick, with_body):
                return False
        outcome = "NO Some messages could not be read." if "late" in playing else "OK done"
        line.send(f"{tag} {outcome}\r\n".encode())
        return True

    def _part(self, line: Line, tag: str, uid: int, start: int, count: int) -> bool:
        """A part of a message; one that is to be cut is cut once, at its second part."""
        piece = self.messages[uid][start : start + count]
        head = f'* 1 FETCH (UID {uid} FLAGS () INTERNALDATE "01-Jan-2026 00:00:00 +0000" BODY[]<{start}> {{{len(piece)}}}\r\n'
        if start and self.tricks.get(uid) == "cut":
            del self.tricks[uid]
            line.send(head.encode() + piece[: len(piece) // 2])
            return False
        line.send(head.encode() + piece + f")\r\n{tag} OK done\r\n".encode())
        return True

    def _reply(self, line: Line, number: int, uid: int, trick: Trick | None, with_body: bool) -> bool:
        """One FETCH reply, honest or not; False ends the connection."""
        body = self.messages[uid]
        head = f"* {number} FETCH (UID {uid} FLAGS ({self.flags.get(uid, '')}) RFC822.SIZE {len(body)}"
        if body in self.gmail_ids:
            head += f" X-GM-MSGID {self.gmail_ids[body]}"
        if not with_body:
            line.send(f'{head} INTERNALDATE "01-Jan-2026 00:00:00 +0000")\r\n'.encode())
            return True
        honest = f'{head} INTERNALDATE "01-Jan-2026 00:00:00 +0000" BODY[] '.encode()
        half = body[: len(body) // 2]
        literal = b"{%d}\r\n" % len(body)
        said = {
            None: honest + literal + body + b")\r\n",
            "cut": honest + literal + half,
            "longer": honest + b"{%d}\r\n" % len(half) + body + b")\r\n",
            "shorter": honest + b"{%d}\r\n" % (len(body) + 10) + body + b")\r\n",
            "garbage": b"\x00\xff<html>502 Bad Gateway</html>\r\n",
            "stall": honest + literal + half,
            "huge": honest + b"{10000000000}\r\n" + body,
            "bye": b"* BYE Too much, come back tomorrow.\r\n",
            "late": b"",
            "nil": honest + b"NIL)\r\n",
            "silent": b"",
        }[trick]
        line.send(said)
        if trick == "stall":
            line.silent()
        return trick not in ("cut", "bye", "stall")


def _covers(sequence_set: str, uid: int) -> bool:
    for part in sequence_set.split(","):
        match = re.fullmatch(r"(\d+)(?::(\d+))?", part)
        if match and int(match[1]) <= uid <= int(match[2] or match[1]):
            return True
    return False
