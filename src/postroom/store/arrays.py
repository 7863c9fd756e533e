"""PostgreSQL array literals, for columns that are arrays themselves: `unnest` would flatten an array of arrays."""

from __future__ import annotations

from collections.abc import Iterable


def array_literal(items: Iterable[str]) -> str:
    """`{"a","it\\"s"}` as PostgreSQL reads it (documentation, 8.15.2)."""
    return "{" + ",".join('"' + item.replace("\\", "\\\\").replace('"', '\\"') + '"' for item in items) + "}"
