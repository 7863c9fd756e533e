"""The audit trail shows every touch: what was changed, taken out, put in, and by whom each thing was done."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from psycopg.errors import CheckViolation, InsufficientPrivilege

from postroom.model import TenantId
from postroom.store import audit
from postroom.store.database import Database
from tests.support.site import Store

WRITERS, ENTRIES = 8, 12


@pytest.fixture
def tenant(store: Store) -> str:
    """With an account's worth of entries: made, suspended, resumed, and three retentions."""
    name = store.tenant()
    store.cli("tenant", "suspend", name)
    store.cli("tenant", "resume", name)
    for days in ("1d", "2d", "3d"):
        store.cli("tenant", "retention", name, "--keep-deleted", days)
    return name


def _id(store: Store, name: str) -> UUID:
    with store.connect("postgres") as connection:
        found = connection.execute("select tenant_id from email_tenants where name = %s", [name]).fetchone()
    assert found
    return found[0]


def _touch(store: Store, tenant: str, statement: str) -> None:
    """As an administrator, whom no grant and no row security binds."""
    with store.connect("postgres") as connection:
        done = connection.execute(statement.encode(), {"tenant": _id(store, tenant)})
        assert done.rowcount == 1


def _faults(store: Store, *which: str) -> list[dict[str, Any]]:
    done = store.cli("audit", "verify", *which, "--json", check=False)
    faults = [fault for each in json.loads(done.stdout)["items"] for fault in each["faults"]]
    assert done.returncode == (14 if faults else 0), done.stderr
    return faults


def test_what_was_done_is_there_with_before_and_after(store: Store, tenant: str) -> None:
    newest, *_, oldest = store.json("audit", "list", "-t", tenant)["items"]
    assert (oldest["action"], oldest["object_type"], oldest["object_id"]) == (
        "tenant.create",
        "tenant",
        str(_id(store, tenant)),
    )
    assert newest["actor_role"] == "email_owner"
    assert (newest["before"], newest["after"]) == ({"keep_deleted_days": 2}, {"keep_deleted_days": 3})
    assert _faults(store, "-t", tenant) == []


def test_the_list_comes_a_page_at_a_time_and_of_one_thing(store: Store, tenant: str) -> None:
    page = store.json("audit", "list", "-t", tenant, "-n", "4")
    rest = store.json("audit", "list", "-t", tenant, "-n", "4", "--cursor", page["next"])
    assert (len(page["items"]), len(rest["items"]), rest["next"]) == (4, 2, None)
    of = f"tenant:{_id(store, tenant)}"
    assert len(store.json("audit", "list", "-t", tenant, "--of", of)["items"]) == 6
    assert store.json("audit", "list", "-t", tenant, "--of", f"tenant:{uuid4()}")["items"] == []


@pytest.mark.parametrize(
    ("touch", "place", "what"),
    [
        ("update email_audit_log set after = '{}' where tenant_id = %(tenant)s and place = 4", 4, "changed"),
        ("update email_audit_log set at = at + 1 where tenant_id = %(tenant)s and place = 6", 6, "changed"),
        (
            "update email_audit_log set actor_role = 'x' where tenant_id = %(tenant)s and place = 1",
            1,
            "changed",
        ),
        ("delete from email_audit_log where tenant_id = %(tenant)s and place = 3", 3, "is missing"),
        ("delete from email_audit_log where tenant_id = %(tenant)s and place = 1", 1, "is missing"),
        ("delete from email_audit_log where tenant_id = %(tenant)s and place = 6", 6, "missing at the end"),
        ("delete from email_audit_heads where tenant_id = %(tenant)s", 6, "behind the end"),
        (
            "insert into email_audit_log select tenant_id, gen_random_uuid(), at, actor_role, user_id, api_key_id, action,"
            " object_type, object_id, before, after, place, previous_hash, hash from email_audit_log"
            " where tenant_id = %(tenant)s and place = 2",
            2,
            "put in",
        ),
        (
            "insert into email_audit_log select tenant_id, gen_random_uuid(), at, actor_role, user_id, api_key_id, action,"
            " object_type, object_id, before, after, 7, hash, hash from email_audit_log"
            " where tenant_id = %(tenant)s and place = 6",
            7,
            "changed",
        ),
    ],
)
def test_a_touched_entry_is_named(store: Store, tenant: str, touch: str, place: int, what: str) -> None:
    _touch(store, tenant, touch)
    faults = _faults(store, "-t", tenant)
    assert any(each["place"] == place and what in each["what"] for each in faults), faults
    sentence = store.cli("audit", "verify", "-t", tenant, check=False).stderr
    assert tenant in sentence
    assert f"entry {faults[0]['place']}" in sentence


def test_an_entry_before_the_first_place_is_named(store: Store, tenant: str, tmp_path: Path) -> None:
    put_in = (
        b"insert into email_audit_log select tenant_id, gen_random_uuid(), at, actor_role, user_id, api_key_id, action,"
        b" object_type, object_id, before, after, %s, previous_hash, hash from email_audit_log"
        b" where tenant_id = %s and place = 1"
    )
    with store.connect("postgres") as connection:
        for place in (0, -(2**63)):
            with pytest.raises(CheckViolation):
                connection.execute(put_in, [place, _id(store, tenant)])
        row = connection.execute(
            b"select conname from pg_constraint where conrelid = 'email_audit_log'::regclass"
            b" and pg_get_constraintdef(oid) like '%place > 0%'"
        ).fetchone()
        assert row
        connection.execute(f"alter table email_audit_log drop constraint {row[0]}".encode())
        try:
            for place in (0, -(2**63)):
                connection.execute(put_in, [place, _id(store, tenant)])
            faults = _faults(store, "-t", tenant)
            assert {each["place"] for each in faults if "put in" in each["what"]} == {0, -(2**63)}
            store.cli("audit", "export", "-t", tenant, str(tmp_path / "trail"))
            exported = _faults(store, "--file", str(tmp_path / "trail"))
            assert {each["place"] for each in exported if "put in" in each["what"]} == {0, -(2**63)}
        finally:
            connection.execute(b"delete from email_audit_log where place < 1")
            connection.execute(
                f"alter table email_audit_log add constraint {row[0]} check (place > 0)".encode()
            )


def test_an_entry_made_anew_with_a_right_hash_does_not_fit_the_next(store: Store, tenant: str) -> None:
    """The hash is no secret: whoever changes one entry must change all behind it, and the head."""
    from postroom.store.audit_chain import hash_of

    owner = _id(store, tenant)
    with store.connect("postgres") as connection:
        names = "id, place, at, actor_role, user_id, api_key_id, action, object_type, object_id, after, previous_hash"
        row = connection.execute(
            f"select {names} from email_audit_log where tenant_id = %s and place = 3".encode(), [owner]
        ).fetchone()
        assert row
        forged = dict(zip(names.split(", "), row, strict=True)) | {"action": "tenant.forged", "before": None}
        connection.execute(
            b"update email_audit_log set action = 'tenant.forged', hash = %s where tenant_id = %s and place = 3",
            [hash_of(owner, forged), owner],
        )
    (fault,) = _faults(store, "-t", tenant)
    assert (fault["place"], "does not follow" in fault["what"]) == (4, True)


def test_writers_at_the_same_time_make_one_chain(store: Store, tenant: str) -> None:
    owner = TenantId(_id(store, tenant))

    async def write(db: Database) -> None:
        for number in range(ENTRIES):
            async with db.tenant(owner) as tx:
                await audit.append(tx, "account.sync", "account", uuid4(), after={"ä": number})

    async def work() -> None:
        async with Database(store.site.url("email_service"), max_connections=WRITERS) as db:
            await asyncio.gather(*(write(db) for _ in range(WRITERS)))

    asyncio.run(work())
    assert _faults(store, "-t", tenant) == []
    assert store.json("audit", "verify", "-t", tenant)["items"][0]["entries"] == 6 + WRITERS * ENTRIES
    times = [each["at"] for each in store.json("audit", "list", "-t", tenant, "-n", "1000")["items"]]
    assert times == sorted(times, reverse=True)


@pytest.mark.parametrize("role", ["email_service", "email_worker", "email_readonly", "email_monitor"])
@pytest.mark.parametrize(
    "statement",
    [
        "insert into email_audit_log (tenant_id, id, at, actor_role, action, object_type, place, previous_hash, hash)"
        " values (gen_random_uuid(), gen_random_uuid(), 0, '', '', '', 1, '', '')",
        "update email_audit_log set action = ''",
        "delete from email_audit_log",
        "truncate email_audit_log",
        "update email_audit_heads set place = 0",
        "delete from email_audit_heads",
        "select email_audit_drop('2020-01-01')",
        "select email_audit_month('2020-01-01')",
    ],
)
def test_nobody_but_the_owner_writes_by_hand(store: Store, role: str, statement: str) -> None:
    with store.connect(role) as connection:
        connection.execute(b"set default_transaction_read_only = off")
        with pytest.raises(InsufficientPrivilege):
            connection.execute(statement.encode())


def test_no_login_says_that_it_was_another_or_another_tenant(store: Store, tenant: str) -> None:
    with store.connect("email_service") as connection:
        connection.execute(f"set app.current_tenant_id = '{_id(store, tenant)}'".encode())
        about = """'{"object_type": "x", "actor_role": "postgres"}'"""
        connection.execute(
            f"select email_audit_append('{_id(store, tenant)}', gen_random_uuid(), 'a', {about})".encode()
        )
        with pytest.raises(InsufficientPrivilege):
            connection.execute(
                f"select email_audit_append('{uuid4()}', gen_random_uuid(), 'a', {about})".encode()
            )
    assert store.json("audit", "list", "-t", tenant)["items"][0]["actor_role"] == "email_service"


def test_the_next_months_are_there_ahead_and_made_when_they_are_not(store: Store, tenant: str) -> None:
    with store.connect("postgres") as connection:
        ahead = "select to_char(now() at time zone 'UTC' + interval '1 month', '\"email_audit_log_\"YYYY_MM')"
        row = connection.execute(ahead.encode()).fetchone()
        assert row
        connection.execute(f"drop table {row[0]}".encode())
        store.cli("tenant", "retention", tenant, "--keep-deleted", "9d")
        found = connection.execute("select to_regclass(%s) is not null", [row[0]]).fetchone()
    assert found == (True,)


def test_an_export_is_followed_without_the_database(store: Store, tenant: str, tmp_path: Path) -> None:
    file = tmp_path / "trail.jsonl"
    assert store.json("audit", "export", "-t", tenant, str(file))["exported"] == 6
    assert _faults(store, "--file", str(file)) == []
    lines = file.read_text().splitlines()
    for changed in (
        [line.replace("tenant.suspend", "tenant.nothing") for line in lines],
        [*lines[:2], *lines[3:]],
        [*lines[:5], lines[6]],
    ):
        file.write_text("\n".join(changed))
        assert _faults(store, "--file", str(file))
    file.write_text("not json\n")
    assert store.cli("audit", "verify", "--file", str(file), check=False).returncode == 4
    assert store.cli("audit", "export", "-t", tenant, str(file), check=False).returncode == 10


def test_an_old_month_is_dropped_and_the_trail_says_so(store: Store, tenant: str) -> None:
    owner = _id(store, tenant)
    with store.connect("postgres") as connection:
        connection.execute(b"select email_audit_month('2020-03-01')")
        connection.execute(
            b"insert into email_audit_log (tenant_id, id, at, actor_role, action, object_type, place, previous_hash, hash)"
            b" values (%s, gen_random_uuid(), 1583884800000, 'x', 'old', 'x', 1, '', '\\xab')",
            [owner],
        )
        connection.execute(b"insert into email_audit_heads values (%s, '2020-03-01', 1, '\\xab')", [owner])
    store.cli("hold", "add", "-t", tenant, "case")
    held = store.cli("audit", "drop", "--before", "2021-01", check=False)
    assert held.returncode == 13
    assert "case" in held.stderr
    store.cli("hold", "release", "-t", tenant, "case")
    assert store.json("audit", "drop", "--before", "2021-01")["items"] == [{"month": "2020-03", "entries": 1}]
    assert store.json("audit", "drop", "--before", "2021-01")["items"] == []
    newest = store.json("audit", "list", "-t", tenant, "-n", "1")["items"][0]
    assert (newest["action"], newest["before"]) == (
        "audit.drop",
        {"month": "2020-03", "entries": 1, "hash": "ab"},
    )
    assert _faults(store, "-t", tenant) == []
    assert store.cli("audit", "drop", "--before", "2999-01", check=False).returncode == 2
