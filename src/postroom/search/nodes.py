"""The tree of a query: what the parser makes, and the compiler and the highlighter read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

TextField: TypeAlias = Literal["any", "subject", "body", "from", "to", "cc", "bcc", "filename", "list", "has"]
State: TypeAlias = Literal["unread", "read", "flagged", "draft", "answered"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Everything:
    """Every message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """Text in a field: in this order in `any`, `subject` and `body`, each part anywhere in the others."""

    field: TextField
    parts: tuple[str, ...]
    """At least one: folded words (scripts without spaces uncut), or whole addresses, domains, extensions."""
    is_prefix: bool = False
    """The last part may go on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Is:
    state: State


@dataclass(frozen=True, slots=True, kw_only=True)
class In:
    """In the folder of this name (whole, or its last level), or of this type."""

    folder: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Before:
    at_ms: int
    """Received before; milliseconds since 1970 UTC."""


@dataclass(frozen=True, slots=True, kw_only=True)
class After:
    at_ms: int
    """Received then or later; milliseconds since 1970 UTC."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Larger:
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Smaller:
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Not:
    node: Node


@dataclass(frozen=True, slots=True, kw_only=True)
class And:
    nodes: tuple[Node, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Or:
    nodes: tuple[Node, ...]


Node: TypeAlias = Everything | Match | Is | In | Before | After | Larger | Smaller | Not | And | Or


def wanted(node: Node) -> Iterator[Match]:
    """The texts that a match may have because of the query: those under no `Not`, from left to right."""
    match node:
        case Match():
            yield node
        case And(nodes=nodes) | Or(nodes=nodes):
            for each in nodes:
                yield from wanted(each)
        case _:
            pass
