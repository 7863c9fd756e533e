"""A tenant is suspended, comes back, and gets another name."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

import pytest
from psycopg.errors import InsufficientPrivilege

from tests.support.site import Store

ME = "me@example.com"


@pytest.fixture(scope="module")
def box(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("box") / "box"
    store.cli("sample", str(path), "--messages", "20")
    return path


@pytest.fixture
def tenant(store: Store, box: Path) -> str:
    name = store.tenant()
    store.cli("import", "-t", name, "-a", ME, str(box))
    return name


def _id(store: Store, name: str) -> UUID:
    return UUID(next(each["id"] for each in store.json("tenant", "list")["items"] if each["name"] == name))


def _state(store: Store, name: str) -> str:
    return next(each["state"] for each in store.json("tenant", "list")["items"] if each["name"] == name)


def test_a_suspended_tenant_is_refused_at_the_door(store: Store, tenant: str, box: Path) -> None:
    store.cli("tenant", "suspend", tenant)
    assert _state(store, tenant) == "suspended"
    for command in (
        ("search", "-t", tenant, "x"),
        ("import", "-t", tenant, "-a", ME, str(box)),
        ("sync", "-t", tenant, "-a", ME),
        ("account", "list", "-t", tenant),
        ("export", "-t", tenant, "-a", ME, str(box.with_name("out"))),
        ("message", "delete", "-t", tenant, "--search", "x"),
    ):
        done = store.cli(*command, check=False)
        assert done.returncode == 13, command
        (sentence,) = [line for line in done.stderr.splitlines() if line.startswith("postroom:")]
        assert f"Tenant {tenant} is suspended" in sentence
        assert f"postroom tenant resume {tenant}" in sentence
    other = store.tenant()
    assert store.json("search", "-t", other, "x")["items"] == []
    store.cli("tenant", "resume", tenant)
    assert _state(store, tenant) == "active"
    assert store.json("import", "-t", tenant, "-a", ME, str(box))["already_there"] == 20


def test_operators_go_on(store: Store, tenant: str) -> None:
    store.cli("tenant", "suspend", tenant)
    for command in (
        ("status",),
        ("audit", "list", "-t", tenant),
        ("audit", "verify", "-t", tenant),
        ("hold", "add", "-t", tenant, "case-1"),
        ("hold", "list", "-t", tenant),
        ("hold", "release", "-t", tenant, "case-1"),
        ("purge", "-t", tenant),
        ("tenant", "retention", tenant),
        ("tenant", "suspend", tenant),
        ("tenant", "resume", tenant),
    ):
        store.cli(*command)
    actions = [each["action"] for each in store.json("audit", "list", "-t", tenant)["items"]]
    # To suspend what is suspended is nothing new.
    assert (actions.count("tenant.suspend"), actions.count("tenant.resume")) == (1, 1)


def test_the_application_writes_nothing_for_a_suspended_tenant(store: Store, tenant: str) -> None:
    writes = (
        "update email_accounts set account_name = 'x'",
        "update email_messages set is_read = not is_read",
        "insert into email_folders (id, tenant_id, account_id, name, created_at, updated_at)"
        " select gen_random_uuid(), tenant_id, id, gen_random_uuid()::text, 0, 0 from email_accounts",
        "insert into email_account_shares (tenant_id, user_id, account_id, owner_id, access, created_at, updated_at)"
        " select tenant_id, gen_random_uuid(), id, user_id, 'read', 0, 0 from email_accounts",
        "insert into email_outbox (tenant_id, id, account_id, kind, payload, not_before, created_at, updated_at)"
        " select tenant_id, gen_random_uuid(), id, 'flags', '{}', 0, 0, 0 from email_accounts",
    )
    owner = _id(store, tenant)
    with store.connect("email_service") as connection:
        connection.execute(f"set app.current_tenant_id = '{owner}'".encode())
        for write in writes:
            assert connection.execute(write.encode()).rowcount > 0
        store.cli("tenant", "suspend", tenant)
        for write in writes:
            with pytest.raises(InsufficientPrivilege, match="the tenant is suspended"):
                connection.execute(write.encode())
        row = connection.execute(b"select count(*) from email_messages").fetchone()
        assert row == (20,)
        store.cli("tenant", "resume", tenant)
        for write in writes:
            assert connection.execute(write.encode()).rowcount > 0


def test_a_tenant_gets_another_name_and_stays_what_it_is(store: Store, tenant: str) -> None:
    owner, name, other = _id(store, tenant), f"{tenant}-new", store.tenant()
    assert store.json("tenant", "rename", tenant, name) == {"name": name}
    assert _id(store, name) == owner
    assert len(store.json("search", "-t", name, "-n", "100")["items"]) == 20
    assert store.cli("search", "-t", tenant, "x", check=False).returncode == 3
    for wrong in (other, "No Name"):
        assert store.cli("tenant", "rename", name, wrong, check=False).returncode == 2
    newest = store.json("audit", "list", "-t", name, "-n", "1")["items"][0]
    assert (newest["action"], newest["before"], newest["after"]) == (
        "tenant.rename",
        {"name": tenant},
        {"name": name},
    )


def test_how_long_deleted_mail_is_kept_is_a_number_of_days(store: Store, tenant: str) -> None:
    assert store.json("tenant", "retention", tenant)["keep_deleted_days"] == 30
    assert store.json("tenant", "retention", tenant, "--keep-deleted", "90d")["keep_deleted_days"] == 90
    assert store.json("tenant", "retention", tenant, "--keep-deleted", "forever")["keep_deleted_days"] is None
    assert store.json("tenant", "retention", tenant)["keep_deleted_days"] is None
    for wrong in ("soon", "-1d", "36501d", "²d"):
        done = store.cli("tenant", "retention", tenant, f"--keep-deleted={wrong}", check=False)
        assert done.returncode == 2
