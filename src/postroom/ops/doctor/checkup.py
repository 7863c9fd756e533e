"""The whole examination, in its order. A check that fails is a finding; one that cannot be made is named."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import psycopg
from psycopg import errors

from postroom.errors import PostroomError, UsageError
from postroom.ops.doctor import (
    contents,
    copies,
    doors,
    hooks,
    indexes,
    passwords,
    policies,
    pooling,
    roles,
    row_security,
    server,
    statistics,
    upkeep,
)
from postroom.ops.doctor.finding import Check, Finding, NotPossibleError, Severity
from postroom.ops.doctor.patient import QUERIES, Patient, connect
from postroom.ops.provision import Site
from postroom.settings import Settings
from postroom.store.database import first_line, translated

CHECKS: tuple[Check, ...] = (
    *row_security.CHECKS,
    *policies.CHECKS,
    *roles.CHECKS,
    *passwords.CHECKS,
    *server.CHECKS,
    *doors.CHECKS,
    *statistics.CHECKS,
    *copies.CHECKS,
    *upkeep.CHECKS,
    *indexes.CHECKS,
    *pooling.CHECKS,
    *contents.CHECKS,
    *hooks.CHECKS,
)


@dataclass(slots=True)
class Report:
    """What was found, the worst first; and which checks could not be made, and why."""

    findings: list[tuple[str, Finding]] = field(default_factory=list)
    not_made: dict[str, str] = field(default_factory=dict)

    @property
    def worst(self) -> Severity | None:
        return max((finding.severity for _, finding in self.findings), default=None)


def chosen_checks(names: Sequence[str]) -> list[Check]:
    """The checks of these names, in their order; all of them where none is named. Raises UsageError."""
    known = [each.name for each in CHECKS]
    if unknown := [name for name in names if name not in known]:
        raise UsageError(reason=f"There is no check {unknown[0]!r}; there are {', '.join(known)}.")
    return [each for each in CHECKS if each.name in names or not names]


def examine(
    site: Site, settings: Settings, checks: Sequence[Check], *, now: Callable[[], datetime] | None = None
) -> Report:
    """Make the checks, one after the other. Raises StoreError where the server cannot be asked at all."""
    report = Report()
    with translated("doctor"), connect(site.url("postgres")) as admin:
        who = admin.execute(QUERIES.self.text.encode()).fetchone() or {}
        patient = Patient(
            site=site,
            settings=settings,
            admin=admin,
            user=who["user"],
            is_superuser=who["is_superuser"],
            **({"now": now} if now else {}),
        )
        for check in checks:
            _make(check, patient, report)
    report.findings.sort(key=lambda found: -found[1].severity)
    return report


def _make(check: Check, patient: Patient, report: Report) -> None:
    found: list[tuple[str, Finding]] = []
    try:
        for finding in _each(check, patient):
            found.append((check.name, finding))
    except NotPossibleError as error:
        report.not_made[check.name] = str(error)
    except errors.InsufficientPrivilege as error:
        report.not_made[check.name] = f"{patient.user} may not look: {error.diag.message_primary}"
    except errors.LockNotAvailable:
        report.not_made[check.name] = "somebody keeps a table locked"
    except (psycopg.Error, PostroomError, OSError, ValueError, KeyError, TypeError) as error:
        if patient.admin.closed:
            raise
        found.append((check.name, _failed(check, error)))
    report.findings += found


def _each(check: Check, patient: Patient) -> Iterator[Finding]:
    yield from check.find(patient)


def _failed(check: Check, error: Exception) -> Finding:
    return Finding(
        severity=Severity.WARNING,
        what=f"The check {check.name} itself failed: {first_line(error)}",
        why="Nobody has looked whether this is in order.",
        mend=f"postroom doctor --check {check.name}  # to see whether it fails again",
    )
