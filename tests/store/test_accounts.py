"""Accounts: one for each address of a tenant, and what the last sync said."""

from __future__ import annotations

import pytest

from postroom.errors import NotFound, StoreError
from postroom.model import Account, TenantId
from postroom.sql import queries
from postroom.store import accounts, credentials
from postroom.store.credentials import MasterKey
from postroom.store.database import Database, TenantTx
from tests.store.mailroom import new_tenant
from tests.support.site import Store

pytestmark = pytest.mark.anyio
WHERE: dict[str, object] = {
    "protocol": "imap",
    "hostname": "mail.example.com",
    "port": 993,
    "encryption": "tls",
    "username": "me",
}


async def test_an_address_is_one_account_however_it_is_written(tx: TenantTx, account: Account) -> None:
    assert await accounts.ensure(tx, "Me@Example.COM") == account
    assert await accounts.by_email(tx, "ME@example.com") == account
    assert await accounts.all_accounts(tx) == [account]


async def test_another_tenant_may_have_the_same_address(
    store: Store, db: Database, tenant_id: TenantId
) -> None:
    for each in (tenant_id, new_tenant(store)):
        async with db.tenant(each) as tx:
            account = await accounts.ensure(tx, "shared@example.com")
            assert account.tenant_id == each


async def test_an_account_that_is_not_there_is_named(tx: TenantTx) -> None:
    with pytest.raises(NotFound, match=r"no account 'who@example\.com'"):
        await accounts.by_email(tx, "who@example.com")


async def test_connecting_says_where_the_mailbox_is_and_clears_the_error(
    tx: TenantTx, account: Account
) -> None:
    await accounts.sync_ended(tx, account.id, last_error="refused")
    credential_id = await credentials.put_password(tx, account.id, "secret", MasterKey("k", bytes(32)))
    await accounts.connect(tx, account.id, **WHERE, credential_id=credential_id)
    found = await accounts.by_email(tx, "me@example.com")
    assert {name: getattr(found, name) for name in WHERE} == WHERE
    assert (found.credential_id, found.last_error) == (credential_id, None)


@pytest.mark.parametrize(
    "value", [{"port": 0}, {"port": 65536}, {"protocol": "gopher"}, {"encryption": "rot13"}]
)
async def test_a_mailbox_that_cannot_be_is_refused(
    tx: TenantTx, account: Account, value: dict[str, object]
) -> None:
    with pytest.raises(StoreError, match=r"accounts\.connect: .*check constraint"):
        await accounts.connect(tx, account.id, **WHERE | value, credential_id=None)


@pytest.mark.parametrize("error", [None, "the server broke off"])
async def test_the_time_of_the_last_sync_moves_only_without_an_error(
    tx: TenantTx, account: Account, error: str | None
) -> None:
    await accounts.sync_goes_on(tx, account.id)
    assert (await accounts.by_email(tx, "me@example.com")).is_syncing
    await accounts.sync_ended(tx, account.id, last_error=error)
    found = await accounts.by_email(tx, "me@example.com")
    assert (found.is_syncing, found.last_error) == (False, error)
    assert (found.last_sync_at is None) == (error is not None)


@pytest.mark.parametrize(
    ("change", "is_due"),
    [
        ("last_sync_at = null", True),
        ("last_sync_at = 1000", True),
        ("last_sync_at = 1001", False),
        ("last_sync_at = 1001, sync_interval = 1", True),
        ("is_sync_enabled = false", False),
        ("is_enabled = false", False),
        ("is_deleted = true", False),
    ],
)
async def test_an_account_is_due_when_its_own_interval_has_passed(
    store: Store, db: Database, tenant_id: TenantId, change: str, is_due: bool
) -> None:
    async with db.tenant(tenant_id) as tx:
        await accounts.ensure(tx, "me@example.com")
    with store.connect("postgres") as connection:
        connection.execute(f"update email_accounts set {change} where tenant_id = %s".encode(), [tenant_id])
    async with db.tenant(tenant_id) as tx:
        assert len(await tx.rows(queries("accounts").due, at=301_000, limit=10)) == is_due
