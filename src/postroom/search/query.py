"""The query language: what a person types becomes a small tree. `docs/reference/search.md` describes it.

    any_of  = all_of {("OR" | "|") all_of}
    all_of  = one {["AND"] one}
    one     = {"-" | "NOT"} [field ":"] ("(" any_of ")" | value)
    value   = (word | '"' … '"') ["*"]

A field before a parenthesis is the field of everything in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Final

from postroom.errors import QuerySyntaxError
from postroom.search.measures import Clock
from postroom.search.nodes import And, Everything, Node, Not, Or
from postroom.search.scan import Kind, Token, scan
from postroom.search.values import check_field, refuse, value_of

MAX_CHARACTERS: Final = 10_000
MAX_TERMS: Final = 1_000
MAX_DEPTH: Final = 20
"""Of parentheses. The database has a stack, too."""


def parse(query: str, *, now: datetime, timezone: tzinfo = UTC) -> Node:
    """The tree of a query; an empty one means everything. `now` is aware; days are those of `timezone`.

    Raises QuerySyntaxError with the `position` (from 1) of the character where understanding ends.
    """
    if len(query) > MAX_CHARACTERS:
        reason = f"a query has at most {MAX_CHARACTERS:,} characters, this one {len(query):,}"
        raise QuerySyntaxError(position=MAX_CHARACTERS + 1, reason=reason)
    tokens = scan(query)
    if len(tokens) == 1:
        return Everything()
    return _Parser(tokens=tokens, clock=Clock(now=now, timezone=timezone)).whole()


@dataclass(slots=True, kw_only=True)
class _Parser:
    """Reads the tokens from left to right; each of its methods reads one rule of the grammar."""

    tokens: list[Token]
    clock: Clock
    at: int = 0
    depth: int = 0
    terms: int = 0

    def whole(self) -> Node:
        node = self._any_of("any")
        if self._next.kind == "close":
            refuse(self._next, "this parenthesis closes nothing; in quotes it is text")
        return node

    def _any_of(self, field: str) -> Node:
        nodes = [self._all_of(field)]
        while self._took("or"):
            nodes.append(self._all_of(field))
        return nodes[0] if len(nodes) == 1 else Or(nodes=tuple(nodes))

    def _all_of(self, field: str) -> Node:
        nodes = [self._one(field)]
        while self._took("and") or self._next.kind not in ("or", "close", "end"):
            nodes.append(self._one(field))
        return nodes[0] if len(nodes) == 1 else And(nodes=tuple(nodes))

    def _one(self, field: str) -> Node:
        is_negated = False
        while self._took("not"):
            is_negated = not is_negated
        node = self._positive(field)
        return Not(node=node) if is_negated else node

    def _positive(self, field: str) -> Node:
        if self._next.kind == "field":
            check_field(self._next)
            field = self._take().text
        token = self._take()
        if token.kind == "open":
            return self._group(token, field)
        if token.kind not in ("word", "phrase"):
            refuse(token, _missing(token))
        self.terms += 1
        if self.terms > MAX_TERMS:
            refuse(token, f"a query has at most {MAX_TERMS:,} terms")
        return value_of(field, token, self.clock)

    def _group(self, opened: Token, field: str) -> Node:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            refuse(opened, f"parentheses go at most {MAX_DEPTH} deep")
        node = self._any_of(field)
        if not self._took("close"):
            refuse(opened, "this parenthesis is not closed")
        self.depth -= 1
        return node

    @property
    def _next(self) -> Token:
        return self.tokens[self.at]

    def _take(self) -> Token:
        token = self.tokens[self.at]
        self.at = min(self.at + 1, len(self.tokens) - 1)
        return token

    def _took(self, kind: Kind) -> bool:
        if self._next.kind != kind:
            return False
        self._take()
        return True


def _missing(token: Token) -> str:
    if token.kind == "end":
        return "the query ends where a word is due"
    return f"a word is due before this {token.text}; in quotes it is text"
