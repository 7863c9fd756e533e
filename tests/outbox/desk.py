"""A desk with an account that can send: write, run the outbox, look at what became of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from postroom.blobs import Blobs
from postroom.compose.addresses import mailboxes
from postroom.compose.letter import Letter
from postroom.ids import now_ms
from postroom.model import Account, Address, OutboxId, TenantId
from postroom.outbox.run import Tally, run_due
from postroom.posting import post, stamp_for
from postroom.settings import Settings, load
from postroom.store import accounts, senders, sends
from postroom.store.credentials import MasterKey
from postroom.store.database import Database
from postroom.store.senders import Sender
from tests.support.site import Store
from tests.support.smtp import SmtpServer

MASTER = MasterKey("test", bytes(32))


@dataclass
class Desk:
    db: Database
    blobs: Blobs
    tenant_id: TenantId
    account: Account
    settings: Settings
    store: Store
    sender: Sender

    async def write(
        self, subject: str = "Hello", to: str = "bob@example.com", *, key: str | None = None, in_seconds: float = 0,
        **more: Any,
    ) -> OutboxId:  # fmt: skip
        letter = Letter(
            from_=Address(address=self.account.email_address),
            to=mailboxes([to]),
            subject=subject,
            text="Hi",
            **more,
        )
        stamp = stamp_for(self.account.email_address, uuid4(), datetime.now(UTC))
        due = now_ms() + int(in_seconds * 1000)
        async with self.db.tenant(self.tenant_id) as tx:
            found, _ = await post(
                tx, self.blobs, self.account.id, letter, stamp, not_before=due, idempotency_key=key
            )
        return found

    async def run(self) -> Tally:
        return await run_due(
            self.db,
            self.blobs,
            self.settings,
            self.tenant_id,
            self.account.id,
            master=MASTER,
            chance=lambda: 0.5,
        )

    async def row(self, outbox_id: OutboxId) -> dict[str, Any]:
        async with self.db.tenant(self.tenant_id) as tx:
            return await sends.get(tx, outbox_id)

    async def state(self, outbox_id: OutboxId) -> str:
        return (await self.row(outbox_id))["state"]

    async def recipients(self, outbox_id: OutboxId) -> dict[str, str]:
        async with self.db.tenant(self.tenant_id) as tx:
            return {row["address"]: row["state"] for row in await sends.recipients_of(tx, outbox_id)}

    async def send_by(self, **changes: Any) -> None:
        """Change how the account sends."""
        self.sender = replace(self.sender, **changes)
        async with self.db.tenant(self.tenant_id) as tx:
            await senders.put(tx, self.account.id, self.sender)

    def impatient(self, **more: int) -> None:
        self.settings = replace(
            self.settings, **{"smtp_timeout_seconds": 1, "outbox_lost_after_seconds": 0, **more}
        )

    def later(self, seconds: float = 7200) -> None:
        """As if so much time had gone by: whatever waits is due."""
        with psycopg.connect(self.store.site.url("postgres"), autocommit=True) as connection:
            statement = "update email_outbox set not_before = not_before - %s, updated_at = updated_at - %s"
            connection.execute((statement + " where tenant_id = %s").encode(), [
                int(seconds * 1000), int(seconds * 1000), self.tenant_id,
            ])  # fmt: skip
            connection.execute(
                b"update email_sends set copy_not_before = copy_not_before - %s where tenant_id = %s",
                [int(seconds * 1000), self.tenant_id],
            )


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    return Blobs(load({}, home=tmp_path))


@pytest.fixture
async def desk(
    db: Database, blobs: Blobs, tenant_id: TenantId, store: Store, smtp: SmtpServer, tmp_path: Path
) -> Desk:
    sender = Sender(hostname=smtp.host, port=smtp.port, encryption="none", sent_copy="none")
    async with db.tenant(tenant_id) as tx:
        account = await accounts.ensure(tx, "me@example.com")
        await senders.put(tx, account.id, sender)
    settings = load({}, home=tmp_path)
    return Desk(
        db=db,
        blobs=blobs,
        tenant_id=tenant_id,
        account=account,
        settings=settings,
        store=store,
        sender=sender,
    )
