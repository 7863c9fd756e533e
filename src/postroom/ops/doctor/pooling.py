"""Pooling: what stands between us and the server, told by what it does and not by its name."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import psycopg

from postroom.ops.doctor.finding import Check, Finding, Severity
from postroom.ops.doctor.patient import QUERIES, Patient, Row, connect

_TRIES = 3


def session_pooling(patient: Patient) -> Iterator[Finding]:
    """A backend older than the connection that it serves was somebody else's before: there is a pooler.

    In transaction mode another client gets it while we are still connected; in session mode only when we have gone.
    """
    if patient.home:
        return
    url = patient.site.url("email_service")
    (row,) = patient.rows(QUERIES.clock)
    before: datetime = row["now"]
    with connect(url) as first:
        found = [_backend(first, before) for _ in range(_TRIES)]
        with connect(url) as second:
            found += [_backend(second, before) for _ in range(_TRIES)]
            of_first = {each["pid"] for each in found[:_TRIES]}
            of_second = {each["pid"] for each in found[_TRIES:]}
            if of_first & of_second or len(of_first) > 1 or len(of_second) > 1:
                return  # a transaction at a time
    with connect(url) as third:
        found.append(_backend(third, before))
    outlived = found[-1]["pid"] in of_first | of_second
    if outlived or any(each["is_older"] for each in found):
        yield Finding(
            severity=Severity.WARNING,
            what="The pooler of POSTROOM_DATABASE_URL gives each client a session of its own",
            why="As many clients as the pool is large, and the next one waits; what one leaves in a session, another finds.",
            mend="sed -i 's/^pool_mode.*/pool_mode = transaction/' /etc/pgbouncer/pgbouncer.ini && systemctl reload pgbouncer",
        )


def _backend(connection: psycopg.Connection[Row], before: datetime) -> Row:
    row = connection.execute(QUERIES.backend.text.encode(), {"before": before}).fetchone()
    return row or {"pid": None, "is_older": False}


CHECKS = (Check("session-pooling", session_pooling),)
