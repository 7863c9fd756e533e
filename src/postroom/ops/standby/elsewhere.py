"""Elsewhere: the standbys of a server of one's own, as that server sees them."""

from __future__ import annotations

import psycopg
from psycopg.rows import dict_row

from postroom.ops.standby.asking import QUERIES, Row
from postroom.store.database import translated


def followers_of(url: str) -> list[Row]:
    """Who streams from it. Raises StoreError."""
    with (
        translated("standbys"),
        psycopg.Connection[Row].connect(url, autocommit=True, row_factory=dict_row) as connection,
    ):
        return connection.execute(QUERIES.followers.text.encode()).fetchall()
