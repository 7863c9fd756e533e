"""The server under examination: questions to it, and commands that somebody would type."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import dict_row

from postroom import sql
from postroom.model import Query
from postroom.ops.doctor.finding import NotPossibleError
from postroom.ops.home import Home
from postroom.ops.postmaster import find_postmaster, programs_of
from postroom.ops.provision import Site
from postroom.settings import Settings

Row = dict[str, Any]
QUERIES = sql.queries("doctor")
_LIMITS = "set local statement_timeout = '120s'; set local lock_timeout = '2s'"


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Patient:
    """Asks in read-only transactions, as the administrator or as the login that reads all tenants."""

    site: Site
    settings: Settings
    admin: psycopg.Connection[Row]
    user: str
    is_superuser: bool
    now: Callable[[], datetime] = _utc_now

    def rows(self, query: Query, **parameters: Any) -> list[Row]:
        return _ask(self.admin, query, parameters)

    def rows_of_all_tenants(self, query: Query, **parameters: Any) -> list[Row]:
        """As `email_backup`: row security shows it every tenant, on a managed server too."""
        try:
            connection = connect(self.site.url("email_backup"))
        except psycopg.OperationalError as error:
            raise NotPossibleError("email_backup cannot sign in") from error
        with connection:
            return _ask(connection, query, parameters)

    def value(self, name: str) -> str:
        """A setting of the server; empty where this version has none of that name."""
        rows = self.rows(QUERIES.settings, names=[name])
        return str(rows[0]["setting"]) if rows else ""

    def as_superuser(self) -> None:
        """Raises NotPossibleError for anybody else."""
        if not self.is_superuser:
            raise NotPossibleError("only a superuser may look")

    @property
    def home(self) -> Home | None:
        """The embedded server's; None where the server is somebody else's."""
        return None if self.settings.database_url else Home(self.settings.home)

    def program(self, name: str) -> Path:
        """One of the programs of the embedded server. Raises NotPossibleError where they cannot be told."""
        running = find_postmaster(self.home.data) if self.home else None
        folder = programs_of(running) if running else None
        if folder is None:
            raise NotPossibleError("the programs of the server are not to be found")
        return folder / name

    def restart(self) -> str:
        """The command that starts the server again."""
        if self.home:
            return "postroom down && postroom up --detach"
        return "systemctl restart postgresql  # or as your provider restarts it"

    def log(self) -> str:
        """The command that shows the end of the server's log."""
        if self.home:
            return f"tail -n 20 {shlex.quote(str(self.home.log))}"
        return "journalctl -u postgresql -n 20  # or where your provider shows the server's log"


def psql(*statements: str, role: str = "postgres", database: str = "") -> str:
    """The command that runs statements, each in a transaction of its own."""
    words = ["postroom psql --role", role, "--"]
    if len(statements) > 1:
        words.append("-v ON_ERROR_STOP=1")
    if database:
        words += ["-d", _quoted(database)]
    return " ".join([*words, *(f"-c {_quoted(each)}" for each in statements)])


def _quoted(word: str) -> str:
    """For the shell, and for people: SQL is full of single quotes."""
    return f'"{word}"' if "'" in word and not set(word) & set('"$`\\!') else shlex.quote(word)


def identifier(name: str) -> str:
    """A name as SQL wants it."""
    plain = name.isascii() and name.isidentifier() and name == name.lower()
    return name if plain else '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def connect(url: str) -> psycopg.Connection[Row]:
    return psycopg.Connection[Row].connect(
        url,
        autocommit=True,
        row_factory=dict_row,
        prepare_threshold=None,
        connect_timeout=10,
        application_name="postroom doctor",
    )


def _ask(connection: psycopg.Connection[Row], query: Query, parameters: dict[str, Any]) -> list[Row]:
    with connection.transaction():
        connection.execute(f"set transaction read only; {_LIMITS}".encode())
        return connection.execute(query.text.encode(), parameters).fetchall()
