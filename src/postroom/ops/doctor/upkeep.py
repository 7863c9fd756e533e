"""Upkeep: dead rows, old transactions, connections, the disk."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

from postroom.ops.doctor.finding import Check, Finding, NotPossibleError, Severity
from postroom.ops.doctor.patient import QUERIES, Patient, literal, psql
from postroom.ops.postmaster import last_postmaster
from postroom.store.moves import PROGRAM

_MOST_CONNECTIONS = 0.8
_LONG_SECONDS = 3600
_LITTLE_BYTES = 1024**3
_NOTHING_BYTES = 256 * 1024**2


def bloat(patient: Patient) -> Iterator[Finding]:
    for row in patient.rows(QUERIES.bloated_tables):
        is_full = row["advice"].startswith("VACUUM FULL")
        yield Finding(
            severity=Severity.WARNING,
            what=f"{row['table_name']} has {row['dead_rows']:,} dead rows beside {row['live_rows']:,} living ones",
            why="Every scan reads them too, and the disk fills up.",
            mend=psql(f"vacuum ({'full, ' if is_full else ''}analyze) {row['table_name']}")
            + ("  # in a quiet hour: the table is locked meanwhile" if is_full else ""),
        )


def autovacuum_off(patient: Patient) -> Iterator[Finding]:
    for row in patient.rows(QUERIES.unvacuumed_tables):
        yield Finding(
            severity=Severity.WARNING,
            what=f"Autovacuum passes {row['table_name']} over",
            why="Its dead rows stay, and its statistics grow old.",
            mend=psql(f"alter table {row['table_name']} reset (autovacuum_enabled)"),
        )


def planner(patient: Patient) -> Iterator[Finding]:
    for row in patient.rows(QUERIES.unknown_tables):
        yield Finding(
            severity=Severity.WARNING,
            what=f"{row['table_name']} has {row['rows']:,} rows and was never analysed",
            why="The planner takes it for empty, and reads it the slow way.",
            mend=psql(f"analyze {row['table_name']}"),
        )


def wraparound(patient: Patient) -> Iterator[Finding]:
    for row in patient.rows(QUERIES.old_databases):
        yield Finding(
            severity=Severity.FAULT if row["used_percent"] > 50 else Severity.WARNING,
            what=f"The database {row['database']} has not been frozen for {row['age']:,} transactions",
            why="Autovacuum does not come through with it; at two thousand million the server takes no more writes.",
            mend=psql("vacuum (freeze)", database=row["database"]),
        )


def connections(patient: Patient) -> Iterator[Finding]:
    (row,) = patient.rows(QUERIES.connections_used)
    if row["used"] > _MOST_CONNECTIONS * row["allowed"]:
        yield Finding(
            severity=Severity.WARNING,
            what=f"{row['used']} of {row['allowed']} connections are in use",
            why="The next ones are refused, and with them mail and people.",
            mend="postroom db kill-idle --older-than 10min  # then: postroom db report --section connections",
        )


def open_transactions(patient: Patient) -> Iterator[Finding]:
    for row in patient.rows(QUERIES.open_transactions, seconds=_LONG_SECONDS, mover=PROGRAM):
        if row["is_move"]:
            yield Finding(
                severity=Severity.NOTE,
                what=f"A tenant is being brought in or taken out for {row['seconds'] // 60} minutes (session {row['pid']})",
                why="It is one transaction, all or nothing; no dead row that is younger can be taken away meanwhile.",
                mend="postroom db report --section connections  # wait for it: what ends it makes it begin anew",
            )
            continue
        yield Finding(
            severity=Severity.WARNING,
            what=f"Session {row['pid']} of {row['user']} has held a transaction open for {row['seconds'] // 60} minutes",
            why="No dead row that is younger can be taken away, and its locks stay.",
            mend=psql(f"select pg_terminate_backend({row['pid']})"),
        )
    for row in patient.rows(QUERIES.forgotten_transactions, seconds=_LONG_SECONDS):
        yield Finding(
            severity=Severity.WARNING,
            what=f"The prepared transaction {row['gid']} was never ended",
            why="No dead row that is younger can be taken away, and its locks stay, over a restart too.",
            mend=psql(f"rollback prepared {literal(row['gid'])}", database=row["database"]),
        )


def disk(patient: Patient) -> Iterator[Finding]:
    (row,) = patient.rows(QUERIES.sizes)
    data = Path(row["folder"])
    running = last_postmaster(data)
    if running is None or running.port != patient.admin.info.port:
        raise NotPossibleError("the server's disk is not this machine's to look at")
    for folder in (data, data / "pg_wal"):
        free = shutil.disk_usage(folder).free
        if free < max(_LITTLE_BYTES, row["largest_bytes"]):
            yield Finding(
                severity=Severity.FAULT if free < _NOTHING_BYTES else Severity.WARNING,
                what=f"There are {free >> 20:,} MB left for {folder}",
                why="Without space for its log the server stops."
                if free < _NOTHING_BYTES
                else "Rebuilding the largest table needs as much as it takes, and the log grows up to max_wal_size.",
                mend=f"df -h {shlex.quote(str(folder))} && du -xh --max-depth=2 {shlex.quote(str(data))} | sort -h | tail  # free some",
            )
            return


CHECKS = (
    Check("bloat", bloat),
    Check("autovacuum-off", autovacuum_off),
    Check("never-analysed", planner),
    Check("wraparound", wraparound),
    Check("connections", connections),
    Check("open-transaction", open_transactions),
    Check("disk", disk),
)
