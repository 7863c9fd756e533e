"""To the next major version of PostgreSQL and back, with real servers of both."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from postroom.ops.home import Home
from postroom.ops.upgrade import compare, note
from tests.support.majors import programs_of
from tests.support.site import Store, running_store

EMAIL = "me@example.com"
_COUNT = "select count(*) from email_messages"


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("upgrade") / "box"
    program = [sys.executable, "-c", "from postroom.cli import main; main()"]
    subprocess.run([*program, "sample", str(out), "--messages", "40"], check=True, capture_output=True)
    return out


@pytest.fixture(scope="module")
def on_17(box: Path) -> Iterator[Store]:
    """A store whose values are compressed by what every PostgreSQL can read."""
    with running_store() as store:
        assert store.json("status")["server"].startswith("17.")
        (store.home / "postgres" / "extra.conf").write_text("default_toast_compression = 'pglz'\n")
        with store.connect("postgres") as connection:
            connection.execute(b"select pg_reload_conf()")
        for tenant in ("acme", "other"):
            store.cli("tenant", "create", tenant)
        store.cli("import", "-t", "acme", "-a", EMAIL, str(box))
        yield store


def _found(store: Store) -> list[str]:
    return [each["subject"] for each in store.json("search", "-t", "acme", "-n", "50", "the")["items"]]


def _one(store: Store, role: str, *statements: str) -> Any:
    with store.connect(role) as connection:
        for each in statements[:-1]:
            connection.execute(each.encode())
        return connection.execute(statements[-1].encode()).fetchall()[0][0]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--to", "16"), "is of PostgreSQL 17 already"),
        (("--to", "19"), "There is no PostgreSQL 19"),
        (("--link",), "backups are not switched on"),
        (("--finish",), "waits to be finished or taken back"),
        (("--back",), "say that it may go"),
        (("--back", "--yes"), "waits to be finished or taken back"),
        (("--back", "--link"), "are for one each"),
    ],
)
def test_what_cannot_be_meant_is_refused(on_17: Store, options: tuple[str, ...], said: str) -> None:
    done = on_17.cli("upgrade", *options, check=False)
    assert done.returncode == 2
    assert said in done.stderr


def test_what_the_new_version_does_not_come_with_is_named_and_all_is_as_before(on_17: Store) -> None:
    with on_17.connect("postgres") as connection:
        connection.execute(b"create extension sslinfo")
        connection.execute(b"create view of_mine as select ssl_is_used()")
    done = on_17.cli("upgrade", "--to", "18", check=False)
    assert done.returncode == 8
    assert "does not come with sslinfo, which email_service uses" in done.stderr
    assert on_17.json("status")["server"].startswith("17.")
    with on_17.connect("postgres") as connection:
        connection.execute(b"drop extension sslinfo cascade")
        assert connection.execute(b"select from pg_extension where extname = 'pgcrypto'").rowcount == 1


def test_17_becomes_18_by_pg_upgrade_and_17_again(on_17: Store) -> None:
    before, count = _found(on_17), _one(on_17, "postgres", _COUNT)
    assert count > 0
    assert before
    done = on_17.json("upgrade")
    assert (done["how"], done["new"][:3]) == ("copy", "18.")
    assert Path(done["way_back"]).name == "postgres.17"
    assert on_17.json("status")["server"].startswith("18.")
    assert _found(on_17) == before
    # Row security holds: nobody's rows without a tenant, and nobody else's with one.
    assert _one(on_17, "email_service", _COUNT) == 0
    of_other = next(each["id"] for each in on_17.json("tenant", "list")["items"] if each["name"] == "other")
    assert _one(on_17, "email_service", f"set app.current_tenant_id = '{of_other}'", _COUNT) == 0
    faults = json.loads(on_17.cli("doctor", "--json", check=False).stdout)["findings"]
    assert [each["what"] for each in faults if each["severity"] == "fault"] == []
    on_17.cli("tenant", "create", "later")
    # As if the way back had been interrupted between the two names.
    on_17.cli("down")
    home = Home(on_17.home)
    made = note.read(home)
    assert made
    note.write(home, replace(made, is_returning=True))
    home.data.rename(note.folder_of(home, 18))
    for command in (("up", "--detach"), ("upgrade", "--finish")):
        assert "upgrade --back --yes goes on with it" in on_17.cli(*command, check=False).stderr
    again = on_17.cli("upgrade", check=False)
    assert "is still there" in again.stderr
    left = on_17.json("upgrade", "--back", "--yes")["left"]
    assert on_17.json("status")["server"].startswith("17.")
    assert "later" not in on_17.cli("tenant", "list").stdout
    assert _found(on_17) == before
    assert _one(on_17, "postgres", "select count(*) from pg_extension where extname = 'pgcrypto'") == 1
    shutil.rmtree(left)


def test_with_links_a_backup_is_the_way_back(on_17: Store, tmp_path_factory: pytest.TempPathFactory) -> None:
    before = _found(on_17)
    place = on_17.home.parent / "backups"
    on_17.json("backup", "enable", "--to", str(place), "--restart")
    done = on_17.json("upgrade", "--link")
    assert (done["how"], done["way_back"], done["backups_off"]) == ("link", None, True)
    assert not (on_17.home / "postgres.17").exists()
    assert _found(on_17) == before
    refused = on_17.cli("backup", check=False)
    assert "Backups are not switched on" in refused.stderr
    assert len([each for each in (place / "backups").iterdir() if each.is_dir()]) == 1


def test_16_becomes_17_by_a_dump_where_pg_upgrade_cannot(box: Path) -> None:
    """And the names change in two steps, between which a crash may come."""
    with running_store(POSTROOM_POSTGRES_BIN=str(programs_of(16))) as store:
        store.cli("tenant", "create", "acme")
        store.cli("import", "-t", "acme", "-a", EMAIL, str(box))
        before = _found(store)
        done = store.json("upgrade", "--to", "17")
        assert (done["how"], done["old"][:3], done["new"][:3]) == ("dump", "16.", "17.")
        store.environment.pop("POSTROOM_POSTGRES_BIN")
        assert store.json("status")["server"].startswith("17.")
        assert _found(store) == before
        assert _one(store, "email_service", _COUNT) == 0
        # As if it had been interrupted before the names changed, and between the two: nobody writes to either meanwhile.
        store.cli("down")
        home = Home(store.home)
        made = note.read(home)
        assert made
        note.write(home, replace(made, is_swapped=False))
        assert "postroom upgrade goes on with it" in store.cli("up", "--detach", check=False).stderr
        home.data.rename(note.folder_of(home, 17))
        assert "An upgrade was interrupted" in store.cli("up", "--detach", check=False).stderr
        assert store.json("upgrade")["new"][:3] == "17."
        assert _found(store) == before
        # Values that 17 compresses by lz4 are nothing that 18 here could read: they go by a dump.
        store.cli("upgrade", "--finish")
        assert not note.folder_of(home, 16).exists()
        assert store.json("upgrade", "--check")["how"] == "dump"
        assert store.json("status")["server"].startswith("17.")


def test_each_difference_between_old_and_new_is_named(on_17: Store) -> None:
    found = compare.take(on_17.site.url("postgres"), read_all=True)
    assert list(compare.differences(found, found)) == []
    assert found.guards
    assert found.powers
    for other, said in (
        (replace(found, counts={**found.counts, "email_tenants": -1}), "email_tenants had"),
        (replace(found, widths={**found.widths, "email_tenants": -1}), "email_tenants does not hold"),
        (replace(found, hashes="0x"), "messages are not the same"),
        (replace(found, guards=found.guards[1:]), "row security is another"),
        (replace(found, powers=found.powers[1:]), "a login is another"),
        (replace(found, grants=found.grants[1:]), "a right is another"),
    ):
        (each,) = compare.differences(found, other)
        assert said in each
