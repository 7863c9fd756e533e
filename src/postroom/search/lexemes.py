"""Lexemes of fields: what a message is found by under `from:`, `filename:` and `list:`.

Each is the field's letter, a colon, and a folded value: `f:alice@example.org`, `f:example.org`, `n:.pdf`. No
word of a text has a colon, so the two never meet.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from postroom.search.fold import fold
from postroom.search.tokens import WORD_LENGTH, runs, words

VALUE_LENGTH: Final = 255
"""Longer values are cut, in messages and in queries: at most 1,020 bytes, where PostgreSQL takes 2,046."""

SUBJECT: Final = "s:"
PEOPLE: Final = ("f:", "t:", "c:", "b:")
"""From, To, Cc, Bcc."""
FILENAME: Final = "n:"
LIST: Final = "l:"
HAS_ATTACHMENT: Final = "has:attachment"

_SUFFIXES: Final = 10
_AROUND: Final = "<>()[],;:\"'"


def quoted(lexeme: str) -> str:
    """A lexeme as a literal of tsvector or tsquery: both double quotes and backslashes (PostgreSQL 8.11)."""
    return "'" + lexeme.replace("\\", "\\\\").replace("'", "''") + "'"


@lru_cache(maxsize=4096)
def person(mark: str, name: str, address: str) -> tuple[str, ...]:
    """Quoted lexemes for one mailbox: the address, every end of its domain, the local part, all words."""
    address = fold(address.strip()[:VALUE_LENGTH])
    local, _, domain = address.rpartition("@")
    values = [address, local, *_ends(domain), *_ends(_readable(domain)), *words(local or address)]
    values += words(name)
    values += [initials.strip("._" + _AROUND) for initials in fold(name).split() if "." in initials]
    return _marked(mark, values)


@lru_cache(maxsize=4096)
def mailbox_words(name: str, address: str) -> tuple[str, ...]:
    """What a plain word finds a mailbox by, in the order as written."""
    return (*words(name), *words(address))


@lru_cache(maxsize=1024)
def file(name: str) -> tuple[str, ...]:
    """Quoted lexemes for a file name: its words and its extension."""
    return _marked(FILENAME, [*words(name), _extension(fold(name))])


@lru_cache(maxsize=1024)
def mailing_list(list_id: str) -> tuple[str, ...]:
    """Quoted lexemes for a list identifier (RFC 2919): every end of it, and its words."""
    name = fold(list_id.strip()[:VALUE_LENGTH])
    return _marked(LIST, [*_ends(name), *words(name)])


def values_of_name(value: str, *, is_prefix: bool) -> tuple[str, ...]:
    """What a query for a person or a list asks for: each must be there."""
    found: list[str] = []
    for piece in fold(value).split():
        name = piece.strip(_AROUND).lstrip("*@.")
        if not is_prefix:
            name = name.rstrip("@.")
        found += [name[:VALUE_LENGTH]] if is_whole(name) else runs(name)
    return tuple(found)


def values_of_file(value: str) -> tuple[str, ...]:
    """What a query for a file name asks for: its words, and the extension where it begins with one."""
    pattern = fold(value.strip()).lstrip("*")
    if pattern.startswith("."):
        found = (*runs(pattern[: pattern.rfind(".")]), _extension(pattern))
        return tuple(filter(None, found))
    return runs(pattern)


def is_whole(value: str) -> bool:
    """Whether this is an address, a domain or an extension: one lexeme, not words."""
    return "@" in value or "." in value


def _marked(mark: str, values: list[str]) -> tuple[str, ...]:
    return tuple(quoted(mark + value[:VALUE_LENGTH]) for value in dict.fromkeys(values) if value)


def _ends(domain: str) -> list[str]:
    """`mail.example.org`, `example.org`, `org`."""
    labels = domain.split(".")
    return [domain, *(".".join(labels[-count:]) for count in range(min(len(labels), _SUFFIXES), 0, -1))]


def _readable(domain: str) -> str:
    """A domain of RFC 5890 in its own letters; as it is where it cannot be read."""
    if "xn--" not in domain:
        return domain
    try:
        labels = [
            label[4:].encode("ascii").decode("punycode") if label.startswith("xn--") else label
            for label in domain.split(".")
        ]
    except UnicodeError:
        return domain
    return fold(".".join(labels))


def _extension(name: str) -> str:
    _, dot, extension = name.rpartition(".")
    return dot + extension[:WORD_LENGTH] if dot and extension else ""
