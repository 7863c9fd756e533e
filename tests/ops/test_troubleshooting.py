"""Each symptom of the page is provoked; what the page says to look at shows it, and what it says to do mends it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psycopg
import pytest

from postroom.ops.cluster import Cluster
from postroom.ops.postmaster import find_postmaster
from tests.support.machine import mounted_disk
from tests.support.pages import DOCS, run_block
from tests.support.service import running_service
from tests.support.site import Store, running_store

PAGE = "howto/troubleshooting.md"


@dataclass(slots=True)
class Case:
    """A store in trouble: the commands of the page run in `folder`."""

    store: Store
    folder: Path
    variables: dict[str, str] = field(default_factory=dict)


def _sections() -> dict[str, tuple[str, str]]:
    """By the heading: the block that looks, and the one that mends."""
    found = re.split(r"^## ", (DOCS / PAGE).read_text(), flags=re.MULTILINE)[1:]
    blocks = {each.splitlines()[0]: re.findall(r"```sh\n(.*?)```", each, re.DOTALL) for each in found}
    assert all(len(each) == 2 for each in blocks.values()), "one block to look, one to mend"
    return {heading: (look, mend) for heading, (look, mend) in blocks.items()}


@pytest.fixture(scope="module")
def site() -> Iterator[Case]:
    """A server with few connections, and a standby beside it."""
    folder = Path(tempfile.mkdtemp(prefix="postroom-trouble-", dir="/tmp"))
    folder.chmod(0o755)
    try:
        with running_store() as store:
            store.cli("down")
            (store.home / "postgres" / "extra.conf").write_text("max_connections = 25\n")
            store.cli("up", "--detach")
            yield Case(store, folder)
    finally:
        Cluster(folder / "other").stop("immediate")
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _a_wrong_setting(site: Case) -> Iterator[Case]:
    site.store.cli("down")
    with (site.store.home / "postgres" / "extra.conf").open("a") as file:
        file.write("work_mem = 'lots'\n")
    yield site


@contextmanager
def _a_database_that_is_down(site: Case) -> Iterator[Case]:
    with running_service(site.store, site.folder) as service:
        port = service.url.rpartition(":")[2]
        Cluster(site.store.home).stop("immediate")
        yield Case(site.store, site.folder, {"POSTROOM_SERVICE_PORT": port})
        until = time.monotonic() + 30
        while httpx.get(f"{service.url}/readyz", timeout=30).status_code != 200:
            assert time.monotonic() < until, "the service did not find the database again"


@contextmanager
def _sessions_that_do_nothing(site: Case) -> Iterator[Case]:
    with ExitStack() as sessions:
        while (said := _one_more(site.store, sessions)) is None:
            pass
        assert re.search("reserved|too many clients", said), said
        time.sleep(2.2)  # until they count as idle
        yield site
    site.store.connect("email_service").close()


def _one_more(store: Store, sessions: ExitStack) -> str | None:
    """Why there is not."""
    try:
        sessions.callback(store.connect("email_service").close)
    except psycopg.OperationalError as error:
        return str(error)
    return None


@contextmanager
def _a_statement_that_takes_long(site: Case) -> Iterator[Case]:
    ended: list[str] = []

    def work() -> None:
        with site.store.connect("postgres") as connection:
            try:
                connection.execute(b"select pg_sleep(600)")
            except psycopg.errors.QueryCanceled as error:
                ended.append(str(error))

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    time.sleep(1.5)  # until it counts as long
    yield site
    thread.join(30)
    assert ended


@contextmanager
def _a_full_disk(site: Case) -> Iterator[Case]:
    with mounted_disk(220) as disk:
        try:
            full = Store(disk / "home")
            Cluster(full.home).stop()
            _fill(full.home / "log" / "postgres.log.1", leave=1024 * 1024)
            done = full.cli("up", "--detach", check=False)
            # The server may start on what is left; then the next large write ends it.
            if done.returncode == 0:
                done = _write_much(full)
            assert "no space left" in done.stderr, done
            yield Case(full, disk)
            assert full.tenant() in full.cli("tenant", "list").stdout
        finally:
            Cluster(disk / "home").stop("immediate")


def _fill(path: Path, *, leave: int) -> None:
    free = shutil.disk_usage(path.parent).free
    with path.open("wb") as file:
        for _ in range((free - leave) // (1024 * 1024)):
            file.write(os.urandom(1024 * 1024))


def _write_much(store: Store) -> subprocess.CompletedProcess[str]:
    box = store.home.parent / "box"
    store.cli("tenant", "create", "much", check=False)
    with tempfile.TemporaryDirectory(dir="/tmp") as elsewhere:
        box = Path(elsewhere) / "box"
        store.cli("sample", str(box), "--messages", "300")
        return store.cli("import", "-t", "much", "-a", "me@example.com", str(box), check=False)


@contextmanager
def _a_place_that_is_gone(site: Case) -> Iterator[Case]:
    place = site.folder / "backups"
    site.store.cli("backup", "enable", "--to", str(place), "--restart")
    place.rename(site.folder / "unmounted")
    with site.store.connect("postgres") as connection:
        until = time.monotonic() + 30
        while not connection.execute(b"select failed_count from pg_stat_archiver").fetchall()[0][0]:
            connection.execute(b"select pg_current_xact_id()")
            connection.execute(b"select pg_switch_wal()")
            assert time.monotonic() < until
            time.sleep(0.2)
    yield site
    assert site.store.json("backup", "list")["items"]
    site.store.cli("backup", "disable")


@contextmanager
def _a_standby_that_is_down(site: Case) -> Iterator[Case]:
    site.store.cli("standby", "create", "--into", str(site.folder / "other"))
    site.store.cli("--data-dir", str(site.folder / "other"), "down")
    site.store.tenant()
    yield site
    until = time.monotonic() + 30
    while site.store.cli("standby", "status", check=False).returncode:
        assert time.monotonic() < until, "it did not catch up"
        time.sleep(0.2)
    site.store.cli("standby", "remove", "other")


TROUBLES = {
    "It does not start": (_a_wrong_setting, 'invalid value for parameter "work_mem"'),
    "It is unhealthy": (_a_database_that_is_down, '"status":503'),
    "The connections are used up": (_sessions_that_do_nothing, "connections are in use"),
    "It is slow": (_a_statement_that_takes_long, "pg_sleep"),
    "The archive is stuck": (_a_place_that_is_gone, "The archive has failed"),
    "The standby is behind": (_a_standby_that_is_down, "other is down"),
    "The disk is full": (_a_full_disk, "postgres.log.1|100%|log"),
}


def test_every_section_of_the_page_is_provoked_here() -> None:
    assert set(_sections()) == set(TROUBLES)


@pytest.mark.parametrize("heading", TROUBLES)
def test_the_page_shows_what_is_wrong_and_mends_it(site: Case, heading: str) -> None:
    provoke, shows = TROUBLES[heading]
    look, mend = _sections()[heading]
    with provoke(site) as case:
        said = run_block(look, case.store, case.folder, **case.variables)
        assert re.search(shows, said.stdout + said.stderr), said
        run_block(mend, case.store, case.folder, **case.variables)
        assert find_postmaster(case.store.home / "postgres")
