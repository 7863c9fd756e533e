"""The server: its settings, its files, its locale, its clock."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from datetime import timedelta

from postroom.ops.doctor.finding import Check, Finding, Severity
from postroom.ops.doctor.patient import QUERIES, Patient, identifier, psql
from postroom.ops.making import last_words
from postroom.ops.server_user import server_user

_SKEW = timedelta(seconds=5)
_NEVER_OFF = {
    "fsync": (Severity.FAULT, "A power cut can leave the database in pieces, and nobody would see it."),
    "full_page_writes": (Severity.FAULT, "A power cut can leave half-written pages that nothing mends."),
    "autovacuum": (
        Severity.FAULT,
        "Dead rows stay, tables swell, and in the end the server takes no more writes.",
    ),
    "track_counts": (Severity.WARNING, "Autovacuum does not know where to go."),
}


def waiting_settings(patient: Patient) -> Iterator[Finding]:
    if names := [row["name"] for row in patient.rows(QUERIES.waiting_settings)]:
        yield Finding(
            severity=Severity.WARNING,
            what=f"{', '.join(names)}: changed, and waiting for a restart",
            why="The server works with the old values, and nobody knows whether it starts with the new ones.",
            mend=patient.restart(),
        )


def wrong_settings(patient: Patient) -> Iterator[Finding]:
    patient.as_superuser()
    rows = patient.rows(QUERIES.wrong_settings)
    for row in rows:
        where = f"{row['file']} line {row['line']}"
        yield Finding(
            severity=Severity.FAULT,
            what=f"{where}: {row['name'] or 'the line'}: {row['error']}",
            why="The server runs with what it read before; it will not start again.",
            mend=f"${{EDITOR:-vi}} +{row['line']} {shlex.quote(row['file'])}",
        )
    yield from _refused_by_the_program(patient, known=len(rows) > 0)


def _refused_by_the_program(patient: Patient, *, known: bool) -> Iterator[Finding]:
    """The view calls a wrong value what it calls one that waits for a restart; the program itself does not."""
    if known or not patient.home:
        return
    user = server_user(patient.home.data)
    done = user.run([patient.program("postgres"), "-D", patient.home.data, "-C", "port"])
    if done.returncode != 0:
        yield Finding(
            severity=Severity.FAULT,
            what=f"The server's files hold what it refuses: {last_words(done.text)}",
            why="The server runs with what it read before; it will not start again.",
            mend=f"cd {shlex.quote(str(patient.home.data))} && grep -sn . extra.conf postgresql.auto.conf  # and mend the line",
        )


def dangerous_settings(patient: Patient) -> Iterator[Finding]:
    for row in patient.rows(QUERIES.settings, names=list(_NEVER_OFF)):
        if row["setting"] == "off":
            severity, why = _NEVER_OFF[row["name"]]
            yield Finding(
                severity=severity,
                what=f"{row['name']} is off",
                why=why,
                mend=psql(f"alter system set {row['name']} = on", "select pg_reload_conf()"),
            )


def checksums(patient: Patient) -> Iterator[Finding]:
    if patient.value("data_checksums") == "off":
        yield Finding(
            severity=Severity.WARNING,
            what="Data checksums are off",
            why="A page that the disk spoiled is read as if it were whole, and comes into every backup.",
            mend=_enable_checksums(patient),
        )


def _enable_checksums(patient: Patient) -> str:
    if not patient.home:
        return (
            'pg_checksums --enable --pgdata="$PGDATA"  # with the server stopped; a provider does it for you'
        )
    user = server_user(patient.home.data)
    command = [str(patient.program("pg_checksums")), "--enable", f"--pgdata={patient.home.data}"]
    if user.is_another:
        command = ["setpriv", f"--reuid={user.uid}", f"--regid={user.gid}", "--clear-groups", *command]
    return f"postroom down && {shlex.join(command)} && postroom up --detach"


def locale(patient: Patient) -> Iterator[Finding]:
    (row,) = patient.rows(QUERIES.folding)
    if not row["folds"]:
        options = "locale_provider builtin builtin_locale 'C.UTF-8' locale 'C.UTF-8'"
        if patient.admin.info.server_version < 170000:
            options = "locale 'C.UTF-8'"
        new = identifier(f"{patient.admin.info.dbname}_utf8")
        statement = f"create database {new} template template0 encoding 'UTF8' {options}"
        yield Finding(
            severity=Severity.WARNING,
            what=f"The locale {row['locale']} does not know that Ä is a large ä",
            why="Folders and names are looked for without regard to case, and ÄRGER is not found as ärger.",
            mend=f"{psql(statement, database='postgres')}  # then pg_dump the old one into it, and change the URL",
        )


def collations(patient: Patient) -> Iterator[Finding]:
    for row in patient.rows(QUERIES.changed_collations):
        name = identifier(row["database"])
        yield Finding(
            severity=Severity.WARNING,
            what=f"The system sorts by version {row['now']} of its rules, and the indexes were written by {row['made_with']}",
            why="An index in the wrong order does not find what is there, and lets a key in twice.",
            mend=psql(f"reindex database {name}", f"alter database {name} refresh collation version"),
        )


def clock(patient: Patient) -> Iterator[Finding]:
    before = patient.now()
    (row,) = patient.rows(QUERIES.clock)
    after = patient.now()
    skew = max(before - row["now"], row["now"] - after)
    if skew > _SKEW:
        yield Finding(
            severity=Severity.WARNING,
            what=f"The clocks of this machine and of the server differ by {skew.total_seconds():.0f} seconds",
            why="Leases of syncs end too early or too late, and mail is dated wrongly.",
            mend="timedatectl set-ntp true  # on the machine whose clock is wrong",
        )


CHECKS = (
    Check("restart-pending", waiting_settings),
    Check("configuration-file", wrong_settings),
    Check("dangerous-setting", dangerous_settings),
    Check("checksums", checksums),
    Check("locale", locale),
    Check("collation-version", collations),
    Check("clock", clock),
)
