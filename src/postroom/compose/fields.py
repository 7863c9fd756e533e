"""Header fields: values to folded lines of ASCII (RFC 5322 2.2.3, RFC 2047), UTF-8 for addresses that need it.

Written here instead of by `email.policy`, which makes encoded words of long ids and folds inside quoted names.
No value can end its line: what is not printable becomes a space before anything else is looked at.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from email.utils import format_datetime
from urllib.parse import quote

import pybase64

from postroom.compose.addresses import for_wire
from postroom.model import Address

_LINE_CHARACTERS = 76
_WORD_CHARACTERS = 75  # RFC 2047 2
_LONGEST_PLAIN_WORD = 200
_OLDEST_REFERENCES, _NEWEST_REFERENCES = 1, 40
_PHRASE = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?: [A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_ID = re.compile(r"[!-;=?-~]{1,900}", re.ASCII)
_Q_SAFE = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!*+-/")  # RFC 2047 5 (3)


def text(name: str, value: str) -> bytes:
    """An unstructured field: `Subject`."""
    value = printable(value)
    is_plain = value.isascii() and "=?" not in value and "  " not in value and value == value.strip()
    words = value.split(" ")
    if not is_plain or max(map(len, words)) > _LONGEST_PLAIN_WORD:
        words = encoded_words(value)
    return _folded(name, words)


def mailboxes(name: str, addresses: Sequence[Address]) -> bytes:
    """An address list: `To`. The caller knows whether the server takes UTF-8 (SMTPUTF8)."""
    tokens: list[str] = []
    for position, address in enumerate(addresses, 1):
        comma = "," if position < len(addresses) else ""
        wire = for_wire(printable(address.address))
        shown = _phrase(printable(address.name).strip())
        tokens += [*shown, f"<{wire}>{comma}"] if shown else [wire + comma]
    return _folded(name, tokens)


def ids(name: str, values: Iterable[str]) -> bytes:
    """`References`: in their order, the first and the newest where there are too many; what is no id is left out."""
    usable = [f"<{value}>" for value in dict.fromkeys(values) if _ID.fullmatch(value)]
    if len(usable) > _OLDEST_REFERENCES + _NEWEST_REFERENCES:
        usable = usable[:_OLDEST_REFERENCES] + usable[-_NEWEST_REFERENCES:]
    return _folded(name, usable) if usable else b""


def date(moment: datetime) -> bytes:
    """RFC 5322 3.3."""
    return f"Date: {format_datetime(moment)}\r\n".encode()


def filename(name: str) -> list[str]:
    """The parameter of Content-Disposition (RFC 2183 2.3): as it is if it is plain, else by RFC 2231."""
    name = printable(name).strip() or "file"
    if name.isascii() and len(name) <= 60 and not re.search(r'["\\%]', name):
        return [f'filename="{name}"']
    data = quote(name, safe="", encoding="utf-8", errors="replace")
    pieces = re.findall(r"(?:%..|[^%]){1,18}", data)
    if len(pieces) == 1:
        return [f"filename*=utf-8''{data}"]
    # RFC 2231 4.1: one parameter in several, for lines that can be folded
    pieces[0] = f"utf-8''{pieces[0]}"
    return [f"filename*{at}*={piece}" for at, piece in enumerate(pieces)]


def structured(name: str, first: str, parameters: Sequence[str] = ()) -> bytes:
    """`Content-Type: text/plain; charset=utf-8`"""
    tokens = [first, *parameters]
    return _folded(name, [f"{token};" for token in tokens[:-1]] + tokens[-1:])


def encoded_words(value: str) -> list[str]:
    """The whole value as encoded words, none torn inside a character; Q or B, whichever is shorter."""
    data = value.encode("utf-8", "replace")
    as_q = sum(1 if byte in _Q_SAFE or byte == 0x20 else 3 for byte in data)
    is_q = as_q <= len(data) * 4 / 3
    room = _WORD_CHARACTERS - len("=?utf-8?q??=")
    words, held, length = [], b"", 0
    for character in value:
        piece = character.encode("utf-8", "replace")
        cost = sum(1 if byte in _Q_SAFE or byte == 0x20 else 3 for byte in piece)
        longer = length + cost if is_q else (len(held) + len(piece) + 2) // 3 * 4
        if longer > room:
            words.append(_word(held, is_q=is_q))
            held, length = b"", 0
        held += piece
        length += cost
    return [*words, _word(held, is_q=is_q)]


def printable(value: str) -> str:
    """Line ends, tabs, NUL and every other control character are a space; lone surrogates a question mark."""
    if value.isascii() and value.isprintable():
        return value
    clean = value.encode("utf-8", "replace").decode()
    return "".join(" " if c in _SEPARATORS or (c < " ") or "\x7f" <= c <= "\x9f" else c for c in clean)


_SEPARATORS = "\u2028\u2029\u0085"


def _word(data: bytes, *, is_q: bool) -> str:
    if not is_q:
        return f"=?utf-8?b?{pybase64.b64encode(data).decode()}?="
    body = "".join(chr(b) if b in _Q_SAFE else "_" if b == 0x20 else f"={b:02X}" for b in data)
    return f"=?utf-8?q?{body}?="


def _phrase(name: str) -> list[str]:
    """A display name (RFC 5322 3.2.5)."""
    if not name:
        return []
    if name.isascii() and "=?" not in name and len(name) <= _LONGEST_PLAIN_WORD:
        if _PHRASE.fullmatch(name):
            return name.split(" ")
        return ['"' + re.sub(r'(["\\])', r"\\\1", name) + '"']
    return encoded_words(name)


def _folded(name: str, tokens: Sequence[str]) -> bytes:
    """The tokens with a space between them, on lines of 76 characters as far as the tokens allow."""
    lines, line = [], f"{name}:"
    for token in tokens:
        if len(line) + 1 + len(token) > _LINE_CHARACTERS and line != f"{name}:":
            lines.append(line)
            line = ""
        line += f" {token}"
    return "\r\n".join([*lines, line]).encode() + b"\r\n"
