"""Copies of the log: the archive, the standbys, the slots."""

from __future__ import annotations

from collections.abc import Iterator

from postroom.ops.doctor.finding import Check, Finding, Severity
from postroom.ops.doctor.patient import QUERIES, Patient, literal, psql

_BEHIND_BYTES = 128 * 1024 * 1024
_BEHIND_SECONDS = 300


def archive(patient: Patient) -> Iterator[Finding]:
    for row in patient.rows(QUERIES.archive):
        if row["state"] == "no command":
            what = "The archive is switched on and has no command"
            mend = psql("show archive_mode", "show archive_command", "show archive_library")
        else:
            what = f"The archive has failed {row['failed']:,} times, last for {row['last_failed_wal']}"
            mend = f"{psql('show archive_command')}; {patient.log()}"
        yield Finding(
            severity=Severity.FAULT,
            what=what,
            why="There is no way back to a time after the last file that was archived; and the log is kept until the "
            "disk is full, where the server stops.",
            mend=f"{mend}  # the log says why; the command must succeed",
        )


def standbys(patient: Patient) -> Iterator[Finding]:
    for row in patient.rows(QUERIES.late_standbys, bytes=_BEHIND_BYTES, seconds=_BEHIND_SECONDS):
        yield Finding(
            severity=Severity.WARNING,
            what=f"The standby {row['standby']} is behind by {(row['behind_bytes'] or 0) >> 20:,} MB"
            + (f" and {row['behind_seconds']} seconds" if row["behind_seconds"] else ""),
            why="What it has not got is lost when this server is; and the log is kept for it.",
            mend="postroom db report --section replication --section slots  # then look at the standby's own log",
        )
    for row in patient.rows(QUERIES.late_replay, seconds=_BEHIND_SECONDS):
        yield Finding(
            severity=Severity.WARNING,
            what=f"This standby replays what was done {row['behind_seconds']} seconds ago",
            why="What is read here is old, and a promotion takes as long as there is log to replay.",
            mend="postroom db report --section long-queries  # a long query holds replay up: max_standby_streaming_delay",
        )


def slots(patient: Patient) -> Iterator[Finding]:
    for row in patient.rows(QUERIES.greedy_slots, bytes=_BEHIND_BYTES):
        name = literal(row["slot_name"])
        is_lost = row["wal_status"] == "lost"
        yield Finding(
            severity=Severity.WARNING,
            what=f"The replication slot {row['slot_name']} has lost its log"
            if is_lost
            else f"Nobody reads the replication slot {row['slot_name']}, which keeps {(row['kept_bytes'] or 0) >> 20:,} MB of log",
            why="Its standby cannot go on, and must be made anew."
            if is_lost
            else "The log is kept until somebody reads it, or the disk is full.",
            mend=f"{psql(f'select pg_drop_replication_slot({name})')}  # if no standby will come back for it",
        )


CHECKS = (Check("archive", archive), Check("standby", standbys), Check("slot", slots))
