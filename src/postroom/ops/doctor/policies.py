"""Policies: those that the program lays, as it lays them, and none besides that let more be seen."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import errors

from postroom import sql
from postroom.model import Query
from postroom.ops.doctor.finding import Check, Finding, NotPossibleError, Severity
from postroom.ops.doctor.patient import QUERIES, Patient, Row, identifier, psql

_LAY = "select email_lay_policies()"
_LAYING = "create function email_lay_policies("
_OPEN = "Whoever reads the table sees the mail of every tenant."
_BEGIN = (
    "set local lock_timeout = '1s'",
    "set local statement_timeout = '60s'",
    "set local client_min_messages = error",
    "set local search_path = public, pg_temp",
)


def missing_policies(patient: Patient) -> Iterator[Finding]:
    try:
        rows = [row for row in _compared(patient, QUERIES.other_policies) if row["is_missing"]]
    except NotPossibleError as error:
        yield from map(_missing, patient.rows(QUERIES.missing_policies))
        raise NotPossibleError(f"by name alone: {error}") from error
    yield from map(_missing, rows)


def _missing(row: Row) -> Finding:
    hides = row["policy"].endswith("_tenant_policy")
    return Finding(
        severity=Severity.FAULT,
        what=f"{row['table_name']} has no {row['policy']}",
        why="Without it row security shows no row to anybody."
        if hides
        else "Without it somebody sees or changes what is not theirs, or a backup leaves rows out.",
        mend=psql(_LAY),
    )


def changed_policies(patient: Patient) -> Iterator[Finding]:
    """But for those that other checks name."""
    rows = _compared(patient, QUERIES.other_policies)
    named = {_key(row) for query in _NAMED_BY_OTHERS for row in patient.rows(query)}
    for row in rows:
        if row["is_missing"] or _key(row) in named or not (row["is_ours"] or row["is_permissive"]):
            continue
        policy, table = row["policy"], row["table_name"]
        yield Finding(
            severity=Severity.FAULT,
            what=f"The policy {policy} on {table} is not as it was laid"
            if row["is_ours"]
            else f"The policy {policy} on {table} is none of ours, and shows more than ours do",
            why="Who sees and changes which rows hangs on its every word.",
            mend=_as_it_was(row, is_ours=row["is_ours"]),
        )


def calling_policies(patient: Patient) -> Iterator[Finding]:
    for row, mend in _with_mends(patient, QUERIES.calling_policies):
        yield Finding(
            severity=Severity.FAULT,
            what=f"The policy {row['policy']} on {row['table_name']} calls {row['calls']}",
            why="Whoever can change what it calls decides what every tenant sees; it is asked for each row, and no "
            "distributed PostgreSQL takes it.",
            mend=mend,
        )


def open_policies(patient: Patient) -> Iterator[Finding]:
    for row, mend in _with_mends(patient, QUERIES.open_policies):
        yield Finding(
            severity=Severity.FAULT,
            what=f"The policy {row['policy']} on {row['table_name']} opens it to {row['roles']}, whatever tenant is set",
            why=_OPEN,
            mend=mend,
        )


def _with_mends(patient: Patient, query: Query) -> Iterator[tuple[Row, str]]:
    rows = patient.rows(query)
    if not rows:
        return
    try:
        ours = {_key(row) for row in _compared(patient, QUERIES.laid_policies)}
    except NotPossibleError:
        ours = {_key(row) for row in rows if row["is_ours"]}
    for row in rows:
        yield row, _as_it_was(row, is_ours=_key(row) in ours)


def _as_it_was(row: Row, *, is_ours: bool) -> str:
    return psql(_LAY if is_ours else f"drop policy {identifier(row['policy'])} on {row['table_name']}")


def _key(row: Row) -> tuple[str, str]:
    return row["table_name"], row["policy"]


def _compared(patient: Patient, query: Query) -> list[Row]:
    """Ask beside empty copies of all tables, on which all policies were laid. Raises NotPossibleError."""
    try:
        with _copies(patient.admin):
            return patient.admin.execute(query.text.encode(), {}).fetchall()
    except errors.LockNotAvailable as error:
        raise NotPossibleError("somebody keeps a table locked") from error
    except errors.ReadOnlySqlTransaction as error:
        raise NotPossibleError("on a standby the policies cannot be laid to compare them") from error
    except errors.InsufficientPrivilege as error:
        reason = f"{patient.user} may not lay the policies to compare them: {error.diag.message_primary}"
        raise NotPossibleError(reason) from error


@contextmanager
def _copies(connection: psycopg.Connection[Row]) -> Iterator[None]:
    """The function is the program's, not the database's, which may have been changed as well. Nothing of it stays."""
    with connection.transaction(force_rollback=True):
        for each in _BEGIN:
            connection.execute(each.encode())
        for row in connection.execute(QUERIES.copies_of_tables.text.encode(), {}).fetchall():
            connection.execute(row["statement"].encode())
        connection.execute(_function().encode())
        connection.execute(b"select pg_temp.email_lay_policies('pg_temp')")
        yield


def _function() -> str:
    schema = sql.read("init-email-service.sql")
    begin = schema.index(_LAYING)
    text = schema[begin : schema.index("end $$;", begin)] + "end $$"
    return text.replace(_LAYING, "create function pg_temp.email_lay_policies(")


_NAMED_BY_OTHERS = (QUERIES.calling_policies, QUERIES.open_policies)
CHECKS = (
    Check("missing-policy", missing_policies),
    Check("policy-changed", changed_policies),
    Check("policy-calls", calling_policies),
    Check("policy-open", open_policies),
)
