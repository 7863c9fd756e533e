"""SQL is source, kept in files: this loads them. `read("init-indexes.sql")`, `queries("messages").get`."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from types import SimpleNamespace

from postroom.model import Query

INIT_FILES = ("init-email-service.sql", "init-indexes.sql", "init-connection-pooling.sql")
"""What a fresh database gets, in this order."""

_NAME = re.compile(r"^-- name: ([a-z_][a-z0-9_]*)[^\n]*$", re.MULTILINE)


def read(name: str) -> str:
    """The text of a file below this package, such as `init-indexes.sql` or `migrations/0001_first.sql`."""
    return files("postroom.sql").joinpath(*name.split("/")).read_text("utf-8")


def migrations() -> list[str]:
    """The names of the migration files, oldest first: `0001_first.sql`."""
    folder = files("postroom.sql").joinpath("migrations")
    return sorted(entry.name for entry in folder.iterdir() if re.fullmatch(r"\d{4}_\w+\.sql", entry.name))


class Queries(SimpleNamespace):
    """The named statements of one file, as attributes."""

    def __getattr__(self, name: str) -> Query:
        raise AttributeError(f"no query named {name!r}")


@cache
def queries(noun: str) -> Queries:
    """The statements of `queries/<noun>.sql`; each starts with a line `-- name: its_name`."""
    pieces = _NAME.split(read(f"queries/{noun}.sql"))
    named = zip(pieces[1::2], pieces[2::2], strict=True)
    return Queries(
        **{name: Query(name=f"{noun}.{name}", text=text.strip().rstrip(";")) for name, text in named}
    )
