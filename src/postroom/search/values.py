"""What may stand after a field: each value becomes a node, or an error at its place."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from functools import partial
from typing import Final, NoReturn, TypeAlias

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
_DATES: Final = "2025-01-31, 2025-01, 2025, 7d, 2w, 3m, 1y, today or yesterday"
_SIZES: Final = "500, 10k, 5M, 1.5MB or 1G"


def value_of(field: str, token: Token, clock: Clock) -> Node:
    """What this value asks for in this field; `any` is the field of a bare word."""
    if not token.text.strip() and not token.is_prefix:
        refuse(token, "there is nothing between these quotes")
    return _READERS[field](token, clock)


def check_field(token: Token) -> None:
    """Refuse a field that is not there, and say which one may be meant."""
    if token.text in FIELDS:
        return
    close = difflib.get_close_matches(token.text, FIELDS, n=1)
    hint = f"did you mean {close[0]}:?" if close else "there are " + " ".join(f"{name}:" for name in FIELDS)
    refuse(token, f"there is no field {token.text}: ({hint}); in quotes it is text")


def refuse(token: Token, reason: str, *, offset: int = 0) -> NoReturn:
    raise QuerySyntaxError(position=token.position + offset, reason=reason)


def _text(field: TextField, token: Token, _clock: Clock) -> Node:
    _refuse_star_inside(token, token.text)
    return _match(field, token, runs(token.text))


def _person(field: TextField, token: Token, _clock: Clock) -> Node:
    _refuse_star_inside(token, _without_leading_star(token.text))
    return _match(field, token, lexemes.values_of_name(token.text, is_prefix=token.is_prefix))


def _file(field: TextField, token: Token, _clock: Clock) -> Node:
    _refuse_star_inside(token, _without_leading_star(token.text))
    return _match(field, token, lexemes.values_of_file(token.text))


def _match(field: TextField, token: Token, parts: tuple[str, ...]) -> Match:
    if not parts:
        refuse(token, f"{_shown(token)} has no letter or digit to look for")
    return Match(field=field, parts=parts, is_prefix=token.is_prefix)


def _refuse_star_inside(token: Token, text: str) -> None:
    if token.kind == "word" and "*" in text:
        refuse(token, "a * can only stand at the end of a word", offset=token.text.rindex("*"))


def _without_leading_star(text: str) -> str:
    """`*.pdf` and `*@example.org` say what `.pdf` and `@example.org` say."""
    return text[1:] if text.startswith(("*.", "*@")) else text


def _has(token: Token, _clock: Clock) -> Node:
    if _plain(token) not in ("attachment", "attachments"):
        refuse(token, f"has: knows attachment, not {_shown(token)}")
    return Match(field="has", parts=("attachment",))


def _is(token: Token, _clock: Clock) -> Node:
    state = _STATES.get(_plain(token))
    if state is None:
        refuse(token, f"is: knows {', '.join(_STATES)}, not {_shown(token)}")
    return Is(state=state)


def _in(token: Token, _clock: Clock) -> Node:
    if token.is_prefix:
        refuse(token, "in: takes the name of a folder, without *")
    return In(folder=token.text.strip())


def _before(token: Token, clock: Clock) -> Node:
    return Before(at_ms=_moment(token, clock))


def _after(token: Token, clock: Clock) -> Node:
    return After(at_ms=_moment(token, clock))


def _on(token: Token, clock: Clock) -> Node:
    start, end = _period(token, clock)
    return And(nodes=(After(at_ms=start), Before(at_ms=end)))


def _moment(token: Token, clock: Clock) -> int:
    instant = instant_of(_plain(token), clock)
    return _period(token, clock)[0] if instant is None else instant


def _period(token: Token, clock: Clock) -> tuple[int, int]:
    period = period_of(_plain(token), clock)
    if period is None:
        refuse(token, f"{_shown(token)} is no date; write {_DATES}")
    return period


def _larger(token: Token, _clock: Clock) -> Node:
    return Larger(size_bytes=_size(token))


def _smaller(token: Token, _clock: Clock) -> Node:
    return Smaller(size_bytes=_size(token))


def _size(token: Token) -> int:
    size = bytes_of(_plain(token))
    if size is None:
        refuse(token, f"{_shown(token)} is no size; write {_SIZES}")
    return size


def _plain(token: Token) -> str:
    """A value that is no text: in lower case; a star stays, so that no table or pattern knows it."""
    return token.text.strip().lower() + "*" * token.is_prefix


def _shown(token: Token) -> str:
    text = token.text + "*" * token.is_prefix
    return repr(text if len(text) <= 40 else text[:40] + "…")


_Reader: TypeAlias = Callable[[Token, Clock], Node]
_READERS: Final[dict[str, _Reader]] = {
    "any": partial(_text, "any"),
    "from": partial(_person, "from"),
    "to": partial(_person, "to"),
    "cc": partial(_person, "cc"),
    "bcc": partial(_person, "bcc"),
    "subject": partial(_text, "subject"),
    "body": partial(_text, "body"),
    "filename": partial(_file, "filename"),
    "has": _has,
    "in": _in,
    "is": _is,
    "before": _before,
    "after": _after,
    "on": _on,
    "larger": _larger,
    "smaller": _smaller,
    "list": partial(_person, "list"),
}
FIELDS: Final = tuple(field for field in _READERS if field != "any")
