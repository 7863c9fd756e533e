"""Fitness: whether a PostgreSQL server of somebody's own can hold the store, said before anything is made."""

from __future__ import annotations

import psycopg

from postroom.errors import ServerUnfit
from postroom.ops.binaries import MAJORS

_ROLES = [
    "email_owner",
    "email_service",
    "email_worker",
    "email_search",
    "email_tenant_login",
    "email_readonly",
    "email_backup",
    "email_monitor",
    "email_replication",
]
_MAY_MAKE_ROLES = "select rolsuper, rolcreaterole from pg_roles where rolname = current_user"
# Roles are the whole server's. With PostgreSQL 16 a CREATEROLE user rules only those that it made or was given.
_OF_OTHERS = """
select rolname
from pg_roles
where rolname = any (%s)
  and not pg_has_role(oid, 'member with admin option')
order by rolname
"""


def is_empty(connection: psycopg.Connection, where: str) -> bool:
    """Whether the schema is still to be made here.

    Raises ServerUnfit for a server that is too old, a database that is not UTF-8, or a user without the rights.
    """
    version = connection.info.server_version // 10000
    if version < MAJORS[0]:
        mend = f"Use PostgreSQL {MAJORS[0]} or newer."
        raise ServerUnfit(where=where, reason=f"it is PostgreSQL {version}", mend=mend)
    encoding = connection.info.parameter_status("server_encoding")
    if encoding != "UTF8":
        reason = f"the database {connection.info.dbname} is {encoding}, and mail needs UTF8"
        mend = "Name a database that is not there yet in POSTROOM_DATABASE_URL: it is made as it must be."
        raise ServerUnfit(where=where, reason=reason, mend=mend)
    if connection.execute("select to_regclass('public.email_schema_migrations')").fetchall()[0][0]:
        return False
    _refuse_without_rights(connection, where)
    return True


def _refuse_without_rights(connection: psycopg.Connection, where: str) -> None:
    user = connection.info.user
    ((is_superuser, may_make_roles),) = connection.execute(_MAY_MAKE_ROLES).fetchall()
    if is_superuser:
        return
    if not may_make_roles:
        reason = f"the user {user} may not make the roles that keep tenants apart"
        mend = f"Use a superuser, or as one: alter role {user} createrole."
        raise ServerUnfit(where=where, reason=reason, mend=mend)
    if others := [row[0] for row in connection.execute(_OF_OTHERS, [_ROLES])]:
        names = ", ".join(others)
        reason = f"the roles {names} are there, and another user than {user} made them"
        mend = f"As that user: grant {names} to {user} with admin option."
        raise ServerUnfit(where=where, reason=reason, mend=mend)
