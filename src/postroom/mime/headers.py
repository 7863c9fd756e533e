"""Header fields: raw bytes to names and decoded values (RFC 5322 2.2, RFC 6532)."""

from __future__ import annotations

import re

from postroom.mime import charsets
from postroom.mime.encoded_words import decode_words

MAX_BYTES = 1024 * 1024
"""A header longer than this is cut; the raw bytes are kept whole anyhow."""
MAX_FIELDS = 2000

_NAME = re.compile(r"[!-9;-~]+")
_LINE_END = re.compile(rb"\n(?![ \t])")
_FROM_LINE = re.compile(r">?From (?! *:)")
_FAMILIES = ("x-", "content-", "list-", "resent-", "arc-", "dkim-", "received", "in-reply-to")
_KNOWN = frozenset(
    "return-path delivered-to authentication-results date from sender reply-to to cc bcc message-id "
    "references subject comments keywords mime-version importance priority precedence user-agent "
    "envelope-to status lines organization errors-to thread-topic thread-index autocrypt auto-submitted "
    "feedback-id".split()
)


class Header:
    """The fields of one header in their order, with values that are unfolded and not yet decoded.

    Bytes above 127 stand as `surrogateescape` has them until `decoded` or `plain` knows better.
    """

    __slots__ = ("_by_name", "fields", "garbage_lines")

    def __init__(self) -> None:
        self.fields: list[tuple[str, str]] = []
        self.garbage_lines = 0
        self._by_name: dict[str, str] = {}

    def add(self, name: str, value: str) -> None:
        self.fields.append((name, value))
        self._by_name.setdefault(name.lower(), value)

    def first(self, name: str) -> str | None:
        """The first field of this name (in lower case), or None."""
        return self._by_name.get(name)

    def all(self, name: str) -> list[str]:
        """Every field of this name (in lower case)."""
        if name not in self._by_name:
            return []
        return [value for each, value in self.fields if each.lower() == name]


def read_fields(block: bytes) -> tuple[Header, int]:
    """The fields of a header without its empty line, and where in it the header really ends.

    Lines that are not fields are passed over as long as a field that mail knows follows them; behind the last
    one, the first line that is not a field begins the text, whose empty line is missing.
    """
    header = Header()
    lines = _unfolded_lines(block)
    last_known = -1
    for number, line in enumerate(lines):
        name, colon, value = line.partition(":")
        name = name.rstrip(" ")
        if colon and _NAME.fullmatch(name):
            header.add(name, value.strip())
        elif line and not line.isspace() and not (number == 0 and _FROM_LINE.match(line)):
            if last_known < number:
                last_known = _last_known(lines)
            if last_known < number:
                return header, _start_of_line(block, number)
            header.garbage_lines += 1
    return header, len(block)


def _unfolded_lines(block: bytes) -> list[str]:
    """RFC 5322 2.2.3: a line end before white space goes, the white space stays."""
    text = block.decode("ascii", "surrogateescape")
    text = text.replace("\r\n", "\n").replace("\t", " ").replace("\r", " ").replace("\n ", " ")
    return text.split("\n", MAX_FIELDS)[:MAX_FIELDS]


def _start_of_line(block: bytes, number: int) -> int:
    return sum(len(line) + 1 for line in _LINE_END.split(block, number)[:number])


def _last_known(lines: list[str]) -> int:
    for number in range(len(lines) - 1, -1, -1):
        name, colon, _ = lines[number][:80].partition(":")
        name = name.rstrip(" ").lower()
        if colon and (name in _KNOWN or (name.startswith(_FAMILIES) and _NAME.fullmatch(name))):
            return number
    return -1


def decoded(value: str, charset: str | None = None) -> str:
    """A field's value as a person should read it: 8-bit bytes decoded, encoded words decoded."""
    value = plain(value, charset)
    return decode_words(value).strip() if "=?" in value else value


def plain(value: str, charset: str | None = None) -> str:
    """Bytes above 127 are UTF-8 (RFC 6532), or of this charset, or guessed."""
    if value.isascii() and "\x1b" not in value:
        return charsets.clean(value) if "\x00" in value else value
    raw = value.encode("utf-8", "surrogateescape")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        return charsets.decode(raw, charset)[0]
    return charsets.decode(raw, charset)[0] if "\x1b" in text else charsets.clean(text)


def text_of(raw: bytes) -> str:
    """The same for one field's raw value, folded as it was sent."""
    return decoded(" ".join(_unfolded_lines(raw)).strip())
