"""Account removal: an account goes with its secrets. What came from it stays, and the address is free."""

from __future__ import annotations

from postroom.model import AccountId
from postroom.store import accounts, audit, changes, credentials, senders
from postroom.store.database import TenantTx


async def remove(tx: TenantTx, account_id: AccountId) -> None:
    """Of an account that is there."""
    modseq = await changes.next_modseq(tx, account_id)
    await accounts.remove(tx, account_id)
    await senders.forget_secrets(tx, account_id)
    await credentials.forget(tx, account_id)
    await audit.append(tx, "account.remove", "account", account_id)
    await changes.append(tx, account_id, modseq, "deleted", "account", [account_id])
