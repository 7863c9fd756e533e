"""From_ lines: which line of an mbox begins a message, and when that message was delivered.

RFC 4155 and the qmail manual describe one shape; files in the wild have many, and sentences begin with
"From " too. A line that begins with `From ` begins a message

- when Postroom wrote it (see mboxrd.py), whatever follows;
- when it has a date at its end and a header field in the next line;
- when it has a date at its end and an empty line before it, and an empty line (a message without header)
  or nothing follows;
- when it is `From ` and one word, or has a time somewhere, and stands behind an empty line or at the start of
  the file, and the next line is a header field that mail has.

Content-Length is not believed: too many programs leave it wrong.
"""

from __future__ import annotations

import re
from datetime import datetime

from postroom.mime.dates import parse_date
from postroom.wire import mboxrd

LOOK_BEHIND_BYTES = 3
LOOK_AHEAD_BYTES = 2048

_ZONES = rb"(?:[ \t]+(?:[A-Z]{1,5}|[+-]\d{4}|\([A-Z]+\)))*"
_TIME = rb"[ \t]+\d{1,2}:\d{2}(?::\d{2})?"
_WEEKDAY = rb"(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,?[ \t]+)?"
_ASCTIME = rb"[A-Z][a-z]{2}[ \t]+\d{1,2}" + _TIME + _ZONES + rb"[ \t]+\d{4}" + _ZONES
_RFC_5322 = rb"\d{1,2}[ \t]+[A-Z][a-z]{2}[ \t]+\d{4}" + _TIME + _ZONES
_DATED = re.compile(
    rb"From (?:[^\n]*?[ \t])??(" + _WEEKDAY + rb"(?:" + _ASCTIME + rb"|" + _RFC_5322 + rb"))"
    rb"[ \t]*(?:remote from [^\n]*)?\r?\n"
)
_LOOSE = re.compile(rb"From (?:\S+[ \t]*|[^\n]*\d\d?:\d\d[^\n]*)\r?\n")
_FIELD = re.compile(rb"[!-9;-~]{1,77}[ \t]*:|>From ")
_NOTHING = re.compile(rb"\r?\n|\Z")
_KNOWN_FIELD = re.compile(
    rb"(?:Return-Path|Received|Delivered-To|Delivery-Date|Envelope-To|Date|From|Sender|Reply-To|To|Cc|Bcc|Subject|"
    rb"Message-ID|In-Reply-To|References|MIME-Version|Content-[A-Za-z-]+|Status|Authentication-Results|"
    rb"DKIM-Signature|List-[A-Za-z-]+|Resent-[A-Za-z-]+|X-[A-Za-z0-9-]+)[ \t]*:|>From ",
    re.IGNORECASE,
)


def begins_message(before: bytes, text: bytes) -> bool:
    """Whether a line begins a message. `before` is what stands before it (three bytes suffice; fewer only at
    the start of the file), `text` begins with it and goes on behind it."""
    end = text.find(b"\n") + 1
    line, following = text[:end], text[end:]
    if mboxrd.marked(line):
        return True
    is_apart = not before or before.endswith((b"\n\n", b"\n\r\n")) or before in (b"\n", b"\r\n")
    if _DATED.match(line):
        return _FIELD.match(following) is not None or (is_apart and _NOTHING.match(following) is not None)
    return is_apart and _LOOSE.match(line) is not None and _KNOWN_FIELD.match(following) is not None


def delivered_at(line: bytes) -> datetime | None:
    """The date of a From_ line; UTC where it names no zone (RFC 4155)."""
    dated = _DATED.match(line)
    return parse_date(dated[1].decode("ascii") if dated else line[5:].decode("latin-1"))
