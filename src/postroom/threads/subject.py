"""The base subject of RFC 5256 2.1: what is left without Re:, Fwd:, [list] and (fwd)."""

from __future__ import annotations

import re
from typing import NamedTuple

MAX_CHARACTERS = 2000
"""What lies behind does not tell conversations apart, and odd subjects are long."""

_TRAILER = re.compile(r"(?:\s|\(fwd\))+$", re.IGNORECASE)
_LEADER = re.compile(r"(?:\s+|(?:\[[^\[\]]*\]\s*)*(?:re|fwd?)\s*(?:\[[^\[\]]*\])?\s*:)", re.IGNORECASE)
_BLOB = re.compile(r"\[[^\[\]]*\]\s*")


class BaseSubject(NamedTuple):
    text: str
    """Case folded; equal texts are one conversation."""
    is_reply: bool
    """Whether it said Re: or Fwd: in some form."""


def base_subject(subject: str) -> BaseSubject:
    """The base subject, and whether the subject is that of a reply or a forwarded message."""
    text = " ".join(subject[:MAX_CHARACTERS].split())  # RFC 5256 2.1 (1)
    is_reply = False
    while True:
        without = _TRAILER.sub("", text)  # (2)
        is_reply = is_reply or "(fwd)" in text[len(without) :].lower()
        text, had_prefix = _without_prefixes(without)  # (3) to (5)
        is_reply = is_reply or had_prefix
        if not (text.lower().startswith("[fwd:") and text.endswith("]")):
            return BaseSubject(text.casefold(), is_reply)
        text, is_reply = text[5:-1], True  # (6)


def _without_prefixes(text: str) -> tuple[str, bool]:
    is_reply = False
    while True:
        leader = _LEADER.match(text)
        if leader:
            is_reply = is_reply or ":" in leader[0]
            text = text[leader.end() :]
            continue
        blob = _BLOB.match(text)
        if blob and text[blob.end() :]:
            text = text[blob.end() :]
            continue
        return text, is_reply
