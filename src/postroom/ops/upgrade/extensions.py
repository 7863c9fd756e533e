"""Extensions that the new version does not come with: they go before the upgrade, where nothing uses them."""

from __future__ import annotations

import psycopg
from psycopg import sql

from postroom.errors import ClusterError
from postroom.ops.backup.count import connected, rows
from postroom.ops.binaries import offers
from postroom.ops.upgrade.compare import QUERIES
from postroom.ops.upgrade.moving import Move
from postroom.ops.upgrade.private import Sockets, private_server, sockets


def drop_unknown(move: Move, where: Sockets, dropped: list[tuple[str, str]]) -> None:
    """`dropped` gets database and name of each that went. Raises ClusterError where something uses one."""
    with connected(where.url("postgres")) as connection:
        databases = [row["name"] for row in rows(connection, QUERIES.databases)]
    for database in databases:
        with connected(where.url(database)) as connection:
            names = [row["name"] for row in rows(connection, QUERIES.extensions)]
            for name in [each for each in names if not offers(move.new, each)]:
                try:
                    connection.execute(sql.SQL("drop extension {}").format(sql.Identifier(name)))
                except psycopg.errors.DependentObjectsStillExist as error:
                    raise ClusterError(
                        reason=f"PostgreSQL {move.new.version} does not come with {name}, which {database} uses.",
                        mend=f"Install it there, or drop what uses it ({error.diag.message_detail or name}).",
                    ) from error
                dropped.append((database, name))


def make_again(move: Move, dropped: list[tuple[str, str]]) -> None:
    """In the old data, which stays in use."""
    if not dropped:
        return
    with sockets(move.user) as where, private_server(move.old_data, move.old, move.user, where):
        for database, name in dropped:
            with connected(where.url(database)) as connection:
                connection.execute(sql.SQL("create extension if not exists {}").format(sql.Identifier(name)))
