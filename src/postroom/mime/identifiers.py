"""Identifiers: the ids by which messages and lists name each other (RFC 5322 3.6.4, RFC 2919)."""

from __future__ import annotations

import re

from postroom.mime import charsets
from postroom.mime.headers import decoded, plain

MAX_CHARACTERS = 998
"""No line is longer (RFC 5322 2.1.1), and an id is never folded."""
MAX_FIELD_CHARACTERS = 64 * 1024

_BRACKETED = re.compile(r"<([^<>]*)>")


def message_id(value: str | None) -> str | None:
    """Without the angle brackets, which some senders forget."""
    if not value:
        return None
    text = plain(value)
    found = _BRACKETED.search(text)
    if found:
        return _one(found[1])
    words = text.strip("<>").split()
    return _one(words[0]) if words else None


def message_ids(value: str | None) -> tuple[str, ...]:
    """The ids between angle brackets in their order, each once; phrases between them are ignored."""
    if not value:
        return ()
    text = plain(value)
    if len(text) > MAX_FIELD_CHARACTERS:  # the first id is the thread's, the last ones are the nearest
        text = text[: MAX_FIELD_CHARACTERS // 4] + " " + text[-MAX_FIELD_CHARACTERS * 3 // 4 :]
    ids = (_one(found[1]) for found in _BRACKETED.finditer(text))
    return tuple(dict.fromkeys(each for each in ids if each))


def list_id(value: str | None) -> str | None:
    """RFC 2919 2: an optional phrase, then the identifier between angle brackets; case does not matter."""
    if not value:
        return None
    text = decoded(value)
    found = _BRACKETED.search(text)
    found_id = _one(found[1] if found else text)
    return found_id.lower() if found_id else None


def content_id(value: str | None) -> str | None:
    """RFC 2392: as a `cid:` names it."""
    return _one(plain(value).strip("<>")) if value else None


def _one(inner: str) -> str | None:
    compact = charsets.clean("".join(inner.split()) if not inner.isascii() or " " in inner else inner)
    return compact if 0 < len(compact) <= MAX_CHARACTERS else None
