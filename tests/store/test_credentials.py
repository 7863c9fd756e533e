"""Credentials: sealed with a key that the database does not have, and bound to where they lie."""

from __future__ import annotations

import pytest

from postroom.errors import StoreError
from postroom.model import Account, AccountId, CredentialId, TenantId
from postroom.store import accounts
from postroom.store.credentials import MasterKey, get_password, put_password
from postroom.store.database import Database, TenantTx
from tests.store.mailroom import new_tenant
from tests.support.site import Store

pytestmark = pytest.mark.anyio
KEY = MasterKey("first", bytes(32))
COPY = """
insert into email_credentials (tenant_id, id, account_id, kind, key_id, wrapped_key, ciphertext, created_at, updated_at)
select %s, %s, %s, %s, key_id, wrapped_key, ciphertext, 0, 0 from email_credentials where id = %s
"""


@pytest.mark.parametrize("secret", ["hunter2", "", "päß wörd", "x" * 5000])
async def test_a_password_comes_back_as_it_was(tx: TenantTx, account: Account, secret: str) -> None:
    credential_id = await put_password(tx, account.id, secret, KEY)
    assert await get_password(tx, credential_id, KEY) == secret


async def test_the_database_does_not_know_it_and_two_of_the_same_differ(
    store: Store, db: Database, tenant_id: TenantId
) -> None:
    async with db.tenant(tenant_id) as tx:
        account = await accounts.ensure(tx, "me@example.com")
        for _ in range(2):
            await put_password(tx, account.id, "the very secret", KEY)
    with store.connect("postgres") as connection:
        question = b"select ciphertext, wrapped_key from email_credentials where tenant_id = %s"
        (one, key), (other, _) = connection.execute(question, [tenant_id]).fetchall()
    assert one != other
    assert b"secret" not in one + key


async def test_another_key_does_not_open_it_and_both_are_named(tx: TenantTx, account: Account) -> None:
    credential_id = await put_password(tx, account.id, "secret", KEY)
    with pytest.raises(StoreError, match="sealed with key first, and key second does not open it"):
        await get_password(tx, credential_id, MasterKey("second", b"2" * 32))


async def test_a_credential_that_is_not_there_is_one_sentence(tx: TenantTx, account: Account) -> None:
    with pytest.raises(StoreError, match="no credential"):
        await get_password(tx, CredentialId(account.id), KEY)


@pytest.mark.parametrize("moved", ["to another account", "to another tenant", "to another kind"])
async def test_an_envelope_that_was_moved_does_not_open(
    store: Store, db: Database, tenant_id: TenantId, moved: str
) -> None:
    async with db.tenant(tenant_id) as tx:
        account = await accounts.ensure(tx, "me@example.com")
        other = await accounts.ensure(tx, "other@example.com")
        credential_id = await put_password(tx, account.id, "secret", KEY)
    where = new_tenant(store) if moved == "to another tenant" else tenant_id
    whose: AccountId = other.id if moved == "to another account" else account.id
    kind = "oauth2" if moved == "to another kind" else "password"
    with store.connect("postgres") as connection:
        connection.execute(COPY.encode(), [where, other.id, whose, kind, credential_id])
    async with db.tenant(where) as tx:
        with pytest.raises(StoreError, match="does not open it"):
            await get_password(tx, CredentialId(other.id), KEY)


def test_a_master_key_does_not_show_itself() -> None:
    assert repr(MasterKey("first", b"s" * 32)) == "MasterKey('first')"
