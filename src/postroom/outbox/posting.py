"""Posting: what is due in the outboxes of all tenants goes out, so many accounts at once.

An account is handed to one worker for a while; if that worker dies, another gets it then. Whatever two of them should
do at the same time, each message is claimed by itself (see run.py).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from postroom.blobs import Blobs
from postroom.ids import now_ms
from postroom.model import AccountId, TenantId
from postroom.outbox.crew import Crew
from postroom.outbox.run import longest_seconds, run_due
from postroom.outbox.signing_in import TokensOf
from postroom.settings import Settings
from postroom.store import jobs, workers
from postroom.store.credentials import MasterKey
from postroom.store.database import Database

log = logging.getLogger("postroom.outbox")
_HANDED_OUT_MS = 60_000
_LOOK_AGAIN_MS = 5 * 60_000
"""How often the mailbox is asked whether it holds what nobody knows the end of."""


class Posting:
    """`await Posting(…).run(stop)` works until `stop` is set, and then ends what it has begun."""

    def __init__(
        self,
        db: Database,
        blobs: Blobs,
        settings: Settings,
        *,
        master: MasterKey,
        tokens: Callable[[TenantId, AccountId], TokensOf],
    ) -> None:
        self._db = db
        self._blobs = blobs
        self._settings = settings
        self._master = master
        self._tokens = tokens
        patience_seconds = longest_seconds(settings)
        self._crew = Crew(settings.concurrency, tick_seconds=1.0, patience_seconds=patience_seconds, log=log)

    async def run(self, stop: asyncio.Event) -> None:
        """A message that is being sent is waited for, as long as its answer may take: or nobody would know of it."""
        await self._crew.run(stop, self._claim)

    async def _claim(self, room: int) -> None:
        async with self._db.system() as tx:
            found = await workers.claim_sends(tx, limit=room, lease_ms=_HANDED_OUT_MS)
        for each in found:
            if not self._crew.is_at(each):  # at a long message still
                self._crew.begin(each, f"account={each[1]}", self._post(*each))

    async def _post(self, tenant_id: TenantId, account_id: AccountId) -> None:
        tally = await run_due(
            self._db,
            self._blobs,
            self._settings,
            tenant_id,
            account_id,
            master=self._master,
            tokens=self._tokens(tenant_id, account_id),
        )
        async with self._db.tenant(tenant_id) as tx:
            await jobs.sends_next(
                tx,
                account_id,
                lost_after_ms=self._settings.outbox_lost_after_seconds * 1000,
                look_again_at=now_ms() + _LOOK_AGAIN_MS,
            )
        for problem in tally.problems:
            log.warning("account=%s %s", account_id, problem)
        if tally.sent or tally.copied:
            log.info("account=%s sent=%d copied=%d", account_id, tally.sent, tally.copied)
