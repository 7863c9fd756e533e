"""What the documents say is there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

from postroom.settings import Settings
from tests.support.backups import kept_store
from tests.support.site import Store, home_of_its_own

ROOT = Path(__file__).parents[2]
COMMANDS = [
    *(
        "up",
        "down",
        "status",
        "url",
        "psql",
        "import",
        "sync",
        "worker",
        "search",
        "show",
        "export",
        "sample",
        "purge",
        "doctor",
        "tune",
        "verify",
        "serve",
        "mcp",
        "key create",
    ),
    *("mark", "move", "copy", "folder create", "pending", "account record", "webhook add", "webhook replay"),
    *(
        "backup",
        "backup enable",
        "backup list",
        "backup verify",
        "backup prune",
        "backup point",
        "backup extract",
    ),
    *("backup disable", "restore", "drill"),
    *("standby create", "standby status", "standby promote", "standby switchover", "standby rejoin"),
    *("standby remove", "upgrade"),
    *("message delete", "hold add", "audit list", "tenant suspend", "tenant retention"),
    *("tenant export", "tenant import", "tenant erase", "report verify", "report key"),
]


def test_every_setting_is_described() -> None:
    text = (ROOT / "docs/reference/settings.md").read_text()
    for each in fields(Settings):
        assert f"`POSTROOM_{each.name.upper()}`" in text, each.name


def test_every_command_is_described_and_teaches_by_example(store: Store) -> None:
    text = (ROOT / "docs/reference/cli.md").read_text()
    for command in COMMANDS:
        assert f"`postroom {command}" in text or f"`{command}" in text, command
        assert "Example:" in store.cli(*command.split(), "--help").stdout, command


def test_every_standard_that_the_source_names_is_listed() -> None:
    listed = set(re.findall(r"\b\d{4}\b", (ROOT / "docs/reference/standards.md").read_text()))
    for path in [*ROOT.glob("src/**/*.py"), *ROOT.glob("src/**/*.sql")]:
        for number in re.findall(r"RFC (\d+)", path.read_text()):
            assert number in listed, f"{path.name} names RFC {number}"


def test_the_quickstart_runs_as_it_stands(tmp_path: Path) -> None:
    lines = "\n".join(re.findall(r"```sh\n(.*?)```", (ROOT / "docs/quickstart.md").read_text(), re.DOTALL))
    with home_of_its_own() as home:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", lines],
            cwd=tmp_path,
            env=os.environ
            | {
                "POSTROOM_HOME": str(home),
                "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            },
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    assert "400 stored, 0 already there" in done.stdout
    assert "Invoice" in done.stdout
    assert '"is_flagged":true' in done.stdout
    assert '"kind":"updated","object_type":"message"' in done.stdout
    assert (tmp_path / "out").exists()


def test_the_how_to_on_moving_and_erasing_runs_as_it_stands(store: Store, tmp_path: Path) -> None:
    store.cli("tenant", "create", "acme")
    store.cli("sample", str(tmp_path / "box"), "--messages", "20")
    store.cli("import", "-t", "acme", "-a", "me@example.com", str(tmp_path / "box"))
    text = (ROOT / "docs/howto/move-or-erase-a-tenant.md").read_text()
    lines = "\n".join(re.findall(r"```sh\n(.*?)```", text, re.DOTALL))
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", lines],
        cwd=tmp_path,
        env=os.environ | store.environment | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("is what key") == 2
    assert "acme" not in store.cli("tenant", "list").stdout


def test_the_how_to_on_backups_runs_as_it_stands() -> None:
    text = (ROOT / "docs/howto/back-up-and-restore.md").read_text()
    lines = "\n".join(re.findall(r"```sh\n(.*?)```", text, re.DOTALL))
    with kept_store() as kept:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", lines],
            cwd=kept.folder,
            env=os.environ
            | kept.store.environment
            | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("It can be restored") == 3
    assert "Markers" in done.stdout
    restored = done.stdout.split("holds everything as of")[1]
    assert "acme" in restored
    assert "a-mistake" not in restored
    assert "is refused" in done.stdout


def test_the_sql_of_the_documents_runs(store: Store) -> None:
    """As the application's login."""
    text = (ROOT / "docs/howto/read-mail-with-sql.md").read_text()
    with store.connect("email_service") as connection:
        for block in re.findall(r"```sql\n(.*?)```", text, re.DOTALL):
            connection.execute(block)


def test_every_link_between_documents_leads_somewhere() -> None:
    for page in [ROOT / "README.md", *ROOT.glob("docs/**/*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
