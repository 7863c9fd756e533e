"""Replay: a recorded conversation in IMAP, played by a server to whoever asks what was asked then.

`postroom account record` makes the recording; docs/reference/testing.md has its shape.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from postroom.testing.line import Line
from postroom.testing.listening import Listening

FORMAT = "postroom imap conversation 1"
_TAG = re.compile(rb"P\d+ (?=OK|NO|BAD)")
_FOLDER = re.compile(r'(?:EXAMINE|SELECT) "([^"]*)"')


@dataclass(slots=True)
class Exchange:
    """A command and all that was said to it."""

    folder: str
    """The one that was open."""
    command: str
    """Empty for the greeting."""
    steps: list[bytes | None] = field(default_factory=list)
    """Pieces of the answer; None: the client says something in between."""
    end: str = ""
    """closed, silent: how the connection ended with it."""
    is_used: bool = False


class ReplayServer(Listening):
    """`with ReplayServer(path) as server:` listens on `server.port`, in the open, and lets in whoever comes."""

    def __init__(self, recording: Path | str) -> None:
        super().__init__()
        self.exchanges = read(Path(recording).read_text().splitlines())
        self.strange: list[str] = []
        """Commands that were not asked when it was recorded: they are answered with BAD."""

    def find(self, folder: str, command: str) -> Exchange | None:
        """The next time that it was said; the last one where it was not said so often."""
        with self.lock:
            alike = [each for each in self.exchanges if (each.folder, each.command) == (folder, command)]
            found = next((each for each in alike if not each.is_used), alike[-1] if alike else None)
            if found is not None:
                found.is_used = True
            return found

    def serve(self, line: Line) -> None:
        folder, tag, command = "", b"", ""
        while True:
            found = self.find("" if not command else folder, command)
            if found is None:
                self.strange.append(command)
                line.send(tag + b" BAD This is not in the recording.\r\n")
            elif not _play(found, line, tag):
                return
            if (match := _FOLDER.match(command)) is not None:
                folder = match[1]
            raw = line.line()
            if raw is None:
                return
            tag, _, rest = raw.partition(b" ")
            command = _as_recorded(rest.decode("latin-1"))


def read(lines: Iterable[str]) -> list[Exchange]:
    """The exchanges of a recording. Raises ValueError for what is none."""
    events: list[dict[str, Any]] = [json.loads(each) for each in lines]
    if not events or events[0].get("format") != FORMAT:
        raise ValueError("this is no recording of a conversation in IMAP")
    found: list[Exchange] = []
    folders: dict[int, str] = {}
    current: dict[int, Exchange] = {}
    for event in events[1:]:
        on = event["on"]
        if on not in current:
            current[on] = Exchange(folder="", command="")
            found.append(current[on])
        exchange = current[on]
        if "more" in event:
            exchange.steps.append(None)
        elif "client" in event:
            current[on] = Exchange(folder=folders.get(on, ""), command=event["client"])
            found.append(current[on])
        elif "name" in event:
            exchange.command += f' "{event["name"]}"'
            exchange.steps.clear()  # what asked for the literal
        elif "literal" in event:
            exchange.steps.append(filler(event["mark"], event["literal"])[: event["came"]])
        elif "server" in event:
            exchange.steps.append(event["server"].encode("latin-1") + b"\r\n")
        else:
            exchange.end = event["end"]
        if (match := _FOLDER.match(current[on].command)) is not None:
            folders[on] = match[1]
    return found


def filler(mark: str, size: int) -> bytes:
    """A message of so many bytes with nothing in it, known by its mark."""
    head = f"Message-ID: <{mark}@masked.invalid>\r\nSubject: {mark}\r\n\r\n".encode()
    if size <= len(head):
        return b"x" * size
    lines = (b"x" * 74 + b"\r\n") * (size // 76 + 1)
    return (head + lines)[:size]


def _as_recorded(command: str) -> str:
    """A command as the recording has it: of a sign-in only the mechanism."""
    verb, _, rest = command.partition(" ")
    if verb.upper() == "AUTHENTICATE":
        return f"{verb} {rest.split(' ')[0]}"
    return verb if verb.upper() in ("LOGIN", "ID") else command


def _play(exchange: Exchange, line: Line, tag: bytes) -> bool:
    """Say it; False where the connection ended with it."""
    for step in exchange.steps:
        if step is None:
            if line.line() is None:
                return False
        else:
            line.send(_TAG.sub(tag + b" ", step) if _TAG.match(step) else step)
    if exchange.end == "silent":
        line.silent()
    return exchange.end not in ("closed", "silent")
