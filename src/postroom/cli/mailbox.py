"""The mailbox of an account on its server, as the commands open it."""

from __future__ import annotations

from typing import Any

from postroom.cli.frame import chosen


async def opened(db: Any, owner: Any, account: Any) -> Any:
    """Who brings it up to date, and its source, which signs in when it is first used.

    Raises UsageError for an account without a server.
    """
    from postroom.blobs import Blobs
    from postroom.ops.master_key import master_key
    from postroom.sync import opening

    return await opening.opened(db, Blobs(chosen()), chosen(), owner, account, master_key(chosen()))


async def send_due(db: Any, owner: Any, account_id: Any) -> Any:
    """Send what is due of an account; what was done."""
    from postroom.blobs import Blobs
    from postroom.ops.master_key import master_key
    from postroom.outbox.run import run_due
    from postroom.sync.opening import tokens_of

    master = master_key(chosen())
    tokens = tokens_of(db, chosen(), owner, account_id, master)
    return await run_due(db, Blobs(chosen()), chosen(), owner, account_id, master=master, tokens=tokens)
