"""The mailbox of an account on its server, as the commands open it."""

from __future__ import annotations

from typing import Any

from postroom.cli.frame import chosen
from postroom.errors import UsageError


async def opened(db: Any, owner: Any, account: Any) -> Any:
    """A source that signs in when it is first used. Raises UsageError for an account without a server."""
    from postroom.ops.master_key import master_key
    from postroom.store import credentials
    from postroom.wire.imap import ImapSource

    if account.hostname is None or account.credential_id is None:
        raise UsageError(
            reason=f"{account.email_address} has no server yet. Give it one: postroom account add --help."
        )
    async with db.tenant(owner) as tx:
        password = await credentials.get_password(tx, account.credential_id, master_key(chosen()))
    return ImapSource(
        host=account.hostname,
        port=account.port or 993,
        encryption=account.encryption or "tls",
        username=account.username or account.email_address,
        password=password,
        ca_file=chosen().ca_file,
        ca_pem=account.ca_pem,
        timeout_seconds=chosen().imap_timeout_seconds,
        whole_bytes=chosen().imap_whole_bytes,
    )
