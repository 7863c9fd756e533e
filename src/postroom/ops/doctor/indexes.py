"""Indexes and constraints: those that the schema makes are there and whole, and none is kept for nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from postroom import sql
from postroom.ops.doctor.finding import Check, Finding, Severity
from postroom.ops.doctor.patient import QUERIES, Patient, identifier, psql

_STATEMENT = re.compile(r"^create (?:unique )?index (\w+) on .*?;", re.MULTILINE | re.DOTALL)
_LEFT_OVER = re.compile(r"_cc(new|old)\d*$")


@cache
def promised() -> dict[str, str]:
    """The statement that makes each index of the schema, without a lock on its table."""
    found = _STATEMENT.finditer(sql.read("init-indexes.sql"))
    return {
        each[1]: " ".join(each[0].replace(" index ", " index concurrently ", 1)[:-1].split())
        for each in found
    }


def missing_indexes(patient: Patient) -> Iterator[Finding]:
    there = {row["index_name"] for row in patient.rows(QUERIES.index_names)}
    for name, statement in promised().items():
        if name not in there:
            yield Finding(
                severity=Severity.FAULT if " unique " in statement else Severity.WARNING,
                what=f"The index {name} is missing",
                why="It keeps a key unique: without it the same mail can come in twice."
                if " unique " in statement
                else "The query that it serves reads the whole table instead.",
                mend=psql(statement, role="email_owner"),
            )


def invalid_indexes(patient: Patient) -> Iterator[Finding]:
    for row in patient.rows(QUERIES.invalid_indexes):
        name = row["index_name"]
        is_rest = bool(_LEFT_OVER.search(name.strip('"')))
        yield Finding(
            severity=Severity.WARNING,
            what=f"The index {name} on {row['table_name']} is invalid",
            why="Building it was broken off: every write pays for it, and no query reads it.",
            mend=psql(f"{'drop' if is_rest else 'reindex'} index concurrently {name}"),
        )


def unread_indexes(patient: Patient) -> Iterator[Finding]:
    for row in patient.rows(QUERIES.unread_indexes):
        if row["index_name"] not in promised():
            yield Finding(
                severity=Severity.NOTE,
                what=f"Nothing has read the index {row['index_name']}, while {row['table_name']} was read {row['reads']:,} times",
                why="Every write pays for it. It is none of the schema's own.",
                mend=psql(f"drop index concurrently {identifier(row['index_name'])}"),
            )


def same_indexes(patient: Patient) -> Iterator[Finding]:
    for row in patient.rows(QUERIES.same_indexes):
        if row["index_name"] not in promised():
            yield Finding(
                severity=Severity.NOTE,
                what=f"The index {row['index_name']} on {row['table_name']} is {row['how']} as {row['covered_by']}"
                if row["how"] == "the same"
                else f"The index {row['index_name']} on {row['table_name']} is the beginning of {row['covered_by']}",
                why="Every write pays for both, and one would do.",
                mend=psql(f"drop index concurrently {row['index_name']}"),
            )


def unindexed_foreign_keys(patient: Patient) -> Iterator[Finding]:
    for row in patient.rows(QUERIES.unindexed_foreign_keys):
        yield Finding(
            severity=Severity.WARNING,
            what=f"The foreign key {row['foreign_key']} of {row['table_name']} has no index",
            why="Each row deleted on the other side reads the whole table.",
            mend=psql(f"create index concurrently on {row['table_name']} ({row['columns']})"),
        )


def unproved_constraints(patient: Patient) -> Iterator[Finding]:
    for row in patient.rows(QUERIES.unproved_constraints):
        yield Finding(
            severity=Severity.WARNING,
            what=f"The constraint {row['constraint_name']} of {row['table_name']} is not validated",
            why="It holds for new rows; nobody has looked whether it does for the old ones.",
            mend=psql(
                f"alter table {row['table_name']} validate constraint {identifier(row['constraint_name'])}"
            ),
        )


def silent_triggers(patient: Patient) -> Iterator[Finding]:
    for row in patient.rows(QUERIES.silent_triggers):
        yield Finding(
            severity=Severity.FAULT,
            what=f"The trigger {row['trigger']} of {row['table_name']} is switched off",
            why="What it keeps, such as the counters of the folders, is wrong from then on.",
            mend=psql(f"alter table {row['table_name']} enable trigger {identifier(row['trigger'])}"),
        )


CHECKS = (
    Check("missing-index", missing_indexes),
    Check("invalid-index", invalid_indexes),
    Check("unused-index", unread_indexes),
    Check("duplicate-index", same_indexes),
    Check("foreign-key-index", unindexed_foreign_keys),
    Check("constraint", unproved_constraints),
    Check("trigger", silent_triggers),
)
