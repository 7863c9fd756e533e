"""Flushing: what was done until now goes to the archive, without waiting for a file of the log to be full."""

from __future__ import annotations

import time

import psycopg

from postroom.errors import BackupError
from postroom.ops.backup.count import QUERIES, Row, connected, rows
from postroom.ops.home import Home
from postroom.ops.postmaster import find_postmaster
from postroom.ops.provision import Site, open_site
from postroom.settings import Settings

_SECONDS = 60


def flush(settings: Settings) -> None:
    """Where the store lives on this machine, archive its log up to now. Raises BackupError when the archive is stuck."""
    if settings.database_url or not find_postmaster(Home(settings.home).data):
        return
    site = open_site(settings)
    with connected(site.url("postgres")) as connection:
        if not rows(connection, QUERIES.identity)[0]["archives"]:
            return
        segment = end_segment(connection)
    wait_for_archive(site, segment)


def end_segment(connection: psycopg.Connection[Row]) -> str:
    """Begin a new file of the log; the name of the one that ended."""
    segment = rows(connection, QUERIES.end_segment)[0]["segment"]
    rows(connection, QUERIES.switch)
    return segment


def wait_for_archive(site: Site, segment: str, before: str = "") -> None:
    """Until this file of the log is in the archive. Raises BackupError when it does not come."""
    deadline = time.monotonic() + _SECONDS
    with connected(site.url("postgres")) as connection:
        rows(connection, QUERIES.switch)
        while (state := rows(connection, QUERIES.archived)[0])["segment"][:24] < segment:
            if time.monotonic() > deadline:
                stuck = state["failed_segment"] or state["segment"] or "its beginning"
                raise BackupError(
                    reason=f"{before}{'t' if before else 'T'}he archive is stuck at {stuck}: {segment} did not come within "
                    f"{_SECONDS} seconds.",
                    mend="See why: postroom doctor --check archive.",
                )
            time.sleep(0.1)
