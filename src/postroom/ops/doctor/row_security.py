"""Row security: every way to a tenant's rows asks which tenant is set."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from postroom.ops.doctor.finding import Check, Finding, Severity
from postroom.ops.doctor.patient import QUERIES, Patient, identifier, psql

_OF_THE_TENANT = "tenant_id = nullif(current_setting('app.current_tenant_id', true), '')::uuid"
_LAY = "select email_lay_policies()"
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


def missing_policies(patient: Patient) -> Iterator[Finding]:
    for row in patient.rows(QUERIES.missing_policies):
        made = f"create policy {identifier(row['policy'])} on {row['table_name']}"
        statement = (
            _LAY if row["is_laid"] else f"{made} using ({_OF_THE_TENANT}) with check ({_OF_THE_TENANT})"
        )
        yield Finding(
            severity=Severity.FAULT,
            what=f"{row['table_name']} has no {row['policy']}",
            why="Without it row security shows no row to anybody."
            if row["policy"].endswith("_tenant_policy")
            else "Without it a user changes what was shared to be read only.",
            mend=psql(statement),
        )


def calling_policies(patient: Patient) -> Iterator[Finding]:
    for row in patient.rows(QUERIES.calling_policies):
        yield Finding(
            severity=Severity.FAULT,
            what=f"The policy {row['policy']} on {row['table_name']} calls {row['calls']}",
            why="Whoever can change what it calls decides what every tenant sees; it is asked for each row, and no "
            "distributed PostgreSQL takes it.",
            mend=psql(_as_it_was(row)),
        )


def open_policies(patient: Patient) -> Iterator[Finding]:
    for row in patient.rows(QUERIES.open_policies):
        yield Finding(
            severity=Severity.FAULT,
            what=f"The policy {row['policy']} on {row['table_name']} opens it to {row['roles']}, whatever tenant is set",
            why=_OPEN,
            mend=psql(_as_it_was(row)),
        )


def _as_it_was(row: dict[str, Any]) -> str:
    policy, table = identifier(row["policy"]), row["table_name"]
    if not row["is_ours"]:
        return f"drop policy {policy} on {table}"
    return (
        _LAY
        if row["is_laid"]
        else f"alter policy {policy} on {table} using ({_OF_THE_TENANT}) with check ({_OF_THE_TENANT})"
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
    Check("missing-policy", missing_policies),
    Check("policy-calls", calling_policies),
    Check("policy-open", open_policies),
    Check("view-invoker", views_of_others),
    Check("definer-search-path", pathless_definers),
)
