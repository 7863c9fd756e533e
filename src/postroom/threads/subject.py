"""The base subject of RFC 5256 2.1: what is left without Re:, Fwd:, [list] and (fwd)."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple
from unicodedata import normalize

# The names and the order of the ABNF in RFC 5256 5; the text has single spaces and is in one case already.
_BLOB = r"\[[^\[\]]*\] ?"
_REFWD = rf"(?:RE|FWD?) ?(?:{_BLOB})?:"
_LEADERS = re.compile(rf" ?((?:(?:{_BLOB})*{_REFWD} ?)*)")
_BLOBS = re.compile(rf"(?:{_BLOB})*(?!\Z)")
_TRAILER = "(FWD)"
_FORWARD, _FORWARD_END = "[FWD:", "]"


class BaseSubject(NamedTuple):
    """What a subject is about, and how it came to it."""

    text: str
    """Mapped by i;unicode-casemap: equal texts are the same subject."""
    is_reply: bool
    """Whether it was that of a reply or of a forwarded message (RFC 5256 3)."""


def base_subject(subject: str) -> str:
    """The base subject of a decoded subject, in the one case in which subjects are compared."""
    return analysed(subject).text


def analysed(subject: str) -> BaseSubject:
    """The base subject, and whether a "Re:", "Fwd:" or "(fwd)" was taken from it."""
    text = " ".join(casemap(subject).split())  # RFC 5256 2.1 (1)
    start, end, is_reply = 0, len(text), False
    while True:
        end, was_forwarded = _without_trailers(text, start, end)  # (2)
        leaders = _LEADERS.match(text, start, end)
        blobs = _BLOBS.match(text, leaders.end() if leaders else start, end)
        # (3) to (5): leaders were looked for behind every blob, so none is left when the blobs are gone.
        start = blobs.end() if blobs else leaders.end() if leaders else start
        is_reply = is_reply or was_forwarded or bool(leaders and leaders[1])
        inner = start + len(_FORWARD)
        if not (text.startswith(_FORWARD, start, end) and text.endswith(_FORWARD_END, inner, end)):
            return BaseSubject(text[start:end], is_reply)  # (7)
        start, end, is_reply = inner, end - len(_FORWARD_END), True  # (6)


def _without_trailers(text: str, start: int, end: int) -> tuple[int, bool]:
    was_forwarded = False
    while end > start:
        if text[end - 1] == " ":
            end -= 1
        elif text.endswith(_TRAILER, start, end):
            end, was_forwarded = end - len(_TRAILER), True
        else:
            break
    return end, was_forwarded


def casemap(text: str) -> str:
    """RFC 5051: each character in title case, then taken apart: `Ä` is `A` and its dots."""
    if text.isascii():
        return text.upper()
    return "".join(map(_mapped, text))


@lru_cache(maxsize=4096)
def _mapped(character: str) -> str:
    # RFC 5051 2 has one title case character for each; Python makes two of some, such as "ß".
    title = character.title()
    return normalize("NFKD", title if len(title) == 1 else character)
