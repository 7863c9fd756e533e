"""IMAP replies as values: the grammar of RFC 9051 9, read so strictly that a shifted literal never passes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from typing import Any, TypeAlias

from postroom.model import Body

Reply: TypeAlias = "list[Any]"
"""A reply as it came: a line, or line, literal, line, …, line. Lines are bytes, literals are `Body`."""

Token: TypeAlias = Any
"""bytes (an atom or a string), a `Body` (a literal), None (NIL), or a list of tokens."""

_TOKEN = re.compile(
    rb'[ \t]*(?:(?P<open>\()|(?P<close>\))|"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<atom>[^\s()"]+))', re.DOTALL
)
_LITERAL = re.compile(rb"~?\{(\d{1,20})\}\r?\n\Z")
_STATUS_WORDS = (b"* OK", b"* NO", b"* BAD", b"* BYE", b"* PREAUTH")
_CODE = re.compile(rb"\s*\[([^\]]*)\]\s*(.*)", re.DOTALL)
_FLAGS_ONLY = re.compile(
    rb"\* \d+ FETCH \((?:UID (\d+) FLAGS \(([^()]*)\)|FLAGS \(([^()]*)\) UID (\d+))"
    rb"(?: MODSEQ \(\d+\))?\)\r?\n\Z"
)
_DATE = re.compile(rb"([ \d]\d)-([A-Za-z]{3})-(\d{4}) (\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)\Z")
_MONTHS = (b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov", b"dec")
_MONTH = {name: number for number, name in enumerate(_MONTHS, 1)}
_SYSTEM_FLAGS = {
    f"\\{name}".lower(): f"\\{name}" for name in ("Seen", "Flagged", "Answered", "Draft", "Deleted")
}

LARGEST_UID = 2**32 - 1
_SET_BYTES = 8000


class Garbled(ValueError):
    """A reply that does not follow the grammar."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """What one FETCH reply told of a message; None is what it did not tell."""

    uid: int
    flags: frozenset[str] | None
    internal_date: datetime | None
    size: int | None
    body: Body | None
    object_id: str | None = None
    header: bytes | None = None
    part: Body | None = None
    """The piece that was asked for with `BODY.PEEK[]<offset.n>`."""


def literal_size(line: bytes) -> int | None:
    """How many bytes of literal follow this line; status texts are for people and never carry one."""
    if not line.endswith((b"}\r\n", b"}\n")) or line.upper().startswith(_STATUS_WORDS):
        return None
    match = _LITERAL.search(line)
    return int(match[1]) if match else None


def status(line: bytes) -> tuple[bytes, bytes, str]:
    """The word, the response code and the text of `tag OK [CODE] text`, the tag being gone already."""
    word, _, rest = line.strip().partition(b" ")
    match = _CODE.match(rest)
    code, text = (match[1], match[2]) if match else (b"", rest)
    return word.upper(), code, for_people(text)


def for_people(raw: bytes) -> str:
    """What a server said, on one line, printable, without its final stop, at most 200 characters."""
    text = "".join(c if c.isprintable() else " " for c in raw.decode("utf-8", "replace"))
    return " ".join(text.split())[:200].rstrip(".") or "no reason given"


def tokens(reply: Reply) -> list[Token]:
    """The whole reply as nested lists."""
    top: list[Token] = []
    stack = [top]
    for index, piece in enumerate(reply):
        if index % 2:
            stack[-1].append(piece)
        else:
            last = index == len(reply) - 1
            _tokenize(piece if last else piece[: piece.rindex(b"{")].rstrip(b"~"), stack)
    if len(stack) != 1:
        raise Garbled("a parenthesis is never closed")
    return top


def _tokenize(text: bytes, stack: list[list[Token]]) -> None:
    position, end = 0, len(text.rstrip())
    while position < end:
        match = _TOKEN.match(text, position, end)
        if match is None:
            raise Garbled(f"{for_people(text[position : position + 40])!r} is no IMAP")
        position = match.end()
        if match["open"]:
            inner: list[Token] = []
            stack[-1].append(inner)
            stack.append(inner)
        elif match["close"]:
            if len(stack) == 1:
                raise Garbled("a parenthesis is closed that was never opened")
            stack.pop()
        elif match["atom"] is not None:
            stack[-1].append(None if match["atom"].upper() == b"NIL" else match["atom"])
        else:
            stack[-1].append(re.sub(rb"\\(.)", rb"\1", match["quoted"], flags=re.DOTALL))


def fetched(reply: Reply) -> Fetched | None:
    """A FETCH reply that names its UID, or None for any other reply."""
    if b"FETCH" not in reply[0][:24].upper():
        return None
    parsed = tokens(reply)
    if len(parsed) != 4 or parsed[2].upper() != b"FETCH" or not isinstance(parsed[3], list):
        raise Garbled("a FETCH reply is not one list")
    items = attributes(_sections(parsed[3]))
    if b"UID" not in items:
        return None
    date, size, flags = items.get(b"INTERNALDATE"), items.get(b"RFC822.SIZE"), items.get(b"FLAGS")
    header = items.get(b"BODY[HEADER.FIELDS]")
    return Fetched(
        uid=uid_of(items[b"UID"]),
        flags=None if flags is None else flag_set(b" ".join(flags)),
        internal_date=moment(date) if date else None,
        size=number(size) if size else None,
        body=items.get(b"BODY[]"),
        object_id=_object_id(items),
        header=None if header is None else header[0 : len(header)],
        part=next((value for name, value in items.items() if name.startswith(b"BODY[]<")), None),
    )


def _sections(items: list[Token]) -> list[Token]:
    """`BODY[HEADER.FIELDS (MESSAGE-ID DATE)]` as one name: which fields it was about is known."""
    joined: list[Token] = []
    inside = False
    for item in items:
        if inside:
            inside = not (isinstance(item, bytes) and item.endswith(b"]"))
        elif isinstance(item, bytes) and item[:5].upper() == b"BODY[" and b"]" not in item:
            joined.append(item + b"]")
            inside = True
        else:
            joined.append(item)
    return joined


def _object_id(items: dict[bytes, Token]) -> str | None:
    """EMAILID (RFC 8474 5.1) or Gmail's X-GM-MSGID: the same for a message in all its folders."""
    emailid, gmail = items.get(b"EMAILID"), items.get(b"X-GM-MSGID")
    if isinstance(emailid, list) and emailid and isinstance(emailid[0], bytes):
        return emailid[0].decode("latin-1")
    return f"gm:{number(gmail)}" if gmail is not None else None


def flags_of(reply: Reply) -> tuple[int, frozenset[str]] | None:
    """UID and flags of a FETCH reply; the usual spelling takes a short way, 20,000 of them come at once."""
    match = _FLAGS_ONLY.match(reply[0])
    if match:
        return uid_of(match[1] or match[4]), flag_set(match[2] if match[1] else match[3])
    other = fetched(reply)
    return (other.uid, other.flags) if other and other.flags is not None else None


def listed(reply: Reply) -> tuple[set[bytes], bytes | None, bytes] | None:
    """The attributes in lower case, the delimiter and the name of a LIST reply (RFC 9051 7.3.1)."""
    if reply[0][:7].upper() != b"* LIST ":
        return None
    parsed = tokens(reply)
    if len(parsed) < 5 or not isinstance(parsed[2], list):
        raise Garbled("a LIST reply lacks its parts")
    return {word.lower() for word in parsed[2]}, parsed[3], _name(parsed[4])


def statuses(reply: Reply) -> tuple[bytes, dict[bytes, int | str]] | None:
    """The name and the numbers of a STATUS reply (RFC 9051 7.3.4)."""
    if reply[0][:9].upper() != b"* STATUS ":
        return None
    parsed = tokens(reply)
    if len(parsed) != 4 or not isinstance(parsed[3], list):
        raise Garbled("a STATUS reply lacks its parts")
    return _name(parsed[2]), {key: _told(value) for key, value in attributes(parsed[3]).items()}


def _told(value: Token) -> int | str:
    """A number, or an id in parentheses (RFC 8474 4.2)."""
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], bytes):
        return value[0].decode("latin-1")
    return number(value)


def selected(reply: Reply) -> tuple[bytes, int | str | None] | None:
    """One fact of those that EXAMINE answers with (RFC 9051 6.3.2, RFC 7162 3.1.2, RFC 8474 4.1)."""
    words = reply[0].split()
    if len(words) >= 3 and words[2].upper() == b"EXISTS":
        return b"MESSAGES", number(words[1])
    if words[1].upper() != b"OK":
        return None
    key, _, value = status(reply[0][2:])[1].partition(b" ")
    if key.upper() in (b"UIDVALIDITY", b"UIDNEXT", b"HIGHESTMODSEQ"):
        return key.upper(), number(value.strip())
    if key.upper() == b"MAILBOXID":
        return b"MAILBOXID", value.strip(b" ()").decode("latin-1")
    return None


def vanished(reply: Reply) -> list[tuple[int, int]] | None:
    """The ranges of a VANISHED reply (RFC 7162 3.2.10), whether (EARLIER) or not."""
    words = reply[0].split()
    if words[1].upper() != b"VANISHED":
        return None
    return uid_ranges(words[-1])


def uid_ranges(raw: bytes) -> list[tuple[int, int]]:
    """A sequence set as ranges, first and last included; `1:3,7`."""
    ranges = []
    for part in raw.split(b","):
        first, _, last = part.partition(b":")
        one, other = uid_of(first), uid_of(last or first)
        ranges.append((min(one, other), max(one, other)))
    return ranges


def searched(reply: Reply) -> list[tuple[int, int]] | None:
    """The UIDs of a SEARCH or ESEARCH reply (RFC 3501 7.2.5, RFC 9051 7.3.4) as ranges."""
    words = reply[0].split()
    if words[1].upper() == b"SEARCH":
        uids = words[2 : next((at for at, word in enumerate(words) if word.startswith(b"(")), len(words))]
        return [(uid, uid) for uid in map(uid_of, uids)]
    if words[1].upper() != b"ESEARCH":
        return None
    upper = [word.upper() for word in words]
    return uid_ranges(words[upper.index(b"ALL") + 1]) if b"ALL" in upper else []


def _name(token: Token) -> bytes:
    if token is None:
        return b"NIL"  # a folder of that name, given as an atom
    if not isinstance(token, bytes):
        raise Garbled("a folder's name is no string")
    return token


def attributes(pairs: Sequence[Token]) -> dict[bytes, Token]:
    """A list `name value name value …` as a mapping, names in upper case."""
    names = pairs[::2]
    if len(pairs) % 2 or not all(isinstance(name, bytes) for name in names):
        raise Garbled("names and values do not pair")
    return dict(zip((name.upper() for name in names), pairs[1::2], strict=True))


def number(token: Token) -> int:
    """A number of at most 63 bits (RFC 9051 4.2, RFC 7162 3.1)."""
    if not isinstance(token, bytes) or not token.isdigit() or len(token) > 19:
        raise Garbled(f"{token!r:.60} is no number")
    return int(token)


def uid_of(token: Token) -> int:
    """A UID: 1 to 2³²-1 (RFC 9051 2.3.1.1)."""
    uid = number(token)
    if not 1 <= uid <= LARGEST_UID:
        raise Garbled(f"{uid} is no UID")
    return uid


@lru_cache(maxsize=4096)
def flag_set(raw: bytes) -> frozenset[str]:
    """Flags and keywords: system flags in their usual spelling, without `\\Recent`, which is a session's."""
    words = raw.decode("utf-8", "replace").split()
    return frozenset(_SYSTEM_FLAGS.get(word.lower(), word) for word in words if word.lower() != "\\recent")


def moment(raw: bytes) -> datetime | None:
    """An INTERNALDATE (RFC 9051 9, date-time), or None where it is no date."""
    match = _DATE.match(raw)
    if match is None:
        return None
    offset = timedelta(hours=int(match[8]), minutes=int(match[9])) * (-1 if match[7] == b"-" else 1)
    day, month, year = int(match[1]), _MONTH.get(match[2].lower(), 0), int(match[3])
    hour, minute, second = (
        int(match[4]),
        int(match[5]),
        min(int(match[6]), 59),
    )  # a leap second is not for datetime
    try:
        return datetime(year, month, day, hour, minute, second, tzinfo=timezone(offset))
    except ValueError:
        return None


def sequence_set(uids: Iterable[int]) -> bytes:
    """UIDs as a sequence set, runs written as ranges: `1:150,160`."""
    runs: list[list[int]] = []
    for uid in sorted(set(uids)):
        if runs and runs[-1][1] == uid - 1:
            runs[-1][1] = uid
        else:
            runs.append([uid, uid])
    return ",".join(str(a) if a == b else f"{a}:{b}" for a, b in runs).encode()


def sequence_sets(uids: Sequence[int]) -> list[bytes]:
    """The same in several sets, each short enough for one command line (RFC 7162 4: 8,192 octets)."""
    whole = sequence_set(uids)
    if len(whole) <= _SET_BYTES or len(uids) == 1:
        return [whole]
    ordered = sorted(set(uids))
    half = len(ordered) // 2
    return sequence_sets(ordered[:half]) + sequence_sets(ordered[half:])
