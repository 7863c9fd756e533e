"""The compose files, up: the mail of an account is synced and found over HTTP, alone and with production on top."""

from __future__ import annotations

import contextlib
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psycopg
import pytest

from postroom.ops.postmaster import free_port
from tests.support.needs import require
from tests.support.podman import (
    CACHE,
    DEBIAN,
    DOCKER,
    STORE,
    Container,
    alone,
    container,
    environment,
    once,
    run,
    until,
    volume,
)

DEVELOPMENT = DOCKER / "docker-compose.email-service.yml"
PRODUCTION = DOCKER / "docker-compose.email-service.prod.yml"
DATABASE, SERVICE, WORKER = (
    Container(f"metabuilder-email-{each}") for each in ("postgres", "service", "worker")
)
_DOVECOT = """
protocols = imap
listen = *
ssl = no
disable_plaintext_auth = no
log_path = /dev/stderr
mail_location = maildir:/tmp/mail/%u
first_valid_uid = 1
passdb {
  driver = static
  args = password=alice-pw
}
userdb {
  driver = static
  args = uid=mail gid=mail home=/tmp/mail/%u
}
"""
_LETTER = b"From: Bob <bob@example.test>\r\nTo: alice@example.test\r\nSubject: The harbour %d\r\nMessage-ID: <%d@example.test>\r\n\r\nA boat.\r\n"


@pytest.mark.parametrize(
    "files",
    [[DEVELOPMENT], [PRODUCTION], [DEVELOPMENT, PRODUCTION]],
    ids=["development", "production", "both"],
)
def test_the_files_are_valid_alone_and_together(files: list[Path], tmp_path: Path) -> None:
    judge = CACHE / "docker-compose"
    require(judge.exists(), "the strict judge of compose files is missing: tests/containers/bases.sh")
    named = [word for each in files for word in ("-f", str(each))]
    done = subprocess.run(
        [judge, *named, "config", "-q"], capture_output=True, text=True, check=False, env=_variables()
    )
    assert (done.returncode, done.stderr) == (0, "")
    misspelt = tmp_path / "misspelt.yml"
    misspelt.write_text(files[-1].read_text().replace("restart:", "restrat:", 1))
    refused = subprocess.run([judge, "-f", misspelt, "config", "-q"], capture_output=True, check=False)
    assert refused.returncode != 0, "it judges nothing"


class Composition:
    """What one `up` started."""

    def __init__(self, files: list[Path], **variables: str) -> None:
        self._files = [*(word for each in files for word in ("-f", str(each)))]
        self._variables = _variables(**variables)
        self.url = f"http://127.0.0.1:{variables['SERVICE_PORT']}"

    def compose(self, *words: str, check: bool = True, **more: str) -> str:
        return run("podman-compose", *self._files, *words, check=check, **(self._variables | more)).stdout

    def postroom(self, *words: str, stdin: str = "") -> str:
        return SERVICE.exec("postroom", *words, stdin=stdin).strip()

    def admin(self, *words: str) -> str:
        """As the owner of the tables: in production a container that is started for one command."""
        if PRODUCTION.name not in " ".join(self._files):
            return self.postroom(*words)
        return self.compose("--profile", "admin", "run", "--rm", "-T", "email-admin", *words)

    def log(self) -> str:
        return self.compose("logs", check=False) + self.compose("ps", check=False)

    def answers(self) -> bool:
        with contextlib.suppress(httpx.HTTPError):
            return httpx.get(f"{self.url}/readyz", timeout=5).status_code == 200
        return False


def _variables(**more: str) -> dict[str, str]:
    bases = {"POSTGRES_IMAGE": "localhost/postroom-test/postgres:16"} | dict.fromkeys(
        ("PYTHON_IMAGE", "DEBIAN_IMAGE", "REDIS_IMAGE"), DEBIAN
    )
    return environment(**bases, **more)


def _clear() -> None:
    """Whatever an `up` left in the storage of the tests, whichever profiles it had."""
    there = run(
        "podman", "ps", "--all", "--quiet", "--filter", "label=io.podman.compose.project"
    ).stdout.split()
    for each in there:  # with those that depend on it, which may have been further down
        run("podman", "rm", "--force", "--depend", "--volumes", "--time", "0", each, check=False)
    if volumes := run("podman", "volume", "ls", "--quiet", "--filter", "name=^email_").stdout.split():
        run("podman", "volume", "rm", "--force", *volumes)
    run("podman", "network", "rm", "--force", "email-service-network", check=False)


@contextmanager
def _up(files: list[Path], folder: Path, **more: str) -> Iterator[Composition]:
    mail = folder / "mail"
    mail.mkdir()
    (mail / "dovecot.conf").write_text(_DOVECOT)
    ports = dict.fromkeys(("SERVICE_PORT", "POSTGRES_PORT", "PGBOUNCER_PORT"))
    variables = {name: str(free_port()) for name in ports} | {"TEST_MAIL": str(mail)} | more
    composition = Composition([*files, Path(__file__).with_name("mail.yml")], **variables)
    with alone("compose"):
        _clear()
        try:
            composition.compose("up", "--detach", "--no-build")
            until(composition.answers, told=composition.log, seconds=90)
            yield composition
        finally:
            _clear()


def _mail_comes_in(composition: Composition) -> httpx.Client:
    """An account of a new tenant is synced by the worker; a client of a key that finds its letters."""
    mail = Container("postroom-test-mail")
    deliver = "d=/tmp/mail/alice/new; mkdir -p $d /tmp/mail/alice/cur /tmp/mail/alice/tmp; cat > $d/{0}; chown -R mail:mail /tmp/mail"
    for number in range(3):
        letter = (_LETTER % (number, number)).decode()
        mail.exec("sh", "-c", deliver.format(number), stdin=letter)
    composition.admin("tenant", "create", "acme")
    composition.postroom(
        *(
            "account",
            "add",
            "-t",
            "acme",
            "--email",
            "alice@example.test",
            "--host",
            mail.name,
            "--port",
            "143",
        ),
        *("--encryption", "none", "--username", "alice", "--password-stdin"),
        stdin="alice-pw\n",
    )
    said = composition.admin("key", "create", "-t", "acme", "--scope", "read")
    key = re.findall(r"prk_\S+", said)[0]
    client = httpx.Client(base_url=composition.url, headers={"Authorization": f"Bearer {key}"}, timeout=30)
    until(lambda: _found(client) == 3, told=composition.log, seconds=60)
    return client


def _found(client: httpx.Client) -> int:
    return len(client.get("/v1/search", params={"q": "harbour"}).json()["items"])


def test_the_development_file_syncs_an_account_finds_its_mail_and_keeps_it(
    images: None, tmp_path: Path
) -> None:
    with (
        _up([DEVELOPMENT], tmp_path) as composition,
        contextlib.closing(_mail_comes_in(composition)) as client,
    ):
        until(WORKER.is_healthy, told=composition.log)
        assert SERVICE.is_healthy()
        assert SERVICE.exec("id", "-u").strip() == "10001"
        assert "Read-only file system" in SERVICE.exec("touch", "/opt/postroom/x", check=False)
        assert "acme" in composition.postroom("status")

        DATABASE.kill()
        run("podman", "start", DATABASE.name)
        until(lambda: composition.answers() and _found(client) == 3, told=composition.log)
        # Redis counts requests; without it they are let through, a little later.
        run("podman", "kill", "metabuilder-email-redis")
        assert _found(client) == 3
        for each in (SERVICE, WORKER):
            assert each.stop() < 10
            assert each.inspect()["State"]["ExitCode"] == 0


def test_production_goes_through_the_pooler_with_tls_and_takes_sealed_dumps(
    images: None, tmp_path: Path
) -> None:
    secrets = DOCKER / "secrets"
    require(not secrets.exists(), f"{secrets} is there already, and not the tests'")
    run(DOCKER / "make-secrets.sh")
    try:
        with (
            _up([DEVELOPMENT, PRODUCTION], tmp_path) as composition,
            contextlib.closing(_mail_comes_in(composition)),
        ):
            _only_tls_comes_in(secrets)
            _through_the_pooler()
            backup = Container("metabuilder-email-backup")
            assert "of data in" in backup.exec("postroom-dumps", "--now")
            assert "dump" in backup.exec("postroom", "backup", "list")
            _archives()
            _comes_back_as_of_a_moment(tmp_path, secrets)
            _a_standby_takes_over(composition)
    finally:
        shutil.rmtree(secrets)


def _only_tls_comes_in(secrets: Path) -> None:
    for name, port in ((DATABASE.name, "5432"), ("metabuilder-email-pgbouncer", "6432")):
        published = run("podman", "port", name, port).stdout.strip().rpartition(":")[2]
        where = {
            "host": "127.0.0.1",
            "port": published,
            "user": "email_service",
            "password": (secrets / "email_service").read_text().strip(),
            "dbname": "email_service",
        }
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(sslmode="disable", **where)
        with psycopg.connect(
            sslmode="verify-full", sslrootcert=str(secrets / "ca.crt"), **where
        ) as connection:
            assert connection.pgconn.ssl_in_use


def _through_the_pooler() -> None:
    address = Container("metabuilder-email-pgbouncer").inspect()["NetworkSettings"]["Networks"]
    expected = address["email-service-network"]["IPAddress"]
    clients = (
        "select distinct client_addr from pg_stat_activity where usename in ('email_service', 'email_worker')"
    )
    assert expected in DATABASE.sql(clients).splitlines()
    plain = "select count(*) from pg_stat_ssl join pg_stat_activity using (pid) where client_addr is not null and not ssl"
    assert DATABASE.sql(plain) == "0"


def _archives() -> None:
    DATABASE.sql("select pg_switch_wal()")
    until(lambda: DATABASE.sql("select archived_count > 0 and failed_count = 0 from pg_stat_archiver") == "t")
    name = DATABASE.sql("select last_archived_wal from pg_stat_archiver")
    archived = f"/var/lib/postgresql/wal/{name}"
    assert DATABASE.exec("stat", "-c", "%s", archived).strip() == str(16 * 1024 * 1024)
    # The same content again is well; another is refused, and nothing is overwritten.
    DATABASE.exec("gosu", "postgres", "postroom-archive", archived, name)
    DATABASE.exec("sh", "-c", "echo other > /tmp/other")
    assert "Nothing was overwritten" in DATABASE.exec("postroom-archive", "/tmp/other", name, check=False)
    assert DATABASE.exec("stat", "-c", "%s", archived).strip() == str(16 * 1024 * 1024)


def _comes_back_as_of_a_moment(folder: Path, secrets: Path) -> None:
    """A base backup, the archived log, and a moment between two marks: the first is there, the second is not."""
    said = Container("metabuilder-email-base-backup").exec("postroom-base-backups", "--now")
    backup = said.partition(":")[0]
    assert "every file with its hash" in said
    DATABASE.sql("create table marks as select 'first' as mark")
    moment = DATABASE.sql("select clock_timestamp() from pg_sleep(0.1)")
    DATABASE.sql("insert into marks select 'second' from pg_sleep(0.1)")
    last = DATABASE.sql("select pg_walfile_name(pg_switch_wal())")
    until(lambda: DATABASE.sql("select last_archived_wal from pg_stat_archiver") >= last)

    with volume() as data:
        mounts = ["--volume", f"{data}:/var/lib/postgresql/data", "--volume", "email_backups:/backups:ro"]
        refused = once(STORE, *mounts, command=("postroom-restore", backup, "2020-01-01 00:00:00+00"))
        assert "lies before the backup" in refused.stdout
        filled = once(STORE, *mounts, command=("postroom-restore", backup, moment))
        assert (filled.returncode, "The volume holds" in filled.stdout) == (0, True), filled.stdout
        again = once(STORE, *mounts, command=("postroom-restore", backup))
        assert "holds a database already" in again.stdout
        mounts += ["--volume", "email_postgres_wal:/var/lib/postgresql/wal:ro"]
        password = (secrets / "email_service").read_text().strip()
        with container(STORE, *mounts, "--env", f"POSTGRES_PASSWORD={password}") as restored:
            until(
                lambda: restored.is_healthy() and restored.sql("select pg_is_in_recovery()") == "f",
                told=restored.log,
            )
            assert restored.sql("select mark from marks") == "first"
            assert restored.sql("select count(*) from email_tenants") == "1"


def _a_standby_takes_over(composition: Composition) -> None:
    standby = Container("metabuilder-email-standby")
    composition.compose("--profile", "standby", "up", "--detach", "--no-build", "email-standby")
    until(standby.is_healthy, told=standby.log)
    DATABASE.sql("insert into marks values ('third')")
    marks = "select count(*) from marks"
    until(lambda: standby.sql(marks) == "3", told=standby.log)
    DATABASE.stop()
    assert standby.sql("select pg_promote()") == "t"
    standby.sql("insert into marks values ('fourth')")
    assert standby.is_healthy()
    assert standby.sql(marks) == "4"
    # The pooler goes to the new one, and the service with it, as nobody told it.
    composition.compose(
        *("up", "--detach", "--no-build", "--no-deps", "--force-recreate", "email-pgbouncer"),
        POSTGRES_HOST="email-standby",
    )
    until(composition.answers, told=composition.log)
