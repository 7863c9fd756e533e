"""The database's image, booted: a volume becomes a store, whole or not at all, and what is wrong with one is said."""

from __future__ import annotations

import json
from pathlib import Path

import psycopg
import pytest

from postroom.ops.postmaster import free_port
from postroom.store.migrate import is_current, known_migrations
from tests.support.podman import STORE, Container, container, once, until, volume

pytestmark = pytest.mark.usefixtures("images")
DATA = "/var/lib/postgresql/data"
PASSWORD = 'it\'s "odd" \\ $HOME'
SETTINGS = {
    "max_connections": "200",
    "shared_buffers": "256MB",
    "work_mem": "1310kB",
    "max_wal_size": "4GB",
    "effective_io_concurrency": "200",
    "shared_preload_libraries": "pg_stat_statements",
    "data_checksums": "on",
    "server_encoding": "UTF8",
}


def _healthy(database: Container) -> None:
    until(database.is_healthy, told=database.log)


def _url(port: int, login: str, password: str) -> str:
    return psycopg.conninfo.make_conninfo(
        host="127.0.0.1", port=port, user=login, password=password, dbname="email_service", connect_timeout=5
    )


def _gets_in(port: int, login: str, password: str) -> bool:
    try:
        psycopg.connect(_url(port, login, password)).close()
    except psycopg.OperationalError:
        return False
    return True


def test_a_fresh_volume_becomes_a_store_and_a_killed_one_comes_back_with_its_rows(tmp_path: Path) -> None:
    (tmp_path / "password").write_text(PASSWORD + "\n")
    port = free_port()
    options = [
        *("--publish", f"127.0.0.1:{port}:5432", "--volume", f"{tmp_path}:/secrets:ro"),
        *("--env", "POSTGRES_PASSWORD_FILE=/secrets/password", "--env", "POSTROOM_WORKER_PASSWORD=w"),
    ]
    with volume() as data, container(STORE, *options, "--volume", f"{data}:{DATA}") as database:
        assert not database.is_healthy(), "it is being made"
        _healthy(database)
        _made_in_order(database)
        _keeps_its_roles_apart(database, port)
        for name, value in SETTINGS.items():
            assert database.sql(f"show {name}") == value, name
        assert (
            database.sql("select datcollate from pg_database where datname = current_database()") == "C.UTF-8"
        )
        wanted = "'pg_trgm', 'uuid-ossp', 'pgcrypto', 'pg_stat_statements'"
        assert database.sql(f"select count(*) from pg_extension where extname in ({wanted})") == "4"
        assert is_current(_url(port, "email_worker", "w"))

        database.sql("create table kept as select 42 as answer")
        database.kill()
        database.start()
        _healthy(database)
        assert database.sql("select answer from kept") == "42"
        assert "Looking at the schema before anybody is let in" in database.log()
        assert database.stop() < 10
        assert "database system is shut down" in database.log().splitlines()[-1]


def _made_in_order(database: Container) -> None:
    log = database.log()
    names = (
        "10-init-email-service",
        "20-init-indexes",
        "30-init-connection-pooling",
        "40-ledger",
        "50-passwords",
    )
    places = [log.index(f"running /docker-entrypoint-initdb.d/{name}") for name in names]
    assert places == sorted(places)
    spoken = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    assert any("ready to accept connections" in each["message"] for each in spoken)
    assert PASSWORD not in log


def _keeps_its_roles_apart(database: Container, port: int) -> None:
    assert _gets_in(port, "email_service", PASSWORD)
    assert _gets_in(port, "email_worker", "w")
    assert not _gets_in(port, "email_service", "postgres")
    assert not _gets_in(port, "email_readonly", "")
    assert not _gets_in(port, "postgres", PASSWORD)
    with pytest.raises(psycopg.OperationalError, match="rejects connection"):
        psycopg.connect(_url(port, "postgres", PASSWORD))
    powers = "select rolsuper or rolbypassrls or rolcreaterole from pg_roles where rolname = 'email_service'"
    assert database.sql(powers) == "f"
    assert database.sql("select rolpassword is null from pg_authid where rolname = 'postgres'") == "t"
    assert database.sql("select count(*) from email_messages", login="email_service") == "0"


def test_a_start_cut_short_is_begun_anew_and_never_called_healthy() -> None:
    options = ["--env", "POSTGRES_PASSWORD=secret"]
    with volume() as data, container(STORE, *options, "--volume", f"{data}:{DATA}") as database:
        until(lambda: "running /docker-entrypoint-initdb.d/20" in database.log(), told=database.log)
        database.kill()
        assert not database.is_healthy()
        database.start()
        _healthy(database)
        assert "cut short before its database was whole; it is begun anew" in database.log()
        assert database.sql("select count(*) from email_schema_migrations") == "1"


def test_what_is_wrong_with_a_password_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    (tmp_path / "two").write_text("a\nb\n")
    file = "POSTGRES_PASSWORD_FILE=/secrets"
    for environment, sentence in (
        ([], "The login email_service has no password. Set POSTGRES_PASSWORD_FILE"),
        ([f"{file}/missing"], "names /secrets/missing, which is not there"),
        ([f"{file}/empty"], "names /secrets/empty, which is empty"),
        ([f"{file}/two"], "names /secrets/two, which has more than one line"),
        ([f"{file}/two", "POSTGRES_PASSWORD=x"], "are both set: leave one out"),
    ):
        given = [word for each in environment for word in ("--env", each)]
        done = once(STORE, "--volume", f"{tmp_path}:/secrets:ro", *given)
        assert (done.returncode, done.stdout.count("\n")) == (1, 1), done.stdout
        assert sentence in done.stdout


def test_what_is_wrong_with_a_volume_is_one_sentence_and_nothing_in_it_is_changed(tmp_path: Path) -> None:
    for name in ("plain", "older", "odd"):
        (tmp_path / name).mkdir()
    (tmp_path / "plain/PG_VERSION").write_text("16\n")
    (tmp_path / "older/pgdata").mkdir()
    (tmp_path / "older/pgdata/PG_VERSION").write_text("15\n")
    (tmp_path / "odd/pgdata").mkdir()
    (tmp_path / "odd/pgdata/letter").write_text("Dear all")
    for name, sentence in (
        ("plain", "the data of a plain PostgreSQL image"),
        ("older", "the data of PostgreSQL 15; this image is PostgreSQL 16"),
        ("odd", "holds files and is no database"),
        ("odd:ro", "cannot be written: Read-only file system"),
    ):
        mount = f"{tmp_path}/{name.replace(':', f':{DATA}:') if ':' in name else f'{name}:{DATA}'}"
        done = once(STORE, "--volume", mount, "--env", "POSTGRES_PASSWORD=x")
        assert done.returncode == 1, done.stdout
        assert sentence in done.stdout
        assert "Nothing was changed" in done.stdout
        assert done.stdout.count("\n") == 1, done.stdout
    assert (tmp_path / "odd/pgdata/letter").read_text() == "Dear all"


def test_an_older_schema_is_migrated_a_newer_or_another_one_refused_and_a_second_server_too(
    tmp_path: Path,
) -> None:
    """`later` is what the next version of the image would carry."""
    tmp_path.chmod(0o755)
    ledger = "".join(f"{each.version} {each.name} {each.checksum}\n" for each in known_migrations())
    (tmp_path / "ledger").write_text(ledger + "2 0002_later.sql abc\n3 0003_broken.sql def\n")
    (tmp_path / "0002_later.sql").write_text("set role email_owner; create table email_later (x int);")
    (tmp_path / "0003_broken.sql").write_text(
        "set role email_owner; create table email_broken (x int); select 1/0;"
    )
    (tmp_path / "other").write_text(ledger.replace("0001_first_schema.sql ", "0001_first_schema.sql 0"))
    share = "/usr/local/share/postroom"
    later = ["--volume", f"{tmp_path}:{share}:ro"]
    options = ["--env", "POSTGRES_PASSWORD=secret"]

    with volume() as data:
        mount = ["--volume", f"{data}:{DATA}"]
        with container(STORE, *options, *mount) as database:
            _healthy(database)
            second = once(STORE, *options, *mount)
            assert (second.returncode, "Another container uses this volume" in second.stdout) == (1, True)
            database.stop()
        other = ["--volume", f"{tmp_path}/other:{share}/ledger:ro"]
        done = once(STORE, *options, *mount, *other)
        assert (done.returncode, "is not what was applied to this volume" in done.stdout) == (1, True), (
            done.stdout
        )

        broken = once(STORE, *options, *mount, *later)
        assert (broken.returncode, "Migration 0003_broken.sql failed" in broken.stdout) == (1, True), (
            broken.stdout
        )
        assert "division by zero" in broken.stdout
        (tmp_path / "ledger").write_text(ledger + "2 0002_later.sql abc\n")
        with container(STORE, *options, *mount, *later) as database:
            _healthy(database)
            assert (
                database.sql("select to_regclass('email_later'), to_regclass('email_broken')")
                == "email_later|"
            )
            assert database.sql("select max(version) from email_schema_migrations") == "2"
            database.stop()
        older = once(STORE, *options, *mount)
        assert (older.returncode, "is version 2; this image knows 1" in older.stdout) == (1, True), (
            older.stdout
        )
