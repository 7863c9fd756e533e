"""What `init-indexes.sql` says of each index: the queries that read it, or the rule that it keeps."""

from __future__ import annotations

import re
from dataclasses import dataclass

from postroom import sql

_INDEX = re.compile(r"((?:^--[^\n]*\n)+)create (?:unique )?index (\w+)", re.MULTILINE)
_QUERIES = re.compile(r"-- (\w+\.\w+(?:, \w+\.\w+)*): ")
_RULES = re.compile(r"-- (Unique|Foreign key): ")


@dataclass(frozen=True, slots=True, kw_only=True)
class Purpose:
    index: str
    queries: tuple[str, ...]
    """`messages.get`; none where the index keeps a rule."""
    rule: str | None


def purposes() -> list[Purpose]:
    """One for each index, in the order of the file. Raises ValueError for one that does not say what it is for."""
    found = []
    for comment, index in _INDEX.findall(sql.read("init-indexes.sql")):
        queries, rule = _QUERIES.match(comment), _RULES.match(comment)
        if not queries and not rule:
            raise ValueError(
                f"{index} does not begin with the queries that it serves, or its rule: {comment}"
            )
        names = tuple(queries[1].split(", ")) if queries else ()
        found.append(Purpose(index=index, queries=names, rule=rule[1] if rule else None))
    return found
