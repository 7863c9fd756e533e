"""A disk that is full: said in one sentence, nothing lost, and the same command completes once there is room."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from postroom.ops.cluster import Cluster
from tests.support.machine import enlarge, mounted_disk
from tests.support.site import Store

EMAIL = "alice@example.test"


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory, store: Store) -> Path:
    place = tmp_path_factory.mktemp("full") / "box"
    store.cli("sample", str(place), "--messages", "2500", "--format", "mbox")
    return place


@pytest.fixture(scope="module")
def filled(store: Store, box: Path) -> str:
    """A tenant with all of the box."""
    tenant = store.tenant()
    store.cli("import", "-t", tenant, "-a", EMAIL, str(box))
    return tenant


@contextmanager
def _store_on(disk: Path) -> Iterator[Store]:
    try:
        yield Store(disk / "home")
    finally:
        Cluster(disk / "home").stop()


def _fills_up_and_completes(full: Store, disk: Path, box: Path) -> None:
    tenant = full.tenant()
    done = full.cli("import", "-t", tenant, "-a", EMAIL, str(box), check=False)
    assert done.returncode == 7, done
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    for each in ("no space left", "Free some space"):
        assert each in done.stderr
    status = full.cli("status", check=False)
    assert status.returncode == 0 or "no space left for the database" in status.stderr
    enlarge(disk, 600)
    tally = full.json("import", "-t", tenant, "-a", EMAIL, str(box))
    assert tally["stored"] + tally["already_there"] == 2500
    assert tally["already_there"] > 0
    with full.connect("postgres") as connection:
        row = connection.execute(
            "select count(*), count(distinct content_hash), (select count(*) from email_placements) from email_messages"
        ).fetchone()
    assert row == (2500, 2500, 2500)


def test_a_full_disk_stops_an_import_that_completes_when_there_is_room(box: Path) -> None:
    with mounted_disk(64) as disk, _store_on(disk) as full:
        _fills_up_and_completes(full, disk, box)


def test_a_server_that_ends_because_its_log_is_full_is_told_from_one_that_is_down(box: Path) -> None:
    with mounted_disk(400) as data, mounted_disk(40) as log, _store_on(data) as full:
        wal = Cluster(full.home).status().data_dir / "pg_wal"
        full.cli("down")
        shutil.move(wal, log / "pg_wal")
        shutil.chown(log / "pg_wal", wal.parent.stat().st_uid, wal.parent.stat().st_gid)
        for each in (log / "pg_wal").rglob("*"):
            shutil.chown(each, wal.parent.stat().st_uid, wal.parent.stat().st_gid)
        wal.symlink_to(log / "pg_wal")
        full.cli("up", "--detach")
        # Whether the server still gets its last words out is up to the moment; both end in the same sentence.
        _fills_up_and_completes(full, log, box)


@pytest.mark.parametrize("kind", ["mbox", "maildir", "eml"])
def test_an_export_to_a_full_disk_leaves_nothing_there(store: Store, filled: str, kind: str) -> None:
    with mounted_disk(2) as disk:
        export = ("export", "-t", filled, "-a", EMAIL, "-f", kind, str(disk / "out"))
        done = store.cli(*export, check=False)
        assert done.returncode == 10, done
        assert len(done.stderr.strip().splitlines()) == 1, done.stderr
        for each in (str(disk / "out"), "No space left", "Nothing is left there", "Free some space"):
            assert each in done.stderr
        assert list(disk.iterdir()) == []
        enlarge(disk, 600)
        assert store.cli(*export).stdout.startswith("2,500 messages")
