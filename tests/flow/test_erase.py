"""A tenant that is erased is gone from every table and every blob store, and a signed report says what there was."""

from __future__ import annotations

import json
from pathlib import Path
from uuid import UUID

import psycopg
import pytest

from postroom.store import holds
from postroom.store.database import TenantTx
from tests.flow.moving import (
    BACKENDS,
    Places,
    exported,
    filled,
    killed,
    program,
    started_before_the_end_of,
    stopped_at,
    until,
)
from tests.leaks.catalog import Catalog
from tests.leaks.fill import OTHER, OWN, THIRD, Tenant, fill
from tests.support.archives import hashes, manifest
from tests.support.site import Store, running_store


def _rows(store: Store, tenant_id: str) -> dict[str, int]:
    """How many rows of a tenant there are, in every table of the catalog, as a superuser sees it."""
    with store.connect("postgres") as connection:
        return {
            table: connection.execute(
                f"select count(*) from {table} where tenant_id = %s".encode(), [tenant_id]
            ).fetchall()[0][0]
            for table in Catalog(connection).tenant_tables
        }


def _id(store: Store, name: str) -> str:
    return next(each["id"] for each in store.json("tenant", "list")["items"] if each["name"] == name)


def _erase(store: Store, name: str, *options: str, **environment: str) -> dict[str, object]:
    return store.json("tenant", "erase", name, "--yes-erase", name, *options, **environment)


@pytest.mark.parametrize("backend", BACKENDS)
def test_nothing_is_left_of_who_is_erased_and_others_keep_every_byte(
    store: Store, places: Places, tmp_path: Path, backend: str
) -> None:
    place = places.of(backend, "ours")
    name, neighbour = filled(store, tmp_path, **place), filled(store, tmp_path, **place)
    login = store.cli("tenant", "login", name).stdout.strip()
    assert login
    theirs, tenant_id, report = (
        exported(store, neighbour, tmp_path / "1.tar", **place),
        _id(store, name),
        tmp_path / "r",
    )
    before, objects = _rows(store, tenant_id), _objects_of(places, backend, tenant_id)
    assert (backend == "postgres") == (not objects)
    said = _erase(store, name, "--report", str(report), **place)
    assert set(_rows(store, tenant_id).values()) == {0}
    assert _objects_of(places, backend, tenant_id) == []
    assert exported(store, neighbour, tmp_path / "2.tar", **place) == theirs
    assert said == json.loads(report.read_text())
    removed = said["removed"]
    assert removed["rows"] == before
    assert removed["blobs"] == before["email_blobs"]
    assert removed["objects"] == len([each for each in objects if len(each.rpartition("/")[2]) > 60])
    assert removed["logins"] == 1
    assert store.cli("tenant", "list").stdout.count(name) == 0
    with store.connect("postgres") as connection:
        assert not connection.execute(
            b"select from pg_roles where rolname ~ '^email_tenant_[0-9a-f]'"
        ).rowcount
        kept = connection.execute(b"select m::text from email_moves m").fetchall()
    assert not [
        row for row in kept if name in row[0] or tenant_id in row[0] or tenant_id.replace("-", "") in row[0]
    ]


def _objects_of(places: Places, backend: str, tenant_id: str) -> list[str]:
    if backend == "postgres":
        return []
    return [each for each in places.objects(backend, "ours") if tenant_id in each]


def test_every_table_of_the_catalog_is_emptied() -> None:
    """With a row of each of three tenants in whatever table there is: the next one is in it by itself."""
    with running_store() as own:
        with own.connect("postgres") as connection:
            fill(connection, Catalog(connection))
            connection.execute(b"update email_holds set released_at = 1")  # else nothing may be erased
        before = {tenant: _rows(own, tenant.id) for tenant in (OWN, OTHER, THIRD)}
        assert all(before[OWN].values())
        said = _erase(own, _name(own, OWN))
        assert said["removed"]["rows"] == before[OWN]
        assert set(_rows(own, OWN.id).values()) == {0}
        assert {tenant: _rows(own, tenant.id) for tenant in (OTHER, THIRD)} == {
            tenant: before[tenant] for tenant in (OTHER, THIRD)
        }


def _name(store: Store, tenant: Tenant) -> str:
    return next(each["name"] for each in store.json("tenant", "list")["items"] if each["id"] == tenant.id)


@pytest.mark.parametrize("backend", BACKENDS)
def test_an_erasure_that_was_killed_is_completed_by_the_next_and_reported_whole(
    store: Store, places: Places, tmp_path: Path, backend: str
) -> None:
    place, report = places.of(backend, "ours"), tmp_path / "report.json"
    name, neighbour = filled(store, tmp_path, **place), filled(store, tmp_path, **place)
    theirs, tenant_id = exported(store, neighbour, tmp_path / "1.tar", **place), _id(store, name)
    before = _rows(store, tenant_id)
    with stopped_at(store, "email_search_entries") as wait:  # while it still looks what there is
        running = program(store, *_command(name, report), **place)
        wait()
        killed(running)
    until(lambda: _is_quiet(store))
    assert _rows(store, tenant_id) == before
    for table, gone in (
        ("email_messages", "email_placements"),
        ("email_blobs", "email_messages"),
        ("email_tenants", "email_blobs"),
    ):
        _killed_at(store, table, tenant_id, _command(name, report), place)
        left = _rows(store, tenant_id)
        assert (left[gone], left[table] > 0, left["email_tenants"]) == (0, True, 1)
        assert not report.exists()
    said = _erase(store, name, "--report", str(report), **place)
    assert said["removed"]["rows"] == before
    assert set(_rows(store, tenant_id).values()) == {0}
    assert _objects_of(places, backend, tenant_id) == []
    assert exported(store, neighbour, tmp_path / "2.tar", **place) == theirs
    assert store.cli("report", "verify", str(report)).returncode == 0


def test_nothing_is_held_any_more_once_an_erasure_has_begun(store: Store, tmp_path: Path) -> None:
    name = filled(store, tmp_path)
    tenant_id = _id(store, name)
    command = _command(name, tmp_path / "r")
    _killed_at(store, "email_messages", tenant_id, command, {})
    for refused in (
        ("hold", "add", "-t", name, "case-1"),
        ("search", "-t", name, "x"),
        ("tenant", "export", name, str(tmp_path / "late.tar")),
    ):
        done = store.cli(*refused, check=False)
        assert done.returncode == 13, refused
        (sentence,) = [line for line in done.stderr.splitlines() if line.startswith("postroom:")]
        assert f"Tenant {name} is being erased" in sentence
    assert not (tmp_path / "late.tar").exists()
    assert store.json("hold", "list", "-t", name)["items"] == []
    store.cli(*command)
    assert set(_rows(store, tenant_id).values()) == {0}


def test_an_erasure_waits_for_who_makes_a_hold_and_removes_nothing(store: Store, tmp_path: Path) -> None:
    name = filled(store, tmp_path)
    tenant_id, login = _id(store, name), store.cli("tenant", "login", name).stdout.strip()
    before = _rows(store, tenant_id)

    async def hold(tx: TenantTx) -> None:
        await holds.add(tx, "case-1")

    erasing = started_before_the_end_of(store, UUID(tenant_id), hold, *_command(name, tmp_path / "r"))
    _, said = erasing.communicate()
    assert erasing.returncode == 13
    assert "is held by case-1" in said
    assert _rows(store, tenant_id) == before | {
        "email_holds": 1,
        "email_audit_log": before["email_audit_log"] + 1,
    }
    with psycopg.connect(login) as connection:
        assert connection.execute(b"select from email_messages").rowcount == before["email_messages"]
    store.cli("hold", "release", "-t", name, "case-1")
    _erase(store, name)


def _command(name: str, report: Path) -> tuple[str, ...]:
    return ("tenant", "erase", name, "--yes-erase", name, "--report", str(report))


def _killed_at(
    store: Store, table: str, tenant_id: str, command: tuple[str, ...], place: dict[str, str]
) -> None:
    """A lock on the rows of one table lets those before it go, and stops it there."""
    with store.connect("postgres") as connection, connection.transaction():
        connection.execute(f"select from {table} where tenant_id = %s for update".encode(), [tenant_id])
        running = program(store, *command, **place)
        with store.connect("postgres") as other:
            until(lambda: bool(other.execute(b"select from pg_locks where not granted").rowcount))
        killed(running)
    until(lambda: _is_quiet(store))


def _is_quiet(store: Store) -> bool:
    with store.connect("postgres") as connection:
        return not connection.execute(b"select from pg_stat_activity where usename = 'email_owner'").rowcount


def test_who_was_erased_can_come_back_from_an_archive(store: Store, tmp_path: Path) -> None:
    name, archive = filled(store, tmp_path), tmp_path / "a.tar"
    left = exported(store, name, archive)
    _erase(store, name)
    store.cli("tenant", "import", str(archive))
    assert exported(store, name, tmp_path / "b.tar") == left == hashes(archive)
    tenant_id = manifest(archive)["tenant"]["id"]
    before = _rows(store, tenant_id)
    assert _erase(store, name)["removed"]["rows"] == before


def test_objects_without_a_row_go_as_well(store: Store, places: Places, tmp_path: Path) -> None:
    place = places.of("local", "ours")
    name = filled(store, tmp_path, **place)
    orphan = tmp_path / "ours" / _id(store, name) / "aa" / ("aa" * 32)
    orphan.parent.mkdir(exist_ok=True)
    orphan.write_bytes(b"left behind")
    removed = _erase(store, name, **place)["removed"]
    assert (removed["objects_without_a_row"], removed["bytes_without_a_row"]) == (1, 11)
    assert not orphan.parent.parent.exists()


def test_blobs_that_lie_where_the_store_kept_them_before_go_as_well(
    store: Store, places: Places, tmp_path: Path
) -> None:
    name = filled(store, tmp_path, **places.of("local", "ours"))
    tenant_id = _id(store, name)
    assert _objects_of(places, "local", tenant_id)
    _erase(store, name)  # new blobs go to the database meanwhile
    assert _objects_of(places, "local", tenant_id) == []


def test_a_blob_store_that_is_not_there_ends_it_and_it_goes_on_later(
    store: Store, places: Places, tmp_path: Path
) -> None:
    place = places.of("local", "ours")
    name = filled(store, tmp_path, **place)
    tenant_id = _id(store, name)
    (tmp_path / "ours").rename(tmp_path / "unmounted")
    done = store.cli("tenant", "erase", name, "--yes-erase", name, check=False, **place)
    assert (done.returncode, done.stderr.count("\n")) == (7, 1)
    assert "the folder is not there" in done.stderr
    assert _rows(store, tenant_id)["email_blobs"]
    (tmp_path / "unmounted").rename(tmp_path / "ours")
    assert _erase(store, name, **place)["looked_into"]["objects_left"] == 0
    assert _objects_of(places, "local", tenant_id) == []


def test_nothing_is_erased_without_the_name_said_twice(store: Store) -> None:
    name = store.tenant()
    for options in ((), ("--yes-erase", "another")):
        done = store.cli("tenant", "erase", name, *options, check=False)
        assert done.returncode == 2
        assert f"add --yes-erase {name}" in done.stderr
    assert name in store.cli("tenant", "list").stdout
    gone = store.cli("tenant", "erase", "nobody-here", "--yes-erase", "nobody-here", check=False)
    assert gone.returncode == 3


def test_a_report_that_is_there_is_written_over_only_when_it_is_of_the_same_erasure(
    store: Store, tmp_path: Path
) -> None:
    name, report = store.tenant(), tmp_path / "report.json"
    report.write_text("something of somebody")
    done = store.cli(*_command(name, report), check=False)
    assert (done.returncode, report.read_text()) == (2, "something of somebody")
    # As if it had been killed between the report and the commit.
    report.write_text(json.dumps({"kind": "postroom.erasure", "tenant": {"id": _id(store, name)}}))
    store.cli(*_command(name, report))
    assert store.json("report", "verify", str(report))["valid"] is True


def test_a_report_is_held_to_what_was_signed(store: Store, elsewhere: Store, tmp_path: Path) -> None:
    name, report = store.tenant(), tmp_path / "report.json"
    _erase(store, name, "--report", str(report))
    key = store.json("report", "key")["public_key"]
    assert store.json("report", "verify", str(report))["valid"] is True
    assert elsewhere.json("report", "verify", str(report), "--key", key)["valid"] is True
    _erase(elsewhere, elsewhere.tenant())
    other = elsewhere.cli("report", "verify", str(report), check=False)
    assert (other.returncode, "it was signed by key" in other.stderr) == (7, True)
    report.write_text(report.read_text().replace('"logins": 0', '"logins": 1'))
    changed = store.cli("report", "verify", str(report), check=False)
    assert (changed.returncode, "it is not what was signed" in changed.stderr) == (7, True)
    report.write_text("[]")
    assert store.cli("report", "verify", str(report), check=False).returncode == 7
    assert (store.home / "signing.key").stat().st_mode & 0o077 == 0
