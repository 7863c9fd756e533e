"""Syntax: IMAP commands as values, and values as IMAP replies (RFC 9051 9). The server's side of it."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from typing import Any

_TOKEN = re.compile(rb'[ \t]*(?:([()])|"((?:[^"\\]|\\.)*)"|((?:[^\s()"\[]|\[[^\]]*\])+))', re.DOTALL)
_LITERAL = re.compile(rb"\{(\d+)(\+?)\}\Z")


class NotImap(ValueError):
    """A command that cannot be read."""


def literal_of(line: bytes) -> tuple[int, bool] | None:
    """The size of the literal that follows the line, and whether it comes without being asked for (RFC 7888)."""
    match = _LITERAL.search(line)
    return (int(match[1]), bool(match[2])) if match else None


def words(pieces: list[bytes]) -> list[Any]:
    """A command as nested lists of bytes. `pieces`: line, literal, line, …"""
    stack: list[list[Any]] = [[]]
    for at, piece in enumerate(pieces):
        if at % 2:
            stack[-1].append(piece)
        else:
            _read(_LITERAL.sub(b"", piece), stack)
    if len(stack) != 1:
        raise NotImap("a parenthesis is never closed")
    return stack[0]


def _read(line: bytes, stack: list[list[Any]]) -> None:
    at, line = 0, line.rstrip()
    while at < len(line):
        match = _TOKEN.match(line, at)
        if match is None:
            raise NotImap("this cannot be read")
        at = match.end()
        if match[1] == b"(":
            stack[-1].append([])
            stack.append(stack[-1][-1])
        elif match[1] == b")":
            if len(stack) == 1:
                raise NotImap("a parenthesis is closed that was never opened")
            stack.pop()
        elif match[2] is not None:
            stack[-1].append(re.sub(rb"\\(.)", rb"\1", match[2], flags=re.DOTALL))
        else:
            stack[-1].append(match[3])


def numbers(text: bytes, largest: int) -> list[tuple[int, int]]:
    """A sequence set as ranges; `*` is the largest number in use (RFC 9051 9, seq-number)."""
    ranges = []
    for part in text.split(b","):
        first, _, last = part.partition(b":")
        ends = [largest if end == b"*" else int(end) for end in (first, last or first)]
        ranges.append((min(ends), max(ends)))
    return ranges


def chosen(text: bytes, among: Iterable[int]) -> list[int]:
    """Those of the numbers that a sequence set names."""
    there = sorted(among)
    ranges = numbers(text, there[-1] if there else 0)
    return [each for each in there if any(first <= each <= last for first, last in ranges)]


def number_set(found: Iterable[int]) -> bytes:
    """`1:3,7`"""
    runs: list[list[int]] = []
    for each in sorted(found):
        if runs and runs[-1][1] == each - 1:
            runs[-1][1] = each
        else:
            runs.append([each, each])
    return ",".join(str(a) if a == b else f"{a}:{b}" for a, b in runs).encode()


def quoted(text: bytes) -> bytes:
    return b'"' + re.sub(rb'(["\\])', rb"\\\1", text) + b'"'


def to_wire(name: str, delimiter: str) -> bytes:
    """A folder's name in modified UTF-7 (RFC 3501 5.1.3), with the server's own delimiter."""
    return re.sub(r"&|[^\x20-\x7e]+", _shift, name.replace("/", delimiter)).encode()


def _shift(match: re.Match[str]) -> str:
    if match[0] == "&":
        return "&-"
    digits = base64.b64encode(match[0].encode("utf-16-be")).decode().rstrip("=")
    return f"&{digits.replace('/', ',')}-"


def from_wire(name: bytes, delimiter: str) -> str:
    """The inverse. Raises NotImap."""

    def unshift(match: re.Match[str]) -> str:
        digits = match[1].replace(",", "/")
        return base64.b64decode(digits + "=" * (-len(digits) % 4)).decode("utf-16-be") if digits else "&"

    try:
        text = re.sub(r"&([A-Za-z0-9+,]*)-", unshift, name.decode("ascii"))
    except ValueError as error:
        raise NotImap("this is no name of a folder") from error
    text = text.replace(delimiter, "/")
    return "INBOX" if text.upper() == "INBOX" else text
