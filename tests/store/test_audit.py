"""Audit: who did what, in the transaction that did it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from postroom.model import TenantId
from postroom.sql import queries
from postroom.store import audit
from postroom.store.database import Database, TenantTx
from tests.support.site import Store

pytestmark = pytest.mark.anyio
END = {"before_at": 2**63 - 1, "before_id": UUID(int=2**128 - 1)}


async def _newest(tx: TenantTx, **position: Any) -> list[dict[str, Any]]:
    return await tx.rows(queries("audit").newest, limit=2, **END | position)


async def test_an_entry_says_who_and_what(tx: TenantTx) -> None:
    await audit.append(tx, "account.connect", "account", UUID(int=1), after={"hostname": "mail.example.com"})
    (found,) = await _newest(tx)
    assert found["actor_role"] == "email_worker"
    assert (found["action"], found["object_type"], found["object_id"]) == (
        "account.connect",
        "account",
        UUID(int=1),
    )
    assert (found["before"], found["after"]) == (None, {"hostname": "mail.example.com"})


async def test_the_trail_comes_newest_first_a_page_at_a_time(tx: TenantTx) -> None:
    for action in ("one", "two", "three"):
        await audit.append(tx, action, "account")
    page = await _newest(tx)
    rest = await _newest(tx, before_at=page[-1]["at"], before_id=page[-1]["id"])
    found = [*page, *rest]
    assert sorted(each["action"] for each in found) == ["one", "three", "two"]
    assert found == sorted(found, key=lambda each: (each["at"], each["id"]), reverse=True)


async def test_the_trail_of_one_thing_is_its_own(tx: TenantTx) -> None:
    for number in (1, 2, 1):
        await audit.append(tx, "account.sync", "account", UUID(int=number))
    question = queries("audit").of_object
    found = await tx.rows(question, object_type="account", object_id=UUID(int=1), limit=10, **END)
    assert [each["object_id"] for each in found] == [UUID(int=1)] * 2


async def test_what_was_rolled_back_was_not_done(db: Database, tenant_id: TenantId) -> None:
    async def fail() -> None:
        async with db.tenant(tenant_id) as tx:
            await audit.append(tx, "account.sync", "account")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fail()
    async with db.tenant(tenant_id) as tx:
        assert await _newest(tx) == []


@pytest.mark.parametrize("role", ["email_service", "email_worker"])
@pytest.mark.parametrize("change", ["update email_audit_log set action = ''", "delete from email_audit_log"])
async def test_nobody_rewrites_the_trail(store: Store, role: str, change: str) -> None:
    with store.connect(role) as connection, pytest.raises(Exception, match="permission denied"):
        connection.execute(change.encode())
