"""doctor: one page of what is wrong, why it matters, and the command that mends it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from postroom.cli.frame import JsonOption, app, as_typed, chosen, print_json, say

if TYPE_CHECKING:
    from postroom.ops.doctor.checkup import Report
    from postroom.ops.doctor.finding import Finding

_EXIT_CODES = {"warning": 11, "fault": 12}
_STYLES = {"note": "cyan", "warning": "yellow", "fault": "bold red"}


@app.command()
def doctor(
    check: Annotated[
        list[str] | None, typer.Option("--check", "-c", help="Only this one; may be given again.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """What is wrong with the database, why it matters, and the command that mends it. Says nothing when all is well.

    Exit code 0 with nothing but notes, 11 with warnings, 12 with faults.

    Example:  postroom doctor
    """
    from postroom.ops.doctor.checkup import chosen_checks, examine
    from postroom.ops.provision import open_site

    checks = chosen_checks(check or [])
    report = examine(open_site(chosen(), tell=say), chosen(), checks)
    worst = report.worst.name.lower() if report.worst else None
    if as_json:
        print_json(_as_json(report, worst))
    else:
        _show(report, made=len(checks) - len(report.not_made))
    if worst in _EXIT_CODES:
        raise typer.Exit(_EXIT_CODES[worst])


def _as_json(report: Report, worst: str | None) -> dict[str, Any]:
    return {
        "worst": worst,
        "findings": [
            {
                "severity": finding.severity.name.lower(),
                "check": name,
                "what": finding.what,
                "why": finding.why,
                "mend": as_typed(finding.mend),
            }
            for name, finding in report.findings
        ],
        "not_checked": [{"check": name, "reason": reason} for name, reason in report.not_made.items()],
    }


def _show(report: Report, *, made: int) -> None:
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=True)
    for _, finding in report.findings:
        _show_one(console, finding)
    if report.not_made:
        names = ", ".join(f"{name} ({reason})" for name, reason in report.not_made.items())
        console.print(f"Not checked: {names}", style="dim", markup=False)
    elif not report.findings and sys.stdout.isatty():
        say(f"Nothing is wrong: {made} checks.")


def _show_one(console: Any, finding: Finding) -> None:
    from rich.text import Text

    name = finding.severity.name.lower()
    console.print(Text(f"{name:<8}", style=_STYLES[name]) + Text(finding.what, style="bold"))
    console.print(Text(f"        {finding.why}"))
    console.print(Text(f"        {as_typed(finding.mend)}\n", style="green"))
