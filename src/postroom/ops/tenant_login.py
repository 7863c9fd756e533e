"""Tenant login: a PostgreSQL login that is one tenant, whatever it sets. For those who want to give SQL to a tenant."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import LiteralString
from urllib.parse import quote, urlencode, urlsplit, urlunsplit

import psycopg
from psycopg import sql

from postroom.errors import StoreError
from postroom.model import TenantId
from postroom.ops.provision import Site
from postroom.store.database import first_line

GROUP = "email_tenant_login"
_LIMITS = {
    "statement_timeout": "30s",
    "lock_timeout": "5s",
    "idle_in_transaction_session_timeout": "60s",
    "default_transaction_read_only": "on",
}
_POWERLESS = "nosuperuser nocreatedb nocreaterole noreplication nobypassrls"


def login_name(tenant_id: TenantId) -> str:
    """The login of a tenant. Every login can read the names of all: so it says nothing of the id that it stands for."""
    return f"email_tenant_{hashlib.sha256(tenant_id.bytes).hexdigest()[:32]}"


def make(site: Site, tenant_id: TenantId) -> str:
    """The URL of the tenant's login, which is made when it is not there and gets a new password each time.

    Raises StoreError.
    """
    name, password = login_name(tenant_id), secrets.token_urlsafe(32)
    with _administrator(site, f"{name} could not be made") as connection, connection.transaction():
        if not _exists(connection, name):
            _create(connection, name)
        scrambled = connection.pgconn.encrypt_password(password.encode(), name.encode(), b"scram-sha-256")
        _run(connection, "alter role {} login password {}", name, sql.Literal(scrambled.decode()))
    parts = urlsplit(site.url("postgres"))
    where = parts.netloc.rpartition("@")[2]
    # The setting stands in the URL: what is set by ALTER ROLE can be read by every login.
    options = urlencode({"options": f"-c app.current_tenant_id={tenant_id}"}, quote_via=quote)
    query = f"{parts.query}&{options}" if parts.query else options
    return urlunsplit(parts._replace(netloc=f"{name}:{password}@{where}", query=query))


def revoke(site: Site, tenant_id: TenantId) -> bool:
    """End the tenant's login, its sessions first. Whether there was one. Raises StoreError."""
    name = login_name(tenant_id)
    with _administrator(site, f"{name} cannot log in any more, but could not be removed") as connection:
        if not _exists(connection, name):
            return False
        _run(connection, "alter role {} nologin", name)
        # An administrator who is no superuser must be a member to end its sessions and to drop what it owns.
        _run(connection, "grant {} to current_user with inherit true", name)
        connection.execute(
            "select pg_terminate_backend(pid, 5000) from pg_stat_activity where usename = %s", [name]
        )
        _run(connection, "drop owned by {}", name)
        _run(connection, "drop role {}", name)
    return True


def _create(connection: psycopg.Connection, name: str) -> None:
    _run(connection, f"create role {{}} {_POWERLESS} connection limit 10", name)
    _run(connection, "grant {} to {} with inherit true, set false", GROUP, sql.Identifier(name))
    _run(connection, "alter role {} set search_path = public, pg_temp", name)
    for setting, value in _LIMITS.items():
        _run(connection, "alter role {} set {} = {}", name, setting, sql.Literal(value))


def _exists(connection: psycopg.Connection, name: str) -> bool:
    return connection.execute("select from pg_roles where rolname = %s", [name]).rowcount == 1


@contextmanager
def _administrator(site: Site, otherwise: str) -> Iterator[psycopg.Connection]:
    try:
        with psycopg.connect(site.url("postgres"), autocommit=True, connect_timeout=10) as connection:
            yield connection
    except psycopg.Error as error:
        raise StoreError(reason=f"{otherwise}: {error.diag.message_primary or first_line(error)}") from error


def _run(connection: psycopg.Connection, statement: LiteralString, *words: str | sql.Composable) -> None:
    """Names are quoted as names."""
    quoted = [sql.Identifier(word) if isinstance(word, str) else word for word in words]
    connection.execute(sql.SQL(statement).format(*quoted))
