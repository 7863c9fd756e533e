"""Somebody who changes mail at random."""

from __future__ import annotations

import random

from postroom.model import Account, FolderId, MessageId
from postroom.sql import queries
from postroom.store import folders, intents
from postroom.store.database import TenantTx

_FOLDERS = ("INBOX", "Archive", "Sent", "Trash")
_WORDS = ("\\Seen", "\\Flagged", "$Work", "$Later")


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
