"""A query as the database's search function understands it: JSON, with all that is text in one tsquery.

    {"and": […]} {"or": […]} {"not": node} {"all": true} {"ts": tsquery} {"flag": state}
    {"in": {"name": folder}} {"before": ms} {"after": ms} {"larger": bytes} {"smaller": bytes}

A tsquery that a message without any of its words could match would make the GIN index read everything. So
texts are joined into one only where it needs a word to match; a negation alone stays {"not": {"ts": …}}.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise
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
    texts = [_tsquery(replace(each, field="any")) for each in in_text(node)]
    return _joined(" | ", dict.fromkeys(texts)) if texts else None


def in_text(node: Node) -> list[Match]:
    """What a reader should see of the query in a message: wanted words and phrases, from left to right."""
    return [each for each in wanted(node) if each.field in _IN_ORDER]


def _all_of(nodes: Iterable[Json]) -> Json:
    flat = [each for each in _flat("and", nodes) if each != _ALL]
    if _NOTHING in flat:
        return _NOTHING
    texts = [each["ts"] for each in flat if "ts" in each]
    if not texts:
        return _only("and", flat) if flat else _ALL
    without = [f"!({each['not']['ts']})" for each in flat if _is_negated_text(each)]
    others = [each for each in flat if "ts" not in each and not _is_negated_text(each)]
    return _only("and", [{"ts": _joined(" & ", [*texts, *without])}, *others])


def _any_of(nodes: Iterable[Json]) -> Json:
    flat = [each for each in _flat("or", nodes) if each != _NOTHING]
    if _ALL in flat:
        return _ALL
    texts = [each["ts"] for each in flat if "ts" in each]
    others = [each for each in flat if "ts" not in each]
    found = [{"ts": _joined(" | ", texts)}, *others] if texts else others
    return _only("or", found) if found else _NOTHING


def _negated(node: Json) -> Json:
    return node.get("not", {"not": node})


def _flat(kind: str, nodes: Iterable[Json]) -> list[Json]:
    """The same nodes; where one is itself of this kind, what it holds."""
    return [inner for node in nodes for inner in node.get(kind, [node])]


def _only(kind: str, nodes: list[Json]) -> Json:
    return nodes[0] if len(nodes) == 1 else {kind: nodes}


def _is_negated_text(node: Json) -> bool:
    return "not" in node and "ts" in node["not"]


def _joined(operator: str, texts: Iterable[str]) -> str:
    """Several tsqueries as one; those with operators of their own in parentheses."""
    texts = list(texts)
    if len(texts) == 1:
        return texts[0]
    return operator.join(f"({text})" if " " in text and not text.startswith("!") else text for text in texts)


def _tsquery(match: Match) -> str:
    mark = _MARKS[match.field]
    weight = "D" if match.field == "body" else ""
    if match.field in _IN_ORDER:
        return _phrase(phrase(match.parts, is_prefix=match.is_prefix), mark, weight)
    last = len(match.parts) - 1
    values = [
        word
        for index, part in enumerate(match.parts)
        for word in _value(part, is_prefix=match.is_prefix and index == last)
    ]
    return " & ".join(_lexeme(word, mark, weight) for word in values)


def _value(part: str, *, is_prefix: bool) -> tuple[Word, ...]:
    return (Word(text=part, is_prefix=is_prefix),) if is_whole(part) else phrase((part,), is_prefix=is_prefix)


def _phrase(words: tuple[Word, ...], mark: str, weight: str) -> str:
    """`'one' <-> 'two'`; a larger step where a run of a script without spaces ends."""
    text = _lexeme(words[0], mark, weight)
    for before, word in pairwise(words):
        text += f" <{word.place - before.place}> {_lexeme(word, mark, weight)}"
    return text


def _lexeme(word: Word, mark: str, weight: str) -> str:
    label = "*" * word.is_prefix + weight
    return quoted(mark + word.text) + (f":{label}" if label else "")
