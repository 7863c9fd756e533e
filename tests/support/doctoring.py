"""A fault in a server, planted for real, and what `postroom doctor` makes of it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from postroom.ops.doctor.checkup import Report, chosen_checks, examine
from postroom.ops.doctor.finding import Finding
from tests.support.site import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Plant:
    """Statements that do harm, the check that must notice, and words that its finding must hold."""

    check: str
    says: tuple[str, ...]
    harm: tuple[str, ...]
    leftovers: tuple[str, ...] = ()
    """What the mending leaves behind, such as a table that only the fault needed."""

    @property
    def name(self) -> str:
        return f"{self.check}: {self.harm[0][:60]}"


def examined(store: Store, *checks: str, now: Callable[[], datetime] | None = None) -> Report:
    """With one change to the way of the command line: the process is this one."""
    return examine(store.site, store.settings, chosen_checks(checks), now=now)


def findings(store: Store, *checks: str) -> list[Finding]:
    report = examined(store, *checks)
    assert report.not_made == {}
    return [finding for _, finding in report.findings]


def run_statements(store: Store, statements: Sequence[str]) -> None:
    """As the superuser, each in a transaction of its own."""
    with store.connect("postgres") as connection:
        for each in statements:
            connection.execute(each.encode())


def type_in(store: Store, command: str) -> str:
    """Run a line as it was printed, in a shell that finds the program."""
    folder = str(Path(sys.executable).parent)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("POSTROOM_")}
    env = kept | store.environment | {"PATH": f"{folder}:{os.environ['PATH']}", "EDITOR": "true"}
    done = subprocess.run(["bash", "-euc", command], capture_output=True, text=True, env=env, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


def names_and_mends(store: Store, plant: Plant) -> None:
    """Silent before, named while it is there, and silent after the very command that was printed."""
    assert findings(store, plant.check) == []
    run_statements(store, plant.harm)
    found = [each for each in findings(store, plant.check) if all(word in each.what for word in plant.says)]
    assert found, [each.what for each in findings(store, plant.check)]
    try:
        for each in findings(store, plant.check):
            type_in(store, each.mend)
        assert findings(store, plant.check) == []
    finally:
        run_statements(store, plant.leftovers)
