"""Somebody to be killed: `python -m tests.flow.changing URL TENANT HOME PORT PASSWORD SEED` changes mail at random and tells
the server of it, without end."""

from __future__ import annotations

import asyncio
import random
import sys
from pathlib import Path
from uuid import UUID

from postroom.blobs import Blobs
from postroom.model import Account, FolderId, MessageId, TenantId
from postroom.settings import Settings
from postroom.sql import queries
from postroom.store import accounts, folders, intents
from postroom.store.database import Database, TenantTx
from postroom.sync.account import AccountSync
from postroom.wire.imap import ImapSource

_FOLDERS = ("INBOX", "Archive", "Sent", "Trash")
_WORDS = ("\\Seen", "\\Flagged", "$Work", "$Later")


async def work(url: str, tenant: str, home: str, port: str, password: str, seed: str) -> None:
    chance, settings = random.Random(int(seed)), Settings(home=Path(home))
    tenant_id = TenantId(UUID(tenant))
    async with Database(url) as db:
        async with db.tenant(tenant_id) as tx:
            (account,) = await accounts.all_accounts(tx)
        print("begins", flush=True)
        while True:
            for _ in range(chance.randint(1, 4)):
                async with db.tenant(tenant_id) as tx:
                    await change(tx, account, chance)
            source = ImapSource(
                host="127.0.0.1", port=int(port), encryption="none", username="alice", password=password
            )
            await AccountSync(db, Blobs(settings), settings, tenant_id, account, source).run(
                accept_empty=True
            )
            source.close()


async def change(tx: TenantTx, account: Account, chance: random.Random) -> None:
    known = {each.name: each.id for each in await folders.of_account(tx, account.id)}
    ids = {name: await _lying_in(tx, known[name]) for name in _FOLDERS}
    name = chance.choice([each for each in _FOLDERS if ids[each]] or ["INBOX"])
    some = chance.sample(ids[name], min(len(ids[name]), chance.randint(1, 5)))
    match chance.randint(0, 3):
        case 0:
            await intents.mark(tx, some, add=[chance.choice(_WORDS)])
        case 1:
            await intents.mark(tx, some, remove=[chance.choice(_WORDS)])
        case _:
            to = chance.choice([each for each in _FOLDERS if each != name])
            await intents.move(tx, some, known[to], from_folder_id=known[name])


async def _lying_in(tx: TenantTx, folder_id: FolderId) -> list[MessageId]:
    rows = await tx.rows(queries("intents").lying_in, folder_id=folder_id)
    return sorted(MessageId(row["message_id"]) for row in rows)


if __name__ == "__main__":
    asyncio.run(work(*sys.argv[1:7]))
