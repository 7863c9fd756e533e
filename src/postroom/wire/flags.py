"""Flags: the same few facts in the words of IMAP, the letters of Maildir and the header fields of mbox."""

from __future__ import annotations

import re
from collections.abc import Mapping

_MAILDIR = {"D": "\\Draft", "F": "\\Flagged", "R": "\\Answered", "S": "\\Seen", "T": "\\Deleted"}
"""The letters behind `:2,` (https://cr.yp.to/proto/maildir.html); the sixth, P, is a keyword to IMAP."""

_STATUS = {"R": "\\Seen", "D": "\\Deleted", "F": "\\Flagged", "A": "\\Answered", "T": "\\Draft"}
"""The letters of Status and X-Status as mutt, Pine and Dovecot write them; O (old) says nothing to IMAP."""

_MOZILLA = {0x1: "\\Seen", 0x2: "\\Answered", 0x4: "\\Flagged", 0x8: "\\Deleted"}
"""The bits of X-Mozilla-Status; 0x8 is a message that was deleted before the folder was compacted."""
_MOZILLA_FORWARDED = 0x1000
FORWARDED = "$Forwarded"  # RFC 9051 2.3.2

_FIELD = re.compile(
    rb"^(Status|X-Status|X-Mozilla-Status|X-Mozilla-Keys|X-Keywords):[ \t]*([^\r\n]*(?:\r?\n[ \t][^\r\n]*)*)",
    re.MULTILINE,
)
_KEYWORD = re.compile(r"[!#$&'+,\-./0-9:;<=>?@A-Z^_`a-z|~\[]+")
"""An atom of RFC 9051 9: anything else could not be sent back to a server."""

Flags = tuple[frozenset[str], frozenset[str]]
"""Flags and keywords."""


def from_maildir(letters: str, keywords: Mapping[str, str] | None = None) -> Flags:
    """The letters behind `:2,`; small ones mean what the file `dovecot-keywords` beside them says."""
    flags = frozenset(_MAILDIR[letter] for letter in letters if letter in _MAILDIR)
    words = {(keywords or {}).get(letter, "") for letter in letters} | (
        {FORWARDED} if "P" in letters else set()
    )
    return flags, frozenset(words - {""})


def to_maildir(
    flags: frozenset[str], keywords: frozenset[str] = frozenset(), letters: Mapping[str, str] | None = None
) -> str:
    """The inverse, in ASCII order as the format demands; `letters` maps other keywords to small letters."""
    found = {letter for letter, flag in _MAILDIR.items() if flag in flags}
    found |= {"P"} if FORWARDED in keywords else set()
    return "".join(sorted(found | {(letters or {}).get(word, "") for word in keywords}))


def from_header(header: bytes) -> Flags:
    """What a message in an mbox says of itself, in Status, X-Status, X-Keywords and Thunderbird's fields."""
    if b"Status:" not in header and b"Key" not in header:
        return frozenset(), frozenset()
    fields = {name: value.decode("ascii", "replace") for name, value in _FIELD.findall(header)}
    letters = fields.get(b"Status", "") + fields.get(b"X-Status", "")
    bits = _bits(fields.get(b"X-Mozilla-Status", ""))
    flags = {_STATUS[letter] for letter in letters if letter in _STATUS}
    flags |= {flag for bit, flag in _MOZILLA.items() if bits & bit}
    words = f"{fields.get(b'X-Keywords', '')} {fields.get(b'X-Mozilla-Keys', '')}".split()
    keywords = {word for word in words if _KEYWORD.fullmatch(word)}
    return frozenset(flags), frozenset(keywords | ({FORWARDED} if bits & _MOZILLA_FORWARDED else set()))


def _bits(text: str) -> int:
    try:
        return int(text.strip() or "0", 16)
    except ValueError:
        return 0
