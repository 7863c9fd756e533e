"""Statements of `sql/queries/` as the server sees them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import psycopg

from postroom import sql
from postroom.model import Query

NOUNS = sorted(path.stem for path in Path(sql.__file__).parent.glob("queries/*.sql"))
OF_OPERATORS = {"backup", "catalog", "doctor", "ops", "standby", "system", "tune", "upgrade"}
"""What these ask is the server's business, with no tenant set."""
OF_TENANTS = [noun for noun in NOUNS if noun not in OF_OPERATORS]


def prepare(connection: psycopg.Connection[Any], query: Query) -> None:
    """Let the server parse a statement with its tables and types, as it would for a driver. Nothing is run."""
    numbers: dict[str, int] = {}

    def numbered(found: re.Match[str]) -> str:
        return f"${numbers.setdefault(found[1], len(numbers) + 1)}"

    text = re.sub(r"%\((\w+)\)[sb]", numbered, query.text)
    connection.execute(f"prepare one as {text}".encode())
    connection.execute(b"deallocate one")
