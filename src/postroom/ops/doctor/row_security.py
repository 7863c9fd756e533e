"""Row security: every way to a tenant's rows asks which tenant is set."""

from __future__ import annotations

from collections.abc import Iterator

from postroom.ops.doctor.finding import Check, Finding, Severity
from postroom.ops.doctor.patient import QUERIES, Patient, psql

_OPEN = "Whoever reads the table sees the mail of every tenant."


def unforced_tables(patient: Patient) -> Iterator[Finding]:
    for row in patient.rows(QUERIES.unforced_tables):
        table = row["table_name"]
        statements = [f"alter table {table} force row level security"]
        if not row["is_enabled"]:
            statements.insert(0, f"alter table {table} enable row level security")
        yield Finding(
            severity=Severity.FAULT,
            what=f"Row security of {table} is not {'forced' if row['is_enabled'] else 'enabled'}",
            why="Its owner sees the rows of every tenant." if row["is_enabled"] else _OPEN,
            mend=psql(*statements),
        )


def views_of_others(patient: Patient) -> Iterator[Finding]:
    for row in patient.rows(QUERIES.views_of_others):
        view, readers = row["view_name"], row["readers"]
        statement = f"revoke all on {view} from public, {readers}"
        if not row["is_stored"]:
            statement = f"alter view {view} set (security_invoker = true)"
        yield Finding(
            severity=Severity.FAULT,
            what=f"{readers} may read {view}, which is read with the rights of its owner",
            why="Row security asks what the owner may see, not who reads."
            if not row["is_stored"]
            else "Row security does not reach a materialized view: it holds the rows of whoever filled it.",
            mend=psql(statement),
        )


def pathless_definers(patient: Patient) -> Iterator[Finding]:
    for row in patient.rows(QUERIES.pathless_definers):
        yield Finding(
            severity=Severity.FAULT,
            what=f"The function {row['function']} runs with its owner's rights and has no search_path of its own",
            why="The caller chooses where it looks for names, and so what it runs as the owner.",
            mend=psql(f"alter function {row['function']} set search_path = pg_catalog, pg_temp"),
        )


CHECKS = (
    Check("row-security", unforced_tables),
    Check("view-invoker", views_of_others),
    Check("definer-search-path", pathless_definers),
)
