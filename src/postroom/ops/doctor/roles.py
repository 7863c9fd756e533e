"""Roles: nobody of the store has more power than it needs."""

from __future__ import annotations

from collections.abc import Iterator

from postroom.ops.doctor.finding import Check, Finding, Severity
from postroom.ops.doctor.patient import QUERIES, Patient, identifier, psql

_PAST_ROW_SECURITY = (
    "Row security does not bind it, or it can make itself so: it reaches the mail of every tenant."
)


def powerful_roles(patient: Patient) -> Iterator[Finding]:
    for row in patient.rows(QUERIES.powerful_roles):
        options = " ".join(f"no{power}" for power in row["powers"])
        yield Finding(
            severity=Severity.FAULT,
            what=f"The role {row['role']} has {', '.join(row['powers'])}",
            why=_PAST_ROW_SECURITY,
            mend=psql(f"alter role {identifier(row['role'])} {options}"),
        )


def memberships(patient: Patient) -> Iterator[Finding]:
    for row in patient.rows(QUERIES.memberships):
        yield Finding(
            severity=Severity.FAULT,
            what=f"The role {row['role']} is a member of {row['other']}",
            why=f"It can do all that {row['other']} can, and nothing of the store needs that.",
            mend=psql(f"revoke {identifier(row['other'])} from {identifier(row['role'])}"),
        )


def loose_grants(patient: Patient) -> Iterator[Finding]:
    for row in patient.rows(QUERIES.loose_grants):
        role = row["role"] if row["role"] == "public" else identifier(row["role"])
        yield Finding(
            severity=Severity.FAULT,
            what=f"{row['role']} has {row['privileges']} on {row['table_name']}",
            why="What PUBLIC has, every login has; and truncate, triggers and foreign keys go past row security.",
            mend=psql(f"revoke {row['privileges']} on {row['table_name']} from {role}", role="email_owner"),
        )


def readers_of_secrets(patient: Patient) -> Iterator[Finding]:
    for row in patient.rows(QUERIES.readers_of_secrets):
        revoked = f"revoke select on email_credentials from {identifier(row['role'])}"  # noqa: S608
        yield Finding(
            severity=Severity.FAULT,
            what=f"{row['role']} may read email_credentials",
            why="The sealed passwords of mail servers are for the workers alone.",
            mend=psql(revoked, role="email_owner"),
        )


def makers(patient: Patient) -> Iterator[Finding]:
    for row in patient.rows(QUERIES.makers):
        role, database = identifier(row["role"]), identifier(row["database"])
        rights: list[tuple[str, str]] = []
        if row["in_schema"]:
            rights.append(
                ("objects in the schema public", f"revoke create on schema public from public, {role}")
            )
        if row["temporary"]:
            rights.append(
                ("temporary tables", f"revoke temporary on database {database} from public, {role}")
            )
        yield Finding(
            severity=Severity.WARNING,
            what=f"{row['role']} may make {' and '.join(what for what, _ in rights)}",
            why="A table or function of one's own is the beginning of most tricks against row security.",
            mend=psql(*(statement for _, statement in rights)),
        )


def strange_owners(patient: Patient) -> Iterator[Finding]:
    for row in patient.rows(QUERIES.strange_owners):
        yield Finding(
            severity=Severity.FAULT,
            what=f"{row['table_name']} belongs to {row['owner']}",
            why="Who owns a table can switch its row security off.",
            mend=psql(f"alter table {row['table_name']} owner to email_owner"),
        )


CHECKS = (
    Check("role-power", powerful_roles),
    Check("role-membership", memberships),
    Check("loose-grant", loose_grants),
    Check("secrets-readable", readers_of_secrets),
    Check("object-making", makers),
    Check("table-owner", strange_owners),
)
