"""Finds documents as the database does: every tsvector and tsquery is read and compared by PostgreSQL."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from postroom.model import Address
from postroom.search import Document, Node, compiled, parse, tsvector

NOW = datetime(2025, 3, 31, 12, 30, tzinfo=UTC)

_MATCHES = "select %s::tsvector @@ %s::tsquery"
_CONDITION = "select email_search_condition(%s)"


class Finder:
    def __init__(self, connection: psycopg.Connection) -> None:
        self.connection = connection

    def finds(self, query: str, document: Document) -> bool:
        """Whether a query about text and people finds this document."""
        return self.holds(parse(query, now=NOW), document)

    def holds(self, node: Node, document: Document) -> bool:
        return self._is_true(compiled(node), tsvector(document).literal)

    def condition(self, query: str) -> str | None:
        """What the database's own search function makes of it; an error where it does not understand."""
        return self.value(_CONDITION, Jsonb(compiled(parse(query, now=NOW))))

    def value(self, statement: str, *parameters: Any) -> Any:
        row = self.connection.execute(statement.encode(), parameters or None).fetchone()
        assert row is not None
        return row[0]

    def _is_true(self, node: dict[str, Any], literal: str) -> bool:
        ((kind, value),) = node.items()
        match kind:
            case "ts":
                return self.value(_MATCHES, literal, value)
            case "and":
                return all(self._is_true(each, literal) for each in value)
            case "or":
                return any(self._is_true(each, literal) for each in value)
            case "not":
                return not self._is_true(value, literal)
            case "all":
                return True
        raise AssertionError(f"{kind} asks for more than words")


def text(words: str) -> Document:
    return Document(text=words)


def people(*written: str) -> tuple[Address, ...]:
    """Mailboxes written as `Name <address>`."""
    pairs = [one.rstrip(">").rpartition("<") for one in written]
    return tuple(Address(name=name.strip(), address=address) for name, _, address in pairs)
