"""The life of mail at 100,000 messages: deleted, restored, held, purged, and the trail of it followed.

`python -m benchmarks.life [messages]`
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from benchmarks.measure import machine
from benchmarks.places import bench_store
from postroom.model import AccountId, MessageId, TenantId
from postroom.store import audit, holds, removal
from postroom.store.database import Database, TenantTx
from tests.support.site import Store

MESSAGES = 100_000
AT_ONCE = 500
EMAIL = "sam@postroom.example"

_FILL = """
set app.current_tenant_id = '{tenant}';
create temp table mail as
select n, gen_random_uuid() as id, gen_random_uuid() as family, sha256(convert_to('raw ' || n, 'UTF8')) as hash,
  1600000000000 + n * 1000 as at from generate_series(1, {messages}) n;
insert into email_folders (id, tenant_id, account_id, name, type, uidvalidity, created_at, updated_at)
values ('{account}', '{tenant}', '{account}', 'INBOX', 'inbox', 1, 0, 0);
insert into email_blobs (tenant_id, sha256, size_bytes, stored_bytes, storage_type, data, created_at)
select '{tenant}', hash, 2000, 800, 'blob', convert_to(repeat(md5(n::text), 25), 'UTF8'), at from mail;
insert into email_messages (tenant_id, account_id, id, folder_id, message_id, imap_uid, "from", subject, text_body,
  thread_id, thread_family_id, received_at, size_bytes, content_hash, raw_blob, created_at, updated_at)
select '{tenant}', '{account}', id, '{account}', n || '@example.com', n, 'p' || n % 400 || '@example.com', 'Subject ' || n,
  repeat('word ', 100), family, family, at, 2000, hash, hash, at, at from mail;
insert into email_placements (tenant_id, folder_id, uidvalidity, uid, message_id, created_at, updated_at)
select '{tenant}', '{account}', 1, n, id, at, at from mail;
insert into email_addresses (tenant_id, account_id, message_id, role, position, address, domain)
select '{tenant}', '{account}', id, role, 0, 'p' || n % 400 || '@example.com', 'example.com'
from mail, unnest(array['from', 'to']) role;
insert into email_search_entries (tenant_id, message_id, account_id, received_at, size_bytes, words)
select '{tenant}', id, '{account}', at, 2000, array_to_tsvector(array(select 'w' || k from generate_series(1, 40) k
  where n % k = 0)) from mail;
insert into email_thread_links (tenant_id, account_id, link, family_id) select '{tenant}', '{account}', id, family from mail;
analyze;
"""


@dataclass(frozen=True, slots=True)
class Took:
    what: str
    messages: int
    seconds: float
    longest: float
    """The longest transaction, in which others wait for the account or the tenant."""


class Life:
    """A tenant with one account and so much mail."""

    def __init__(self, store: Store, messages: int) -> None:
        name = store.tenant()
        store.cli("account", "list", "-t", name)
        with store.connect("postgres") as connection:
            row = connection.execute("select tenant_id from email_tenants where name = %s", [name]).fetchone()
            assert row
            self.tenant_id, self.account_id = TenantId(row[0]), AccountId(UUID(bytes=os.urandom(16)))
            connection.execute(
                b"insert into email_accounts (id, tenant_id, user_id, email_address, created_at, updated_at)"
                b" values (%s, %s, %s, %s, 0, 0)",
                [self.account_id, self.tenant_id, self.account_id, EMAIL],
            )
            text = _FILL.format(tenant=self.tenant_id, account=self.account_id, messages=messages)
            for statement in text.split(";\n"):
                if statement.strip():
                    connection.execute(statement.encode())
            rows = connection.execute(
                b"select id from email_messages where tenant_id = %s order by received_at", [self.tenant_id]
            ).fetchall()
        self.ids = [MessageId(row[0]) for row in rows]
        self._db = Database(store.site.url("email_worker"), statement_timeout_seconds=600)
        self._longest = 0.0

    @asynccontextmanager
    async def _step(self) -> AsyncIterator[TenantTx]:
        began = time.perf_counter()
        async with self._db.tenant(self.tenant_id) as tx:
            yield tx
        self._longest = max(self._longest, time.perf_counter() - began)

    async def timed(self, what: str, work: Callable[[], Awaitable[int]]) -> Took:
        self._longest, began = 0.0, time.perf_counter()
        messages = await work()
        return Took(what, messages, time.perf_counter() - began, self._longest)

    async def live(self) -> list[Took]:
        async with self._db:
            return [
                await self.timed("soft delete", lambda: self._each(removal.delete)),
                await self.timed("restore", lambda: self._each(removal.restore)),
                await self.timed("hold a search's result", self._hold),
                await self.timed("soft delete again", lambda: self._each(removal.delete)),
                await self.timed("purge where all is held", self._purge),
                await self.timed("release the hold", self._release),
                await self.timed("purge, with blobs", self._purge),
                await self.timed("sweep of blobs", self._sweep),
                await self.timed("audit entries written", self._append),
                await self.timed("audit verify", self._verify),
            ]

    async def _each(self, work: Callable[[TenantTx, list[MessageId]], Awaitable[list[Any]]]) -> int:
        done = 0
        for begin in range(0, len(self.ids), AT_ONCE):
            async with self._step() as tx:
                done += len(await work(tx, self.ids[begin : begin + AT_ONCE]))
        return done

    async def _hold(self) -> int:
        async with self._step() as tx:
            await holds.add(tx, "case", query="", message_ids=self.ids)
        return len(self.ids)

    async def _release(self) -> int:
        async with self._step() as tx:
            await holds.release(tx, "case")
        return len(self.ids)

    async def _purge(self) -> int:
        seen, position = 0, removal.BEGINNING
        while position:
            async with self._step() as tx:
                done = await removal.purge(tx, before=2**62, after=position)
            seen, position = seen + done.purged + done.held, done.position
        return seen

    async def _sweep(self) -> int:
        after: bytes | None = b""
        while after is not None:
            async with self._step() as tx:
                _, after = await removal.sweep_blobs(tx, after=after)
        return 0

    async def _append(self) -> int:
        for begin in range(0, len(self.ids), 1000):
            async with self._step() as tx, tx.unawaited():
                for message_id in self.ids[begin : begin + 1000]:
                    await audit.append(tx, "message.flags", "message", message_id, after={"is_read": True})
        return len(self.ids)

    async def _verify(self) -> int:
        async with self._step() as tx:
            found = await audit.verify(tx)
        assert not found.faults
        return found.entries


def main(messages: int = MESSAGES) -> None:
    with bench_store() as store:
        print(machine())
        life = Life(store, messages)
        print(f"{'':26}{'messages':>10}{'seconds':>9}{'a second':>10}{'longest transaction':>22}")
        for took in asyncio.run(life.live()):
            rate = took.messages / took.seconds if took.seconds else 0.0
            print(
                f"{took.what:26}{took.messages:>10,}{took.seconds:>9.1f}{rate:>10,.0f}{took.longest:>20.2f} s"
            )


if __name__ == "__main__":
    main(*(int(each) for each in sys.argv[1:2]))
