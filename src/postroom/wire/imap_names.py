"""Folder names between IMAP and people: modified UTF-7, delimiters, INBOX, and names that nobody should have.

UTF8=ACCEPT (RFC 6855) is never enabled: names come as modified UTF-7 then, and 8-bit names that a server
sends all the same are read as UTF-8.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable

from postroom.model import SourceFolder
from postroom.wire.folders import folder_type

_SHIFTED = re.compile(r"&([A-Za-z0-9+,]*)-")
_NOT_PLAIN = re.compile(r"&|[^\x20-\x7e]+")
_UNFIT = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_SPECIAL_USES = {
    b"\\all",
    b"\\archive",
    b"\\drafts",
    b"\\flagged",
    b"\\junk",
    b"\\sent",
    b"\\trash",
}  # RFC 6154 2
_SLASH_IN_A_NAME = "\u2215"
"""Stands for a `/` inside one level where the server's own delimiter is another: ∕, DIVISION SLASH."""


def decode_utf7(name: str) -> str:
    """A name in modified UTF-7 (RFC 3501 5.1.3) as text; what is not valid stays as it is."""
    return _SHIFTED.sub(_unshift, name)


def _unshift(match: re.Match[str]) -> str:
    if not match[1]:
        return "&"
    digits = match[1].replace(",", "/")
    try:
        return base64.b64decode(digits + "=" * (-len(digits) % 4), validate=True).decode("utf-16-be")
    except ValueError:
        return match[0]


def encode_utf7(name: str) -> str:
    """The inverse of `decode_utf7`: text as modified UTF-7 (RFC 3501 5.1.3)."""
    return _NOT_PLAIN.sub(_shift, name)


def _shift(match: re.Match[str]) -> str:
    if match[0] == "&":
        return "&-"
    digits = base64.b64encode(match[0].encode("utf-16-be")).decode().rstrip("=")
    return f"&{digits.replace('/', ',')}-"


def spelled(name: str, delimiter: bytes | None) -> str | None:
    """A name that people gave, levels joined by `/`, as the wire name for a server with this delimiter; the inverse of
    `readable`. None where the delimiter stands within a level: the server would take it for two."""
    separator = delimiter.decode("latin-1") if delimiter else None
    levels = name.split("/")
    if separator != "/":
        levels = [level.replace(_SLASH_IN_A_NAME, "/") for level in levels]
    if separator is None:
        return encode_utf7(levels[0]) if len(levels) == 1 else None
    if any(separator in level for level in levels):
        return None
    return separator.join(map(encode_utf7, levels))


def from_wire(raw: bytes) -> str:
    """The bytes of a name as a `str` that any store can hold and `to_wire` turns back: Latin-1."""
    return raw.decode("latin-1")


def to_wire(wire_name: str) -> bytes:
    """The inverse of `from_wire`."""
    return wire_name.encode("latin-1")


def quoted(data: bytes) -> list[bytes]:
    """A string for a command (RFC 9051 4.3), as flights: quoted if possible, else a literal after a `+`."""
    if data.isascii() and not re.search(rb"[\r\n\0]", data):
        return [b'"' + re.sub(rb'(["\\])', rb"\\\1", data) + b'"']
    return [b"{%d}" % len(data), data]


def command(*parts: bytes | list[bytes]) -> list[bytes]:
    """The flights of a command made of words and of `quoted` strings."""
    flights = [b""]
    for part in parts:
        first, *others = [part] if isinstance(part, bytes) else part
        flights[-1] += (b" " if flights != [b""] else b"") + first
        flights += others
    return flights


def readable(raw: bytes, delimiter: bytes | None) -> str:
    """The name as people see it: decoded, levels joined by `/`, control characters shown as U+FFFD."""
    separator = delimiter.decode("latin-1") if delimiter else None
    levels = [_decode(level) for level in (raw.split(delimiter) if delimiter else [raw])]
    if separator != "/":
        levels = [level.replace("/", _SLASH_IN_A_NAME) for level in levels]
    name = _UNFIT.sub("\ufffd", "/".join(levels))
    return "INBOX" if name.upper() == "INBOX" else name  # RFC 9051 5.1: INBOX in any case is the same folder


def _decode(raw: bytes) -> str:
    if raw.isascii():
        return decode_utf7(raw.decode("ascii"))
    return raw.decode("utf-8", "replace")


def folders_of(listed: Iterable[tuple[set[bytes], bytes | None, bytes]]) -> list[SourceFolder]:
    """The folders of LIST replies (`imap_replies.listed`): the inbox first, the others by name, each once."""
    found: dict[str, SourceFolder] = {}
    for attributes, delimiter, raw in listed:
        name = readable(raw, delimiter)
        if name in found and name != "INBOX":
            name = f"{name} [{from_wire(raw)}]"
        found.setdefault(name, _folder(name, raw, attributes))
    return sorted(found.values(), key=lambda folder: (folder.name != "INBOX", folder.name))


def _folder(name: str, raw: bytes, attributes: set[bytes]) -> SourceFolder:
    use = next((word.decode("latin-1") for word in sorted(attributes) if word in _SPECIAL_USES), None)
    return SourceFolder(
        name=name,
        type=folder_type(name, use),
        is_selectable=not attributes & {b"\\noselect", b"\\nonexistent"},
        wire_name=from_wire(raw),
    )
