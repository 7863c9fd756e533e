"""Three tenants work at the same time on the same connections, and each has its own truth after every step."""

from __future__ import annotations

import asyncio
import time
from random import Random

import pytest

from postroom.store.database import Database
from tests.leaks.tenant_model import Worker
from tests.store.mailroom import new_tenant
from tests.support.pgbouncer import Bouncer
from tests.support.site import Store

SECONDS = 5
STEPS = 60


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("way", ["direct", "pooled"])
def test_each_tenant_sees_exactly_its_own(store: Store, bouncer: Bouncer, way: str, seed: int) -> None:
    through = bouncer.url if way == "pooled" else str
    tenants = [new_tenant(store) for _ in range(3)]

    async def work() -> None:
        async with (
            Database(through(store.site.url("email_worker")), max_connections=2) as writes,
            Database(through(store.site.url("email_service")), max_connections=2) as reads,
        ):
            workers = [
                Worker(tenant_id, writes, reads, Random(f"{seed} {number}"))
                for number, tenant_id in enumerate(tenants)
            ]
            await asyncio.gather(*(worker.begin() for worker in workers))
            until = time.monotonic() + SECONDS
            await asyncio.gather(*(_keep_on(worker, workers, until) for worker in workers))
            assert all(worker.letters for worker in workers)
            assert sum(worker.steps for worker in workers) > 20

    asyncio.run(work())


async def _keep_on(worker: Worker, workers: list[Worker], until: float) -> None:
    others = [each for each in workers if each is not worker]
    while worker.steps < STEPS and time.monotonic() < until:
        await worker.step(others)
