"""The drill on every PostgreSQL that we promise; and with a hole in the archive it fails, and says so."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.backups import Kept, kept_store
from tests.support.clusters import processes_at
from tests.support.majors import MAJORS, programs_of


@pytest.fixture(scope="module", params=MAJORS)
def kept(request: pytest.FixtureRequest) -> Iterator[Kept]:
    with kept_store(POSTROOM_POSTGRES_BIN=str(programs_of(request.param))) as found:
        assert found.store.json("status")["server"].startswith(f"{request.param}.")
        yield found


def test_the_drill_passes_and_leaves_nothing_behind(kept: Kept) -> None:
    major = int(kept.store.json("status")["server"].split(".")[0])
    first, second = (kept.store.json("drill") for _ in range(2))
    assert first["kind"] == "full"
    assert second["kind"] == ("incremental" if major >= 17 else "full")
    assert second["verdict"]["faults"] == []
    assert second["verdict"]["messages"] == 40
    assert second["segments"] > 0
    assert all(each["verified_at"] for each in kept.store.json("backup", "list")["items"])
    with kept.store.connect("postgres") as connection:
        assert connection.execute(
            b"select count(*) from pg_database where datname like '%drill%'"
        ).fetchall() == [(0,)]
        assert connection.execute(b"select count(*) from pg_replication_slots").fetchall() == [(0,)]
    assert not list(kept.store.home.glob("scratch-*"))
    assert not [line for line in processes_at(kept.store.home) if "scratch-" in line]


def test_sixteen_says_that_it_takes_full_backups_only(kept: Kept) -> None:
    is_sixteen = kept.store.json("status")["server"].startswith("16.")
    done = kept.store.cli("backup", "--kind", "incremental", check=False)
    assert (done.returncode, "takes full backups only" in done.stderr) == (2 if is_sixteen else 0, is_sixteen)


def test_the_drill_fails_loudly_when_a_segment_is_missing(kept: Kept) -> None:
    kept.store.json("drill")
    known, stop, lost = set(_segments(kept)), threading.Event(), list[Path]()

    def lose() -> None:
        """Take away whatever comes into the archive from now on."""
        while not stop.wait(0.01):
            for path in set(_segments(kept)) - known:
                path.unlink()
                lost.append(path)

    thief = threading.Thread(target=lose)
    thief.start()
    try:
        done = kept.store.cli("drill", check=False)
    finally:
        stop.set()
        thief.join()
    assert lost
    assert (done.returncode, "The archive" in done.stderr) == (18, True), done.stderr
    assert done.stderr.count("\n") == 1
    assert not list(kept.store.home.glob("scratch-*"))


def _segments(kept: Kept) -> list[Path]:
    return [each for each in (kept.place / "wal").iterdir() if len(each.name) == 24]
