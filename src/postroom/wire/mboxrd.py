"""The quoting of mboxrd, there and back: https://www.qmail.org/qmail-manual-html/man5/mbox.html

A line that starts with `From `, behind any number of `>`, gets one `>` more when it is written and loses one
when it is read. That is the only quoting of mbox that can be undone without a doubt.

What Postroom writes says so: the sender in its From_ lines is `postroom-mboxrd+`, the flags as Maildir
letters, and E for a message that ends with a newline or N for one that has none. Every other program reads it
as any mbox; Postroom gets back exactly the bytes and the flags that it wrote.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from postroom.wire import flags

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MARKED = re.compile(
    rb"From postroom-mboxrd\+([DFPRST]*)([EN]) [A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d [\d:]{8} \d+\n"
)
_FROM = re.compile(rb"^(>*From )", re.MULTILINE)
_QUOTED_FROM = re.compile(rb"^>(>*From )", re.MULTILINE)
_START = b"From "
_LONG_LINE_BYTES = 65536


def marked(line: bytes) -> re.Match[bytes] | None:
    """A From_ line that Postroom wrote, with its newline: the flags are group 1, group 2 is E or N."""
    return _MARKED.fullmatch(line)


def from_line(words: flags.Flags, moment: datetime, *, is_ended: bool) -> bytes:
    """The From_ line of an exported message, equally long either way; its date is UTC (RFC 4155)."""
    sender = f"postroom-mboxrd+{flags.to_maildir(*words)}{'E' if is_ended else 'N'}"
    at = moment.astimezone(UTC)
    # by hand: strftime writes days and months in the language of the machine, and years before 1000 short
    day = f"{_DAYS[at.weekday()]} {_MONTHS[at.month - 1]} {at.day:2}"
    return f"From {sender} {day} {at:%H:%M:%S} {at.year:04}\n".encode()


def quote(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The bytes of a message as they stand in an mboxrd file."""
    for is_line_start, text in _lines(pieces):
        yield _FROM.sub(rb">\1", text) if is_line_start else text


def unquote(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The inverse of `quote`, exactly."""
    for is_line_start, text in _lines(pieces):
        yield _QUOTED_FROM.sub(rb"\1", text) if is_line_start else text


def unquoted(body: bytes) -> bytes:
    """`unquote` for a message that is held whole."""
    return _QUOTED_FROM.sub(rb"\1", body) if b">From " in body else body


def _lines(pieces: Iterable[bytes]) -> Iterator[tuple[bool, bytes]]:
    """The pieces cut anew so that no line's beginning is torn, and whether each starts a line.

    Holds little of a line without end: one `>` more or less is the same wherever in a run of them it is put.
    """
    held, is_line_start = b"", True
    for piece in pieces:
        text = held + piece
        if not is_line_start:
            end = text.find(b"\n") + 1 or len(text)
            yield False, text[:end]
            is_line_start, text = text.endswith(b"\n", 0, end), text[end:]
        cut = text.rfind(b"\n") + 1
        held = text[cut:]
        yield True, text[:cut]
        if len(held) > _LONG_LINE_BYTES:
            kept = _undecided(held)
            yield True, held[: len(held) - len(kept)]
            held, is_line_start = kept, bool(kept)
    yield is_line_start, held


def _undecided(line: bytes) -> bytes:
    """The end of a line's beginning that may still become a quoted From_ line; nothing when it cannot."""
    rest = line.lstrip(b">")
    return b">" + rest if len(rest) < len(_START) and _START.startswith(rest) else b""
