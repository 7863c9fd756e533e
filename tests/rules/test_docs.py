"""What the documents say is there."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

from postroom.settings import Settings
from tests.support.site import Store

ROOT = Path(__file__).parents[2]
COMMANDS = ["up", "down", "status", "url", "psql", "import", "sync", "search", "show", "export", "sample"]


def test_every_setting_is_described() -> None:
    text = (ROOT / "docs/reference/settings.md").read_text()
    for each in fields(Settings):
        assert f"`POSTROOM_{each.name.upper()}`" in text, each.name


def test_every_command_is_described_and_teaches_by_example(store: Store) -> None:
    text = (ROOT / "docs/reference/cli.md").read_text()
    for command in COMMANDS:
        assert f"`postroom {command}" in text, command
        assert "Example:" in store.cli(command, "--help").stdout, command


def test_every_link_between_documents_leads_somewhere() -> None:
    for page in [ROOT / "README.md", *ROOT.glob("docs/**/*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
