"""Accounts: rows in, values out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from postroom.errors import NotFound
from postroom.ids import new_id, now_ms
from postroom.model import Account, AccountId, CredentialId, Encryption, Protocol_, UserId
from postroom.sql import queries
from postroom.store.database import TenantTx

QUERIES = queries("accounts")
INTERRUPTED = "the sync was interrupted"
LOST_AFTER_SECONDS = 60
_COLUMNS = [each.name for each in fields(Account)]


async def by_email(tx: TenantTx, email_address: str) -> Account:
    """The account of this address. Raises NotFound."""
    rows = await tx.rows(QUERIES.by_email, email_address=email_address.lower())
    if not rows:
        mend = "See them: postroom account list. Add it: postroom account add --help."
        raise NotFound(what="account", name=email_address, mend=mend)
    return _account(rows[0])


async def by_id(tx: TenantTx, account_id: AccountId) -> Account:
    """The account. Raises NotFound, also for what belongs to somebody else."""
    rows = await tx.rows(QUERIES.by_id, account_id=account_id)
    if not rows:
        raise NotFound(what="account", name=str(account_id), mend="See them: postroom account list.")
    return _account(rows[0])


async def set_following(
    tx: TenantTx,
    account_id: AccountId,
    *,
    account_name: str | None,
    is_sync_enabled: bool,
    sync_interval: int,
) -> bool:
    """Its name, and whether and how often (in seconds) it is kept in step. False: it may not be changed."""
    values = {
        "account_name": account_name,
        "is_sync_enabled": is_sync_enabled,
        "sync_interval": sync_interval,
    }
    return bool(await tx.run(QUERIES.set_following, account_id=account_id, at=now_ms(), **values))


async def all_accounts(tx: TenantTx) -> list[Account]:
    """The accounts of the tenant by address."""
    return [_account(row) for row in await tx.rows(QUERIES.all_accounts)]


async def ensure(tx: TenantTx, email_address: str, *, user_id: UserId | None = None) -> Account:
    """The account of this address, made when it is not there."""
    await create(tx, email_address, user_id=user_id)
    return await by_email(tx, email_address)


async def create(
    tx: TenantTx, email_address: str, *, account_name: str | None = None, user_id: UserId | None = None
) -> AccountId | None:
    """A new account, for `user_id` or whoever the transaction is of; None when the tenant has the address already."""
    made = await tx.rows(
        QUERIES.create,
        id=new_id(),
        user_id=user_id or tx.user_id,
        account_name=account_name,
        email_address=email_address.lower(),
        at=now_ms(),
    )
    return AccountId(made[0]["id"]) if made else None


async def connect(
    tx: TenantTx,
    account_id: AccountId,
    *,
    protocol: Protocol_,
    hostname: str,
    port: int,
    encryption: Encryption,
    username: str,
    credential_id: CredentialId,
    ca_pem: str | None = None,
    server_keep_days: int | None = None,
) -> None:
    """Say where the account's mailbox is and how to get in."""
    await tx.run(
        QUERIES.connect,
        account_id=account_id,
        protocol=protocol,
        hostname=hostname,
        port=port,
        encryption=encryption,
        username=username,
        credential_id=credential_id,
        ca_pem=ca_pem,
        server_keep_days=server_keep_days,
        at=now_ms(),
    )


async def pause(tx: TenantTx, account_id: AccountId, *, is_paused: bool) -> None:
    """Whether the account is left out when accounts are synced by themselves."""
    await tx.run(QUERIES.pause, account_id=account_id, is_sync_enabled=not is_paused, at=now_ms())


async def remove(tx: TenantTx, account_id: AccountId) -> None:
    """Mark the account as deleted, and let go of its credential. Its mail stays in the tables, marked by it."""
    await tx.run(QUERIES.remove, account_id=account_id, at=now_ms())


async def sync_goes_on(tx: TenantTx, account_id: AccountId) -> None:
    """A sync has begun, or is still at work: to be said more often than every `LOST_AFTER_SECONDS`."""
    await tx.run(QUERIES.sync_goes_on, account_id=account_id, at=now_ms())


async def sync_ended(tx: TenantTx, account_id: AccountId, *, last_error: str | None) -> None:
    """`last_sync_at` moves only when there was no error."""
    await tx.run(QUERIES.sync_ended, account_id=account_id, last_error=last_error, at=now_ms())


async def sync_paused(tx: TenantTx, account_id: AccountId) -> None:
    """A sync has made room for others: what it did is kept, and the rest is to come."""
    await tx.run(QUERIES.sync_paused, account_id=account_id, at=now_ms())


async def watch_folders(tx: TenantTx, account_id: AccountId, names: Sequence[str]) -> None:
    """Which folders are waited on for news; all others are looked at in intervals."""
    await tx.run(QUERIES.watch_folders, account_id=account_id, folders=list(names), at=now_ms())


async def end_lost_syncs(tx: TenantTx) -> None:
    """Let the accounts whose sync was killed say so: nothing was heard of it for `LOST_AFTER_SECONDS`."""
    now = now_ms()
    before = now - LOST_AFTER_SECONDS * 1000
    await tx.run(QUERIES.end_lost_syncs, last_error=INTERRUPTED, before=before, at=now)


def _account(row: dict[str, Any]) -> Account:
    return Account(**{name: row[name] for name in _COLUMNS})
