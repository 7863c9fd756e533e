"""Webhooks: those that are told nothing any more, and what could not be told."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from postroom.ops.doctor.finding import Check, Finding, Severity
from postroom.ops.doctor.patient import QUERIES, Patient


def disabled(patient: Patient) -> Iterator[Finding]:
    for row in patient.rows_of_all_tenants(QUERIES.disabled_webhooks):
        yield Finding(
            severity=Severity.WARNING,
            what=f"The webhook {row['id']} of {row['tenant']} was disabled: {row['reason']}",
            why="Whoever relies on it hears nothing; it keeps its place, and goes on there.",
            mend=f"postroom webhook enable -t {shlex.quote(row['tenant'])} {row['id']}  # when its receiver is well again",
        )


CHECKS = (Check("webhook-disabled", disabled),)
