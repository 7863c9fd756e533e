"""pg_stat_statements: there for the operator, and for nobody else."""

from __future__ import annotations

from collections.abc import Iterator

from postroom.ops.doctor.finding import Check, Finding, NotPossibleError, Severity
from postroom.ops.doctor.patient import QUERIES, Patient, psql


def statistics(patient: Patient) -> Iterator[Finding]:
    (row,) = patient.rows(QUERIES.statements_extension)
    if not row["is_offered"]:
        raise NotPossibleError("this server does not bring pg_stat_statements along")
    if not row["is_installed"]:
        yield Finding(
            severity=Severity.NOTE,
            what="pg_stat_statements is not installed",
            why="Nobody can tell which statements take the time: postroom db report --section slow-statements.",
            mend=psql("create extension pg_stat_statements"),
        )
        return
    for found in patient.rows(QUERIES.statements_note):
        if "not loaded" in found["note"]:
            yield Finding(
                severity=Severity.NOTE,
                what="pg_stat_statements is installed and not loaded",
                why="Nobody can tell which statements take the time.",
                mend=f"{psql('alter system set shared_preload_libraries = pg_stat_statements')} && {patient.restart()}",
            )


def readers_of_statistics(patient: Patient) -> Iterator[Finding]:
    for row in patient.rows(QUERIES.readers_of_statements):
        yield Finding(
            severity=Severity.WARNING,
            what=f"{row['readers']} may use the {row['kind'].replace('table', 'view')} {row['name']}",
            why="It tells what other tenants ask, how often, and how many rows they have.",
            mend=psql(f"revoke all on {row['kind']} {row['name']} from public, {row['readers']}"),
        )


CHECKS = (
    Check("statements-missing", statistics),
    Check("statements-readable", readers_of_statistics),
)
