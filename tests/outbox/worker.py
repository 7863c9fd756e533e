"""A worker to be killed: `python -m tests.outbox.worker URL TENANT ACCOUNT HOME` sends until nothing is due."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import replace
from pathlib import Path
from uuid import UUID

from postroom.blobs import Blobs
from postroom.model import AccountId, TenantId
from postroom.outbox.run import run_due
from postroom.settings import load
from postroom.store.credentials import MasterKey
from postroom.store.database import Database


async def work(url: str, tenant: str, account: str, home: str) -> None:
    settings = replace(load({}, home=Path(home)), smtp_timeout_seconds=5, outbox_lost_after_seconds=0)
    async with Database(url) as db:
        ids = TenantId(UUID(tenant)), AccountId(UUID(account))
        print("begins", flush=True)
        await run_due(db, Blobs(settings), settings, *ids, master=MasterKey("test", bytes(32)))


if __name__ == "__main__":
    asyncio.run(work(*sys.argv[1:5]))
