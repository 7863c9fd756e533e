"""A query as the database's search function understands it: JSON, with all that is text in one tsquery.

    {"and": […]} {"or": […]} {"not": node} {"all": true} {"ts": tsquery} {"flag": state} {"in": {"name": folder}}
    {"before": ms} {"after": ms} {"larger": bytes} {"smaller": bytes}

A tsquery that a message without any of its words could match would make the GIN index read everything. So texts
are joined into one only where it needs a word to match; a negation alone stays outside, as {"not": {"ts": …}}.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, TypeAlias

from postroom.search.lexemes import is_whole, quoted
from postroom.search.nodes import (
    After,
    And,
    Before,
    Everything,
    In,
    Is,
    Larger,
    Match,
    Node,
    Not,
    Or,
    Smaller,
    TextField,
    wanted,
)
from postroom.search.tokens import Word, phrase

Json: TypeAlias = dict[str, Any]

_ALL: Final[Json] = {"all": True}
_NOTHING: Final[Json] = {"not": _ALL}
_MARKS: Final[dict[TextField, str]] = {
    "any": "",
    "body": "",
    "subject": "s:",
    "from": "f:",
    "to": "t:",
    "cc": "c:",
    "bcc": "b:",
    "filename": "n:",
    "list": "l:",
    "has": "has:",
}
_IN_ORDER: Final = ("any", "body", "subject")


def compiled(node: Node) -> Json:
    """The query as one JSON object."""
    match node:
        case Everything():
            return _ALL
        case Match():
            return {"ts": _tsquery(node)}
        case And(nodes=nodes):
            return _all_of([compiled(each) for each in nodes])
        case Or(nodes=nodes):
            return _any_of([compiled(each) for each in nodes])
        case Not(node=inner):
            return _negated(compiled(inner))
        case Is(state=state):
            return {"flag": state}
        case In(folder=folder):
            return {"in": {"name": folder}}
        case Before(at_ms=at_ms):
            return {"before": at_ms}
        case After(at_ms=at_ms):
            return {"after": at_ms}
        case Larger(size_bytes=size_bytes):
            return {"larger": size_bytes}
        case Smaller(size_bytes=size_bytes):
            return {"smaller": size_bytes}


def ranked_by(node: Node) -> str | None:
    """A tsquery to rank the matches by: every text that is wanted somewhere; None when no text is."""
    texts = [_tsquery(Match(field="any", parts=each.parts, is_prefix=each.is_prefix)) for each in in_text(node)]
    return _joined(" | ", dict.fromkeys(texts)) if texts else None


def in_text(node: Node) -> list[Match]:
    """What a reader should see of the query in a message: wanted words and phrases, from left to right."""
    return [each for each in wanted(node) if each.field in _IN_ORDER]
