"""Opening: the mailbox of an account, with its secret."""

from __future__ import annotations

from postroom.errors import UsageError
from postroom.model import Account
from postroom.settings import Settings
from postroom.store import credentials
from postroom.store.credentials import MasterKey
from postroom.store.database import TenantTx
from postroom.wire.imap import ImapSource


async def source_of(tx: TenantTx, account: Account, settings: Settings, master: MasterKey) -> ImapSource:
    """Nothing is connected yet. Raises UsageError for an account without a server, StoreError for a sealed secret."""
    if account.hostname is None or account.credential_id is None:
        raise UsageError(
            reason=f"{account.email_address} has no server yet. Give it one: postroom account add --help."
        )
    password = await credentials.get_password(tx, account.credential_id, master)
    return ImapSource(
        host=account.hostname,
        port=account.port or 993,
        encryption=account.encryption or "tls",
        username=account.username or account.email_address,
        password=password,
        ca_file=settings.ca_file,
        timeout_seconds=settings.imap_timeout_seconds,
    )
