"""Pooling: what stands between us and the server, told by what it does and not by its name."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime

import psycopg

from postroom.ops.doctor.finding import Check, Finding, Severity
from postroom.ops.doctor.patient import QUERIES, Patient, Row, connect

_TRIES = 3
_PAUSE_SECONDS = 0.1


def session_pooling(patient: Patient) -> Iterator[Finding]:
    """A backend that has served somebody before is a pooler's.

    In transaction mode another client gets it while we are still connected; in session mode only when we have gone.
    """
    if patient.home:
        return
    if _gives_sessions(patient.site.url("email_monitor"), patient.rows(QUERIES.clock)[0]["now"]):
        yield Finding(
            severity=Severity.WARNING,
            what="The pooler of POSTROOM_DATABASE_URL gives each client a session of its own",
            why="As many clients as the pool is large, and the next one waits; what one leaves in a session, another finds.",
            mend="sed -i 's/^pool_mode.*/pool_mode = transaction/' /etc/pgbouncer/pgbouncer.ini && systemctl reload pgbouncer",
        )


def _gives_sessions(url: str, before: datetime) -> bool:
    with connect(url) as first:
        of_first = [_backend(first, before) for _ in range(_TRIES)]
        try:
            with connect(url) as second:
                of_second = [_backend(second, before) for _ in range(_TRIES)]
        except psycopg.errors.ConnectionTimeout:
            return True  # it waits until the first one goes
    one, other = ({row["pid"] for row in each} for each in (of_first, of_second))
    if one & other or len(one) > 1 or len(other) > 1:
        return False  # a transaction at a time
    if any(row["is_older"] for row in (*of_first, *of_second)):
        return True
    return any(_serves_again(url, before, one | other) for _ in range(_TRIES))


def _serves_again(url: str, before: datetime, known: set[int]) -> bool:
    """Whether a backend of those that have gone serves again; a pooler needs a moment to make it ready."""
    time.sleep(_PAUSE_SECONDS)
    with connect(url) as another:
        return _backend(another, before)["pid"] in known


def _backend(connection: psycopg.Connection[Row], before: datetime) -> Row:
    row = connection.execute(QUERIES.backend.text.encode(), {"before": before}).fetchone()
    return row or {"pid": None, "is_older": False}


CHECKS = (Check("session-pooling", session_pooling),)
