"""What may stand after a field: each value becomes a node, or an error at its place."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from typing import Final

from postroom.errors import QuerySyntaxError
from postroom.search import lexemes
from postroom.search.measures import Clock, bytes_of, instant_of, period_of
from postroom.search.nodes import After, And, Before, In, Is, Larger, Match, Node, Smaller, State, TextField
from postroom.search.scan import Token
from postroom.search.tokens import runs

_STATES: Final[dict[str, State]] = {
    "unread": "unread",
    "read": "read",
    "flagged": "flagged",
    "starred": "flagged",
    "draft": "draft",
    "answered": "answered",
}
_ATTACHMENT: Final = ("attachment", "attachments")


def wrong(token: Token, reason: str) -> QuerySyntaxError:
    return QuerySyntaxError(position=token.position, reason=reason)


def value_of(field: str, token: Token, clock: Clock) -> Node:
    """What this value asks for in this field; `any` is the field of a bare word."""
    if not token.text.strip() and not token.is_prefix:
        raise wrong(token, "there is nothing between these quotes")
    return _READERS[field](field, token, clock)


def check_field(token: Token) -> None:
    """Raise where there is no such field, and say which one may be meant."""
    if token.text in FIELDS:
        return
    close = difflib.get_close_matches(token.text, FIELDS, n=1)
    hint = f"did you mean {close[0]}:?" if close else "there are " + " ".join(f"{name}:" for name in FIELDS)
    raise wrong(token, f"there is no field {token.text}: ({hint}); in quotes it is text")


def _words(field: TextField, token: Token, _clock: Clock) -> Node:
    return _match(field, token, runs(_starless(token, token.text)))


def _name(field: TextField, token: Token, _clock: Clock) -> Node:
    _starless(token, _without_leading_star(token.text))
    return _match(field, token, lexemes.values_of_name(token.text, is_prefix=token.is_prefix))


def _file(field: TextField, token: Token, _clock: Clock) -> Node:
    _starless(token, _without_leading_star(token.text))
    return _match(field, token, lexemes.values_of_file(token.text))


def _match(field: TextField, token: Token, parts: tuple[str, ...]) -> Match:
    if not parts:
        raise wrong(token, f"{_shown(token)} has no letter or digit to look for")
    return Match(field=field, parts=parts, is_prefix=token.is_prefix)


def _starless(token: Token, text: str) -> str:
    if token.kind == "word" and "*" in text:
        position = token.position + token.text.rindex("*")
        raise QuerySyntaxError(position=position, reason="a * can only stand at the end of a word")
    return text


def _without_leading_star(text: str) -> str:
    """`*.pdf` and `*@example.org` say what `.pdf` and `@example.org` say."""
    return text[1:] if text.startswith(("*.", "*@")) else text


def _has(field: TextField, token: Token, _clock: Clock) -> Node:
    if _plain(token) not in _ATTACHMENT:
        raise wrong(token, f"has: knows attachment, not {_shown(token)}")
    return Match(field=field, parts=(_ATTACHMENT[0],))


def _is(_field: str, token: Token, _clock: Clock) -> Node:
    state = _STATES.get(_plain(token))
    if state is None:
        raise wrong(token, f"is: knows {', '.join(_STATES)}, not {_shown(token)}")
    return Is(state=state)


def _in(_field: str, token: Token, _clock: Clock) -> Node:
    if token.is_prefix:
        raise wrong(token, "in: takes the name of a folder, without *")
    return In(folder=token.text.strip())


def _before(_field: str, token: Token, clock: Clock) -> Node:
    text = _plain(token)
    instant = instant_of(text, clock)
    return Before(at_ms=_period(token, clock)[0] if instant is None else instant)


def _after(_field: str, token: Token, clock: Clock) -> Node:
    text = _plain(token)
    instant = instant_of(text, clock)
    return After(at_ms=_period(token, clock)[0] if instant is None else instant)


def _on(_field: str, token: Token, clock: Clock) -> Node:
    start, end = _period(token, clock)
    return And(nodes=(After(at_ms=start), Before(at_ms=end)))


def _period(token: Token, clock: Clock) -> tuple[int, int]:
    period = period_of(_plain(token), clock)
    if period is None:
        raise wrong(
            token, f"{_shown(token)} is no date; write 2025-01-31, 2025-01, 2025, 7d, 2w, 3m, 1y, today or yesterday"
        )
    return period


def _larger(_field: str, token: Token, _clock: Clock) -> Node:
    return Larger(size_bytes=_size(token))


def _smaller(_field: str, token: Token, _clock: Clock) -> Node:
    return Smaller(size_bytes=_size(token))


def _size(token: Token) -> int:
    size = bytes_of(_plain(token))
    if size is None:
        raise wrong(token, f"{_shown(token)} is no size; write 500, 10k, 5M, 1.5MB or 1G")
    return size


def _plain(token: Token) -> str:
    """A value that is no text: in lower case; a star stays, so that no table or pattern knows it."""
    return token.text.strip().lower() + "*" * token.is_prefix


def _shown(token: Token) -> str:
    text = token.text + "*" * token.is_prefix
    return repr(text if len(text) <= 40 else text[:40] + "…")


_Reader = Callable[[TextField, Token, Clock], Node]
_READERS: Final[dict[str, _Reader]] = {
    "any": _words,
    "from": _name,
    "to": _name,
    "cc": _name,
    "bcc": _name,
    "subject": _words,
    "body": _words,
    "filename": _file,
    "has": _has,
    "in": _in,
    "is": _is,
    "before": _before,
    "after": _after,
    "on": _on,
    "larger": _larger,
    "smaller": _smaller,
    "list": _name,
}
FIELDS: Final = tuple(field for field in _READERS if field != "any")
