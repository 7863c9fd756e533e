"""A server of one's own, named by POSTROOM_DATABASE_URL: the same store, and one sentence where it cannot be one."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from tests.support.majors import programs_of
from tests.support.needs import require
from tests.support.own_server import OwnServer, own_server

Cli = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def server() -> Iterator[OwnServer]:
    with own_server(programs_of(17), "--locale=C", "--encoding=UTF8") as found:
        yield found


@pytest.fixture
def empty(server: OwnServer) -> Iterator[OwnServer]:
    """The server with users of every kind, and without a trace of ours when the test has ended."""
    rights = {
        "managed": "createrole createdb",
        "other": "createrole createdb",
        "builder": "createdb",
        "weak": "",
    }
    server.run(*(f"create role {user} login password 'secret' {may}" for user, may in rights.items()))
    yield server
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        rows = connection.execute("select datname from pg_database where datname !~ '^(postgres|template.)$'")
        server.run(*(f"drop database {row[0]} with (force)" for row in rows.fetchall()))
        rows = connection.execute("select rolname from pg_roles where rolname !~ '^(pg_|boss)'")
        server.run(*(f"drop role {row[0]}" for row in rows.fetchall()))


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    """The program on a machine that has nothing of ours yet."""

    def run(url: str, *arguments: str, home: str = "new/home") -> subprocess.CompletedProcess[str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("POSTROOM_")}
        env = kept | {"POSTROOM_HOME": str(tmp_path / home), "POSTROOM_DATABASE_URL": url}
        program = [sys.executable, "-c", "from postroom.cli import main; main()", *arguments]
        done = subprocess.run(program, capture_output=True, text=True, check=False, env=env)
        assert "Traceback" not in done.stderr, done.stderr
        return done

    return run


@pytest.mark.parametrize("user", ["boss", "managed"])
def test_the_journey_works_for_a_superuser_and_for_the_administrator_of_a_managed_server(
    empty: OwnServer, cli: Cli, tmp_path: Path, user: str
) -> None:
    url = empty.url() if user == "boss" else empty.url(user=user, password="secret")
    journey = [
        (["up"], "Ready:"),
        (["tenant", "create", "acme"], "acme is there"),
        (["sample", str(tmp_path / "box"), "--messages", "20"], "20 messages"),
        (["import", "-t", "acme", "-a", "me@example.com", str(tmp_path / "box")], "20 stored"),
        (["search", "-t", "acme", "invoice"], "Invoice"),
        (["status"], "me@example.com"),
        (["tenant", "login", "acme"], "postgresql://email_tenant_"),
        (["tenant", "login", "acme", "--revoke"], "is ended"),
        (["up"], "not ours to keep"),
    ]
    for arguments, expected in journey:
        done = cli(url, *arguments)
        assert done.returncode == 0, done.stderr
        assert expected in done.stdout + done.stderr
    login = cli(url, "url").stdout.strip()
    with psycopg.connect(login) as connection:
        assert connection.info.user == "email_service"
        assert connection.execute("select count(*) from email_messages").fetchall() == [(0,)]


def test_a_second_machine_does_not_lock_the_first_one_out_unless_it_is_told_to(
    empty: OwnServer, cli: Cli, tmp_path: Path
) -> None:
    url = empty.url()
    assert cli(url, "status").returncode == 0
    _refused(cli(url, "status", home="second"), "copy that file from the machine that set them")
    assert cli(url, "status").returncode == 0
    (tmp_path / "third").mkdir()
    (tmp_path / "third" / "secrets.json").write_text((tmp_path / "new/home/secrets.json").read_text())
    assert cli(url, "status", home="third").returncode == 0
    assert cli(url, "up", home="second").returncode == 0
    assert cli(url, "status", home="second").returncode == 0
    _refused(cli(url, "status"), "postroom up")


def test_a_server_of_ones_own_is_not_ours_to_stop(server: OwnServer, cli: Cli) -> None:
    done = cli(server.url(), "down")
    assert (done.returncode, "not ours to stop" in done.stderr) == (2, True)
    server.run("select 1")


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"password": "wrong"}, 'password authentication failed for user "boss"'),
        ({"user": "stranger"}, 'password authentication failed for user "stranger"'),
    ],
)
def test_a_sign_in_that_is_refused_is_one_sentence(
    server: OwnServer, cli: Cli, changed: dict[str, str], sentence: str
) -> None:
    _refused(cli(server.url(**changed), "status"), f"127.0.0.1:{server.port} cannot be reached: {sentence}")


@pytest.mark.parametrize(
    ("where", "sentence"),
    [
        ("127.0.0.1:1", "127.0.0.1:1 cannot be reached: Connection refused"),
        ("no.such.host.invalid", "no.such.host.invalid:5432 cannot be reached: failed to resolve host"),
    ],
)
def test_a_server_that_is_not_there_is_one_sentence(cli: Cli, where: str, sentence: str) -> None:
    _refused(cli(f"postgresql://boss:x@{where}/", "status"), sentence)


def test_a_url_of_something_else_is_one_sentence(cli: Cli) -> None:
    done = cli("mysql://boss:x@127.0.0.1/", "status")
    assert (done.returncode, "write postgresql://" in done.stderr) == (2, True)


@pytest.mark.parametrize(
    ("user", "sentence"),
    [
        ("weak", "create database email_service encoding 'UTF8' template template0"),
        ("builder", "alter role builder createrole"),
    ],
)
def test_rights_that_are_missing_are_named(empty: OwnServer, cli: Cli, user: str, sentence: str) -> None:
    _refused(cli(empty.url(user=user, password="secret"), "up"), sentence)


def test_roles_that_another_administrator_made_are_asked_for(empty: OwnServer, cli: Cli) -> None:
    other = empty.url("second", user="other", password="secret")
    assert cli(empty.url(user="managed", password="secret"), "up").returncode == 0
    done = cli(other, "up")
    roles = (
        "email_backup, email_monitor, email_owner, email_readonly, "
        "email_replication, email_search, email_service, email_tenant_login, email_worker"
    )
    _refused(done, f"grant {roles} to other with admin option")
    empty.run(f"grant {roles} to other with admin option")
    assert cli(other, "up").returncode == 0


def test_a_database_that_is_not_utf8_is_refused(empty: OwnServer, cli: Cli) -> None:
    empty.run("create database latin encoding 'LATIN1' template template0 locale 'C'")
    _refused(cli(empty.url("latin"), "up"), "the database latin is LATIN1")


def test_a_server_that_is_too_old_is_refused(cli: Cli) -> None:
    programs = Path("/usr/lib/postgresql/15/bin")
    require((programs / "postgres").exists(), "PostgreSQL 15 is not installed")
    with own_server(programs) as old:
        _refused(cli(old.url(), "up"), "it is PostgreSQL 15. Use PostgreSQL 16 or newer")


def _refused(done: subprocess.CompletedProcess[str], sentence: str) -> None:
    assert done.returncode == 7
    assert sentence in done.stderr
    assert done.stderr.count("\n") == 1
