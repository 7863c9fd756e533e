"""Standing searches: what they add to the transaction that ingests a batch of 300 messages, with none, one and 20.

    python -m benchmarks.standing

Each is asked so many times of the same batch, in one transaction that is rolled back; the parsing of the queries counts.
"""

from __future__ import annotations

import asyncio
import time

from benchmarks import corpus
from benchmarks.measure import machine, median
from benchmarks.places import EMAIL, bench_store
from postroom.blobs import Blobs
from postroom.model import Account, MessageId, RawMessage, SourceFolder, TenantId
from postroom.store import accounts, changes, folders, search, standing, system
from postroom.store.database import Database
from postroom.sync.ingest import Arrival, ingest
from postroom.sync.prepare import prepare

BATCH = 300
TIMES = 20
_QUERIES = [
    "invoice has:attachment",
    "from:alice budget",
    'subject:"weekly report"',
    "is:unread in:inbox",
    "larger:1M",
    "meeting OR lunch -cancelled",
    "project* after:7d",
    "travel to:bob",
    "unsubscribe",
    "is:flagged contract",
]


class _Undone(Exception):
    """Nothing of a measurement stays."""


async def _measured(url: str, blobs: Blobs, tenant_id: TenantId) -> None:
    letters = [
        prepare(RawMessage(uid=uid, body=each.raw, flags=each.flags))
        for uid, each in enumerate(corpus.mailbox(2 * BATCH), start=1)
    ]
    async with Database(url) as db:
        async with db.tenant(tenant_id) as tx:
            account = await accounts.ensure(tx, EMAIL)
            made = await folders.ensure(tx, account.id, [SourceFolder(name="INBOX", type="inbox")])
        for number in range(2):
            some = letters[number * BATCH :][:BATCH]
            arrivals = [Arrival(prepared=each, places=((made["INBOX"], 1, each.raw.uid),)) for each in some]
            began = time.perf_counter()
            async with db.tenant(tenant_id) as tx:
                await ingest(tx, blobs, account, arrivals, {})
            took = time.perf_counter() - began
        print(f"ingest of a batch of {BATCH}: {took * 1000:.1f} ms")
        async with db.tenant(tenant_id) as tx:
            batch = (await search.ids(tx, {"all": True}))[:BATCH]
        for count in (0, 1, 20, 100):
            await _asked(db, tenant_id, account, batch, count)


async def _asked(
    db: Database, tenant_id: TenantId, account: Account, batch: list[MessageId], count: int
) -> None:
    times, matched = list[float](), 0
    for _ in range(TIMES):
        try:
            async with db.tenant(tenant_id) as tx:
                for number in range(count):
                    query = _QUERIES[number % len(_QUERIES)]
                    await standing.create(tx, standing.Wanted(name=query, query=query), user_id=None)
                modseq = await changes.next_modseq(tx, account.id)
                began = time.perf_counter()
                matched = await standing.ask(tx, account.id, modseq, batch)
                times.append(time.perf_counter() - began)
                raise _Undone
        except _Undone:
            pass
    print(f"{count:>3} standing searches: {median(times) * 1000:.1f} ms, {matched:,} matches")


def main() -> None:
    print(f"{machine()}. A batch of {BATCH} messages.")
    with bench_store() as store:
        name = store.tenant()

        async def measure() -> None:
            url = store.site.url("email_worker")
            async with Database(url) as db, db.system() as tx:
                tenant_id = (await system.tenant_named(tx, name)).id
            await _measured(url, Blobs(store.settings), tenant_id)

        asyncio.run(measure())


if __name__ == "__main__":
    main()
