"""Where the matrix runs: PostgreSQL 16, 17 and 18, each direct and through a pooler, with three tenants in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote, unquote, urlsplit, urlunsplit
from uuid import UUID

import psycopg
import pytest

from postroom.model import TenantId
from postroom.ops.provision import LOGINS
from postroom.ops.tenant_login import make
from tests.leaks.catalog import Catalog, Connection
from tests.leaks.fill import OWN, fill
from tests.leaks.matrix import SHARED, Matrix, Opened
from tests.leaks.outcome import Visit
from tests.support.majors import MAJORS, programs_of
from tests.support.pgbouncer import running_bouncer
from tests.support.site import Store, running_store

COPY = "scratch"
_PASSWORD = "leaks"
"""Of the logins that the program gives none to."""


class Place:
    """A store with three tenants (fill.py), and every login's way in."""

    def __init__(self, store: Store) -> None:
        self.store = store
        with self.superuser() as connection:
            fill(connection, Catalog(connection))
            make(store.site, TenantId(UUID(OWN.id)))
            self.catalog = Catalog(connection)
            self.logins = [name for name in self.catalog.logins if _may_connect(connection, name)]
            for login in set(self.logins) - set(LOGINS):
                connection.execute(f"alter role {login} password '{_PASSWORD}'".encode())

    def url(self, login: str, database: str | None = None) -> str:
        url = self.store.site.url(login if login in LOGINS else "postgres")
        parts = urlsplit(url)
        netloc = parts.netloc
        if login not in (*LOGINS, "postgres"):
            netloc = f"{quote(login)}:{_PASSWORD}@{netloc.rpartition('@')[2]}"
        return urlunsplit(parts._replace(netloc=netloc, path=f"/{database}" if database else parts.path))

    def superuser(self, database: str | None = None) -> Connection:
        return psycopg.connect(self.url("postgres", database), autocommit=True)

    def passwords(self) -> dict[str, str]:
        return {
            login: unquote(urlsplit(self.url(login)).password or "") for login in (*self.logins, "postgres")
        }

    @contextmanager
    def copy_with(self, plant: str) -> Iterator[None]:
        """The database `COPY`, with the three tenants in it and a hole."""
        with psycopg.connect(self.url("postgres", "postgres"), autocommit=True) as connection:
            connection.execute(f"create database {COPY} template email_service".encode())
            connection.execute(f"revoke all on database {COPY} from public".encode())
            connection.execute(f"grant connect on database {COPY} to {', '.join(self.logins)}".encode())
            try:
                with self.superuser(COPY) as copy:
                    copy.execute(plant.encode())
                yield
            finally:
                connection.execute(f"drop database {COPY} with (force)".encode())

    @contextmanager
    def direct(self, database: str | None = None) -> Iterator[Matrix]:
        """Who comes next has the very connection of who was there before."""
        with self.superuser(database) as owner, _Connections() as connections:

            def opened(login: str) -> Opened:
                visit = connections.visit(self.url(login, database))
                return visit, visit

            yield Matrix(owner, opened)

    @contextmanager
    def pooled(self) -> Iterator[Matrix]:
        """Two clients of a pooler that has one connection."""
        with (
            running_bouncer(self.url("postgres"), self.passwords()) as bouncer,
            self.superuser() as owner,
            _Connections() as connections,
        ):

            def opened(login: str) -> Opened:
                url = bouncer.url(self.url(login))
                return connections.visit(url), connections.visit(url)

            yield Matrix(owner, opened, SHARED)


class _Connections:
    """Closes what was opened."""

    def __init__(self) -> None:
        self._open: list[Connection] = []

    def __enter__(self) -> _Connections:
        return self

    def __exit__(self, *_: object) -> None:
        for connection in self._open:
            connection.close()

    def visit(self, url: str) -> Visit:
        connection = psycopg.connect(url, autocommit=True)
        self._open.append(connection)
        return Visit(connection)


def _may_connect(connection: Connection, login: str) -> bool:
    row = connection.execute(
        b"select has_database_privilege(%s, current_database(), 'connect')", [login]
    ).fetchone()
    return bool(row and row[0])


@pytest.fixture(scope="session", params=MAJORS, ids=lambda major: f"postgresql-{major}")
def each_place(request: pytest.FixtureRequest) -> Iterator[Place]:
    with running_store(POSTROOM_POSTGRES_BIN=str(programs_of(request.param))) as store:
        yield Place(store)


@pytest.fixture(scope="session")
def place() -> Iterator[Place]:
    """On one major, for what does not depend on it."""
    with running_store() as store:
        yield Place(store)
