"""Tell: one webhook hears what happened, call by call in the order of the feed, until it has heard everything.

A delivery goes when its call was answered well, and not before: who dies between the answer and the commit makes the
call again, under the same id.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from postroom import __version__
from postroom.errors import StoreError
from postroom.hooks import patience, signature
from postroom.hooks.address import Network, networks
from postroom.ids import now_ms
from postroom.model import AccountId
from postroom.settings import Settings
from postroom.store import changes, deliveries, webhooks
from postroom.store.credentials import MasterKey
from postroom.store.database import Database, TenantTx
from postroom.store.deliveries import Delivery, State
from postroom.store.webhooks import Claimed, Held
from postroom.wire.call import Answer, Caller

_AT_ONCE = 20
_SLICE_SECONDS = 20.0
"""So long at one webhook; then another may come first."""
LOOK_AGAIN_MS = 5 * 60_000
"""How often a webhook is looked at that nothing was heard of."""
_UNOPENED_MS = 60_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Telephone:
    """How calls are made."""

    allowed: tuple[Network, ...]
    ca_file: Path | None
    timeout_seconds: float
    lease_ms: int
    """Longer than a call may take, and as long as nothing may be heard of a worker."""
    master: MasterKey
    chance: Callable[[], float] = random.random

    @classmethod
    def of(cls, settings: Settings, master: MasterKey) -> Self:
        """Raises SettingError."""
        timeout = settings.webhook_timeout_seconds
        return cls(
            allowed=networks(settings.webhook_networks),
            ca_file=settings.ca_file,
            timeout_seconds=timeout,
            lease_ms=(settings.lease_seconds + timeout) * 1000,
            master=master,
        )


@dataclass(slots=True)
class Told:
    """What was done."""

    arrived: int = 0
    failed: int = 0
    problem: str | None = None
    """The last one, as a sentence for a person."""


async def tell(db: Database, claimed: Claimed, phone: Telephone, stop: asyncio.Event) -> Told:
    """Until nothing is left, its time is over, its receiver is away, or another worker has it."""
    run = _Run(db, claimed, phone)
    async with Caller(
        allowed=phone.allowed, ca_file=phone.ca_file, timeout_seconds=phone.timeout_seconds
    ) as caller:
        until = time.monotonic() + _SLICE_SECONDS
        while not stop.is_set() and time.monotonic() < until:
            if not await run.some(caller, stop):
                return run.told
    await run.leave()
    return run.told


class _Run:
    def __init__(self, db: Database, claimed: Claimed, phone: Telephone) -> None:
        self._db = db
        self._claimed = claimed
        self._phone = phone
        self._held: Held | None = None
        self._secrets: list[str] = []
        self._strikes = 0
        """Calls in a row that failed just now."""
        self._end: tuple[str, AccountId | None] | None = None
        """Why it is to be disabled, and whose change could not be told."""
        self.told = Told()

    async def some(self, caller: Caller, stop: asyncio.Event) -> bool:
        """The next calls. False where there is nothing more to do for now."""
        async with self._tx() as tx:
            held = self._held = await self._hold(tx)
        if held is None or not await self._can_sign(held):
            return False
        async with self._tx() as tx:
            due = await deliveries.due(tx, held.id, limit=_AT_ONCE)
            if not due:
                made, has_more = await deliveries.take(tx, held)
                if not made and not has_more:
                    await self._rest(tx, held)
                    return False
        for each in due:
            if stop.is_set() or not await self._call(caller, each):
                break
        return not await self._is_over()

    async def leave(self) -> None:
        """For others, who go on at once."""
        async with self._tx() as tx:
            await webhooks.release(tx, self._claimed, due_in_ms=0)

    async def _can_sign(self, held: Held) -> bool:
        reason = "its secret is not here: give it another one"
        async with self._db.tenant(self._claimed.tenant_id) as tx:  # no user reads a secret
            try:
                self._secrets = await webhooks.secrets(tx, held, self._phone.master)
            except StoreError as error:
                self._secrets, reason = [], str(error)
            if not self._secrets:
                self.told.problem = reason
                await webhooks.failed(tx, held.id, reason)
                await webhooks.put_off(tx, self._claimed, due_in_ms=_UNOPENED_MS)
        return bool(self._secrets)

    async def _call(self, caller: Caller, delivery: Delivery) -> bool:
        """One call, and what came of it written down. False where the next one is not to be made now."""
        held = self._held
        assert held is not None
        body = delivery.body.encode()
        headers = {
            "Content-Type": "application/json",
            "User-Agent": f"Postroom/{__version__}",
            **signature.headers(self._secrets, str(delivery.id), int(time.time()), body),
        }
        answer = await caller.post(held.url, headers, body)
        async with self._tx() as tx:
            if answer.is_ok:
                await deliveries.arrived(tx, held.id, delivery.id)
                await webhooks.arrived(tx, held.id)
                self._strikes, self.told.arrived = 0, self.told.arrived + 1
            else:
                await self._failed(tx, held, delivery, answer)
            # Whoever has lost it meanwhile, or finds it changed, stops here.
            self._held = await self._hold(tx)
        is_same = self._held is not None and self._held.url == held.url
        return is_same and self._end is None and self._strikes < patience.STRIKES

    async def _failed(self, tx: TenantTx, held: Held, delivery: Delivery, answer: Answer) -> None:
        error, now = answer.error or "it failed", now_ms()
        asked = answer.retry_after_seconds
        wait = patience.delay_ms(delivery.attempts + 1, self._phone.chance(), asked_seconds=asked)
        is_over = patience.is_over(since=delivery.created_at, now=now)
        self.told.failed, self.told.problem = self.told.failed + 1, error
        if not delivery.is_test:
            self._strikes += 1
            since = await webhooks.failed(tx, held.id, error)
            if answer.is_gone:
                self._end = "the receiver answered 410: it wants no more calls", delivery.account_id
            elif patience.is_over(since=since, now=now):
                self._end = f"no call succeeded for three days: {error}", delivery.account_id
        # Where the webhook itself is given up, its deliveries wait for somebody to enable it.
        state: State = "dead" if delivery.is_test or (is_over and self._end is None) else "pending"
        await deliveries.failed(tx, held.id, delivery.id, state=state, not_before=now + wait, error=error)

    async def _is_over(self) -> bool:
        """Whether its receiver is away, for a while or for good, or another worker has it."""
        if self._end is not None:
            await self._disable(*self._end)
            await self.leave()
            return True
        if self._held is None:
            return True
        if self._strikes < patience.STRIKES:
            return False
        async with self._tx() as tx:
            pause = patience.pause_ms(self._held.failures, self._phone.chance())
            await webhooks.put_off(tx, self._claimed, due_in_ms=pause)
        return True

    async def _rest(self, tx: TenantTx, held: Held) -> None:
        """Nothing is due; what is put off says when it is."""
        now = now_ms()
        await deliveries.expire(tx, held.id, before=now - patience.KEPT_FOR_MS)
        _, not_before = await deliveries.waiting(tx, held.id)
        wait = LOOK_AGAIN_MS if not_before is None else min(LOOK_AGAIN_MS, max(0, not_before - now))
        await webhooks.release(tx, self._claimed, due_in_ms=wait)

    async def _disable(self, reason: str, account_id: AccountId | None) -> None:
        """The feed of the account whose change could not be told says so."""
        async with self._db.tenant(self._claimed.tenant_id) as tx:
            modseq = None if account_id is None else await changes.next_modseq(tx, account_id)
            if await webhooks.disable(tx, self._claimed.webhook_id, reason) and account_id and modseq:
                found = [self._claimed.webhook_id]
                await changes.append(tx, account_id, modseq, "updated", "webhook", found)
        self.told.problem = f"disabled: {reason}"

    async def _hold(self, tx: TenantTx) -> Held | None:
        return await webhooks.hold(tx, self._claimed, lease_ms=self._phone.lease_ms)

    def _tx(self) -> AbstractAsyncContextManager[TenantTx]:
        return self._db.tenant(self._claimed.tenant_id, self._claimed.user_id)
