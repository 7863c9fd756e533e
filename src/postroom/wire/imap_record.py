"""Recording: conversations in IMAP as lines of JSON, masked before they are written. docs/reference/testing.md has the shape."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any, Literal, TextIO

from postroom.wire.imap_mask import Mask, shape
from postroom.wire.imap_replies import literal_size

FORMAT = "postroom imap conversation 1"
_LITERAL = re.compile(r"\{\d+\+?\}\Z")
_NAMES = re.compile(r"\* (LIST|LSUB|STATUS) ", re.IGNORECASE)
_NUMBERS = re.compile(r"(?: \([\w\d ()-]*\))?\Z")


class Recorder:
    """`ImapSource(…, witness=recorder.conversation)`: every connection of the source goes into one file."""

    def __init__(self, out: TextIO, *, key: bytes, secrets: Iterable[str]) -> None:
        self._out = out
        self.mask = Mask(key, secrets)
        self.connections = self.commands = 0
        self.write(format=FORMAT)

    def write(self, **event: Any) -> None:
        self._out.write(json.dumps(event) + "\n")

    def conversation(self) -> Conversation:
        self.connections += 1
        return Conversation(self, self.connections)


class Conversation:
    """One connection. What is announced as a literal is told by its size and a mark; its bytes go nowhere."""

    def __init__(self, recorder: Recorder, number: int) -> None:
        self._recorder, self._on, self._mask = recorder, number, recorder.mask
        self._announced: int | None = None
        self._held: str | None = None
        """A line that waits for the folder's name which it announced as a literal."""
        self._name = b""
        self._marker, self._came = self._mask.marker(), 0
        self._command = ""
        self._has_ended = False

    def said(self, flight: bytes) -> None:
        """A command, or what comes behind its literals and a server's `+`."""
        for at, raw in enumerate(flight.split(b"\r\n")):
            text = raw.decode("latin-1")
            if _LITERAL.search(self._command):
                self._command = ""
                self._write(name=self._mask.name(text))
            elif at == 0 and re.match(r"P\d+ ", text):
                self._command = text.partition(" ")[2]
                self._recorder.commands += 1
                self._write(client=_LITERAL.sub("", self._mask.client(self._command)).rstrip())
            else:
                self._write(client="", more=True)

    def heard(self, line: bytes) -> None:
        goes_on = self._announced is not None
        text = line.rstrip(b"\r\n").decode("latin-1")
        if self._held is not None:
            rest = text if _NUMBERS.match(text) else shape(text)
            self._write(server=f'{self._held}"{self._mask.name(self._name.decode("latin-1"))}"{rest}')
            self._held, self._announced, self._name = None, None, b""
            return
        if goes_on:
            self._flush()
        self._announced = literal_size(line)
        said = self._mask.server(text, goes_on=goes_on)
        named = _NAMES.match(text)
        if self._announced is not None and named:
            self._held = "* STATUS " if named[1].upper() == "STATUS" else _LITERAL.sub("", said)
        else:
            self._write(server=said)

    def came(self, piece: bytes) -> None:
        self._came += len(piece)
        if self._held is not None:
            self._name += piece
        else:
            self._marker.update(piece)

    def ended(self, how: Literal["closed", "silent", "left"]) -> None:
        if not self._has_ended:
            self._has_ended = True
            if self._announced is not None and self._held is None:
                self._flush()
            self._write(end=how)

    def _flush(self) -> None:
        self._write(literal=self._announced, came=self._came, mark=self._marker.hexdigest()[:16])
        self._announced, self._marker, self._came = None, self._mask.marker(), 0

    def _write(self, **event: Any) -> None:
        self._recorder.write(on=self._on, **event)
