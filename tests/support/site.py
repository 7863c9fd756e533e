"""A whole store for tests: an embedded server of its own, migrated, and the command line on it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from postroom.ops.cluster import Cluster
from postroom.ops.provision import Site, open_site
from postroom.settings import Settings, load

_NOT_OURS = ("POSTROOM_", "PYTHONDONTWRITEBYTECODE")
"""What of the environment a test's program does not get."""


class Store:
    """A running store. `cli(...)` is the program as a user types it; `environment` holds its settings."""

    def __init__(self, home: Path, **environment: str) -> None:
        self.home = home
        self.environment = {"POSTROOM_HOME": str(home)} | environment
        self.settings: Settings = load(self.environment)
        self.site: Site = open_site(self.settings)

    def cli(
        self, *arguments: str, stdin: str = "", check: bool = True, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        program = [sys.executable, "-c", "from postroom.cli import main; main()", *arguments]
        kept = {name: value for name, value in os.environ.items() if not name.startswith(_NOT_OURS)}
        env = kept | self.environment | environment
        done = subprocess.run(program, input=stdin, capture_output=True, text=True, env=env, check=False)
        assert "Traceback" not in done.stderr, done.stderr
        if check:
            assert done.returncode == 0, done.stderr
        return done

    def json(self, *arguments: str, **options: Any) -> Any:
        return json.loads(self.cli(*arguments, "--json", **options).stdout)

    def tenant(self) -> str:
        """The name of a tenant that nobody else has."""
        name = f"t{uuid4().hex[:12]}"
        self.cli("tenant", "create", name)
        return name

    def connect(self, role: str) -> psycopg.Connection[Any]:
        return psycopg.connect(self.site.url(role), autocommit=True)


@contextmanager
def home_of_its_own() -> Iterator[Path]:
    """A POSTROOM_HOME; whatever runs in it at the end is stopped."""
    # Not below pytest's own folders: the server runs as another user than root and must be able to get there.
    folder = Path(tempfile.mkdtemp(prefix="postroom-test-", dir="/tmp"))
    folder.chmod(0o755)
    try:
        yield folder / "home"
    finally:
        Cluster(folder / "home").stop()
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def running_store(**environment: str) -> Iterator[Store]:
    with home_of_its_own() as home:
        yield Store(home, **environment)


@pytest.fixture(scope="session")
def store() -> Iterator[Store]:
    with running_store() as found:
        yield found
