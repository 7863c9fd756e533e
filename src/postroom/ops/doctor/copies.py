"""Copies of the log: the archive, the standbys, the slots."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from postroom.errors import BackupError
from postroom.ops import members
from postroom.ops.backup import arrangement, manifest
from postroom.ops.doctor.finding import Check, Finding, Severity
from postroom.ops.doctor.patient import QUERIES, Patient, literal, psql
from postroom.ops.standby.status import status as standby_status

_BEHIND_BYTES = 128 * 1024 * 1024
_BEHIND_SECONDS = 300
_MANY_FILES = 8
_BACKUP_EVERY = timedelta(days=8)
_VERIFY_EVERY = timedelta(days=31)


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


def archive_backlog(patient: Patient) -> Iterator[Finding]:
    if patient.value("archive_mode") == "off":
        return
    (row,) = patient.rows(QUERIES.archive_backlog)
    if row["files"] > _MANY_FILES:
        yield Finding(
            severity=Severity.WARNING,
            what=f"{row['files']:,} files of the log wait to be archived",
            why="What is in them is lost with this machine; and the log is kept until the disk is full.",
            mend=f"{psql('show archive_command')}; {patient.log()}  # the command is too slow, or it fails",
        )


def backups(patient: Patient) -> Iterator[Finding]:
    try:
        plan = arrangement.read(patient.settings.home / arrangement.FILE)
    except FileNotFoundError:
        return
    try:
        place = plan.place()
        place.require_marker()
        found = manifest.read_all(place)
    except BackupError as error:
        yield Finding(
            severity=Severity.FAULT,
            what=f"The backups cannot be reached: {str(error.fields['reason']).rstrip('.')}",
            why="Nothing is backed up, and there may be no way back.",
            mend=f"postroom backup list  # {error.fields['mend']}",
        )
        return
    limit = patient.now() - _BACKUP_EVERY
    if not found or found[-1].finished < limit:
        yield Finding(
            severity=Severity.WARNING,
            what=f"The last backup is of {found[-1].finished:%Y-%m-%d %H:%M}"
            if found
            else "There is no backup yet",
            why="A restore replays all of the log since then, which takes long, and every file of it must be whole.",
            mend="postroom backup",
        )
    elif not any(
        each.verified_at and datetime.fromisoformat(each.verified_at) > patient.now() - _VERIFY_EVERY
        for each in found
    ):
        yield Finding(
            severity=Severity.NOTE,
            what="No backup was verified for a month",
            why="Whether it can be restored is a hope until it was.",
            mend="postroom backup verify",
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


def members_of_the_store(patient: Patient) -> Iterator[Finding]:
    """Standbys that are not even connected, which the primary does not see."""
    known = members.read(patient.home.path) if patient.home else None
    if known and (trouble := standby_status(patient.settings, known).trouble):
        what, _, mend = trouble.partition(": ")
        yield Finding(
            severity=Severity.WARNING,
            what=what,
            why="Without a standby that follows, what this server has is lost with it.",
            mend=mend,
        )


def unconfirmed(patient: Patient) -> Iterator[Finding]:
    for row in patient.rows(QUERIES.unconfirmed):
        mend = "postroom standby status  # start the standby, or let it go: postroom standby remove NAME"
        if not patient.home:
            mend = psql("alter system set synchronous_standby_names = ''", "select pg_reload_conf()")
        yield Finding(
            severity=Severity.FAULT,
            what=f"Commits wait for a standby ({row['names']}), and none is there; {row['waiting']:,} wait now",
            why="Nothing can be written until it comes back, or until nobody waits for it.",
            mend=mend,
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


CHECKS = (
    Check("archive", archive),
    Check("archive-backlog", archive_backlog),
    Check("backup", backups),
    Check("standby", standbys),
    Check("member", members_of_the_store),
    Check("synchronous", unconfirmed),
    Check("slot", slots),
)
