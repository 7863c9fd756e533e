"""Tuning of a server of somebody else's: into its own file, with ALTER SYSTEM, all of it or nothing."""

from __future__ import annotations

from collections.abc import Sequence

import psycopg
from psycopg import sql

from postroom.errors import StoreError, UsageError
from postroom.ops.doctor.patient import Row
from postroom.ops.tuning.compare import QUERIES, Change


def write_settings(connection: psycopg.Connection[Row], changes: Sequence[Change]) -> None:
    """Write what differs. The server looks at each value; when it refuses one, the others are as before."""
    names = [each.name for each in changes]
    _refuse_without_rights(connection, names)
    before = _written(connection, names)
    done: list[str] = []
    for each in changes:
        try:
            connection.execute(
                sql.SQL("alter system set {} = {}").format(
                    sql.Identifier(each.name), sql.Literal(each.proposed)
                )
            )
        except psycopg.Error as error:
            _undo(connection, done, before)
            reason = f"the server refused {each.name} = {each.proposed}: {error.diag.message_primary}; nothing was changed"
            raise StoreError(reason=reason) from error
        done.append(each.name)


def _refuse_without_rights(connection: psycopg.Connection[Row], names: list[str]) -> None:
    user = connection.info.user
    refused = connection.execute(QUERIES.not_allowed.text.encode(), {"names": names}).fetchall()
    rights: list[str] = []
    if refused:
        rights.append(
            f'grant alter system on parameter {", ".join(row["name"] for row in refused)} to "{user}"'
        )
    if not (connection.execute(QUERIES.may_reload.text.encode()).fetchone() or {})["is_allowed"]:
        rights.append(f'grant execute on function pg_reload_conf() to "{user}"')
    if rights:
        reason = f"The user {user} may not change the server's settings. As a superuser: {'; '.join(rights)}"
        raise UsageError(reason=f"{reason}. Or set them where your provider lets you.")


def _written(connection: psycopg.Connection[Row], names: list[str]) -> dict[str, str]:
    try:
        rows = connection.execute(QUERIES.written.text.encode(), {"names": names}).fetchall()
    except psycopg.errors.InsufficientPrivilege:
        return {}
    return {row["name"]: row["setting"] for row in rows}


def _undo(connection: psycopg.Connection[Row], done: Sequence[str], before: dict[str, str]) -> None:
    for name in done:
        statement = sql.SQL("alter system reset {}").format(sql.Identifier(name))
        if name in before:
            statement = sql.SQL("alter system set {} = {}").format(
                sql.Identifier(name), sql.Literal(before[name])
            )
        connection.execute(statement)
