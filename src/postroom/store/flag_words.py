"""Flags and keywords that people may set: those that any server can be told of."""

from __future__ import annotations

import re
from collections.abc import Iterable

from postroom.errors import UsageError

_FLAGS = {each.lower(): each for each in ("\\Seen", "\\Flagged", "\\Answered", "\\Draft")}
"""Of RFC 9051 2.3.2, without `\\Deleted`, which `intents.delete` is for."""
_KEYWORD = re.compile(r"[!#$&'+,\-./0-9:;<=>?@A-Z^_`a-z|~\[]{1,100}")
"""An atom of RFC 9051 9."""


def checked(words: Iterable[str]) -> frozenset[str]:
    """System flags in their usual spelling, and keywords. Raises UsageError."""
    return frozenset(_checked(each) for each in words)


def _checked(word: str) -> str:
    if word.startswith("\\"):
        if word.lower() in _FLAGS:
            return _FLAGS[word.lower()]
        raise UsageError(reason=f"{word} is no flag to be set; there are {', '.join(_FLAGS.values())}.")
    if not _KEYWORD.fullmatch(word):
        raise UsageError(
            reason=f"{word!r} is no keyword: it has 1 to 100 letters, digits and signs of ASCII, without spaces,"
            " brackets, quotes, %, * and backslash."
        )
    return word
