"""An account that mirrors a Dovecot mailbox: changed on either side, synced, and held side against side."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

from postroom.blobs import Blobs
from postroom.model import Account, Folder, FolderId, MessageId, TenantId
from postroom.settings import Settings
from postroom.sql import queries
from postroom.store import accounts, credentials, folders, intent_rows, placements
from postroom.store.credentials import MasterKey
from postroom.store.database import Database, TenantTx
from postroom.store.intent_rows import Intent
from postroom.sync.account import AccountSync
from postroom.sync.ingest import Tally
from postroom.sync.write_back import Pushed, write_back
from postroom.wire.imap import ImapSource
from postroom.wire.imap_names import decode_utf7
from tests.support.dovecot import Dovecot
from tests.support.site import Store

EMAIL = "alice@example.test"
Side = dict[str, dict[int, tuple[str, frozenset[str]]]]
"""Folder to UID to the hash of the bytes and the flags."""
_FETCHED = re.compile(rb"UID (\d+)")
_FLAGS = re.compile(rb"FLAGS \(([^)]*)\)")


def letter(number: int, *, pad: int = 0, message_id: bool = True) -> bytes:
    """A message that nobody else has."""
    named = f"Message-ID: <{number}.{uuid4().hex}@example.test>\r\n" if message_id else ""
    return (
        f"From: a@example.test\r\nTo: b@example.test\r\nSubject: Letter {number}\r\n"
        f"Date: Mon, 1 Jan 2024 00:00:0{number % 10} +0000\r\n{named}\r\nText {number} {'x' * pad}\r\n"
    ).encode()


class Mirror:
    def __init__(self, store: Store, db: Database, server: Dovecot, user: str = "alice") -> None:
        self.store, self.db, self.server, self.user = store, db, server, user
        self.tenant_name = store.tenant()
        self.tenant_id: TenantId
        self.account: Account
        self.password: str | None = None
        self.master = MasterKey("k", b"0" * 32)
        self.settings = Settings(home=store.home, batch_messages=50)

    async def meet(self) -> None:
        """The account that the program was given by its command."""
        self._find_tenant()
        async with self.tx() as tx:
            self.account = await accounts.by_email(tx, EMAIL)

    def _find_tenant(self) -> None:
        with self.store.connect("postgres") as connection:
            row = connection.execute(
                b"select tenant_id from email_tenants where name = %s", [self.tenant_name]
            ).fetchone()
        assert row
        self.tenant_id = TenantId(row[0])

    async def begin(self, *, port: int | None = None) -> None:
        self._find_tenant()
        async with self.tx() as tx:
            account = await accounts.ensure(tx, EMAIL)
            secret = self.password or "unused"
            key = await credentials.put_password(tx, account.id, secret, self.master)
            await accounts.connect(
                tx,
                account.id,
                protocol="imap",
                hostname="127.0.0.1",
                port=port or self.server.imap_port,
                encryption="none",
                username=self.user,
                credential_id=key,
            )
            self.account = await accounts.by_email(tx, EMAIL)

    @asynccontextmanager
    async def tx(self) -> AsyncIterator[TenantTx]:
        async with self.db.tenant(self.tenant_id) as tx:
            yield tx

    def source(self) -> ImapSource:
        assert self.account.port
        return ImapSource(
            host="127.0.0.1",
            port=self.account.port,
            encryption="none",
            username=self.user,
            password=self.password or self.server.password(self.user),
            timeout_seconds=20,
        )

    async def sync(self, **options: Any) -> Tally:
        source = self.source()
        try:
            worker = AccountSync(
                self.db, Blobs(self.settings), self.settings, self.tenant_id, self.account, source
            )
            return await worker.run(**options)
        finally:
            source.close()

    async def push(self, *, is_last: bool = False) -> Pushed:
        source = self.source()
        try:
            blobs = Blobs(self.settings)
            return await write_back(self.db, blobs, self.tenant_id, self.account, source, is_last=is_last)
        finally:
            source.close()

    async def folder(self, name: str) -> Folder:
        async with self.tx() as tx:
            return next(each for each in await folders.of_account(tx, self.account.id) if each.name == name)

    async def id(self, name: str) -> FolderId:
        return (await self.folder(name)).id

    async def waiting(self) -> list[Intent]:
        async with self.tx() as tx:
            return await intent_rows.next_of(tx, self.account.id, limit=10_000)

    async def refused(self) -> list[Intent]:
        async with self.tx() as tx:
            return [
                each
                for each, _ in await intent_rows.of_account(tx, self.account.id)
                if each.state == "refused"
            ]

    async def changes(self) -> int:
        """How many changes people made, by the trail."""
        return self.rows(
            "select count(*) from email_audit_log where tenant_id = %s and action like 'message.%%'"
        )[0][0]

    async def messages(self, folder: str = "INBOX") -> list[MessageId]:
        """Those that people see there, in the order of their UIDs."""
        folder_id = await self.id(folder)
        async with self.tx() as tx:
            rows = await tx.rows(queries("intents").lying_in, folder_id=folder_id)
            places = {row["message_id"]: await placements.of_message(tx, row["message_id"]) for row in rows}
        return [
            MessageId(key)
            for key, _ in sorted(places.items(), key=lambda one: (one[1][0]["uid"] or 2**40, one[0]))
        ]

    def rows(self, question: str) -> list[tuple[Any, ...]]:
        with self.store.connect("postgres") as connection:
            return connection.execute(question.encode(), [self.tenant_id]).fetchall()

    def here(self) -> Side:
        """What we believe the server has."""
        rows = self.rows(
            "select f.name, p.uid, m.content_hash, p.flags || p.keywords from email_placements p"
            " join email_folders f on f.tenant_id = p.tenant_id and f.id = p.folder_id"
            " join email_messages m on m.tenant_id = p.tenant_id and m.id = p.message_id"
            " where p.tenant_id = %s and p.vanished_at is null and p.uid > 0 and p.uidvalidity = f.uidvalidity"
        )
        found: Side = {}
        for name, uid, digest, words in rows:
            found.setdefault(name, {})[uid] = (bytes(digest).hex(), frozenset(words))
        return found

    def seen(self) -> dict[str, Counter[str]]:
        """What people see: folder to subjects, each as often as it lies there."""
        rows = self.rows(
            "select f.name, m.subject from email_placements p"
            " join email_folders f on f.tenant_id = p.tenant_id and f.id = p.folder_id"
            " join email_messages m on m.tenant_id = p.tenant_id and m.id = p.message_id"
            " where p.tenant_id = %s and p.vanished_at is null and not p.is_hidden"
        )
        found: dict[str, Counter[str]] = {}
        for name, subject in rows:
            found.setdefault(name, Counter())[subject] += 1
        return found

    def there(self) -> Side:
        """What the server has."""
        found: Side = {}
        for folder, uid, body, words in self._fetched("BODY.PEEK[]"):
            found.setdefault(folder, {})[uid] = (hashlib.sha256(body).hexdigest(), words)
        return found

    def subjects_there(self) -> list[tuple[str, str, frozenset[str]]]:
        """What the server has, for people: folder, subject, flags of each message."""
        return [
            (folder, subject.decode().partition(":")[2].strip(), words)
            for folder, _, subject, words in self._fetched("BODY.PEEK[HEADER.FIELDS (SUBJECT)]")
        ]

    def _fetched(self, part: str) -> Iterator[tuple[str, int, bytes, frozenset[str]]]:
        with self.server.imap(self.user) as imap:
            for name in self.listed(imap):
                imap.select(f'"{name}"', readonly=True)
                folder = decode_utf7(name)
                _, data = imap.uid("fetch", "1:*", f"(FLAGS {part})")
                for one in data:
                    if not isinstance(one, tuple):
                        continue
                    head, uid = one[0], _FETCHED.search(one[0])
                    assert uid
                    flags = _FLAGS.search(head)
                    assert flags
                    words = frozenset(flags[1].decode().split()) - {"\\Recent"}
                    yield folder, int(uid[1]), one[1], words

    @staticmethod
    def listed(imap: Any) -> list[str]:
        _, lines = imap.list()
        return [
            line.decode().rpartition(' "/" ')[2].strip('"') for line in lines if b"\\Noselect" not in line
        ]

    async def agree(self) -> None:
        """Nothing waits, both sides are the same, and the counters and the ledger are true."""
        assert await self.waiting() == []
        here, there = self.here(), self.there()
        assert here == there, f"here: {here}\nthere: {there}"
        assert self.rows(
            "select count(*) from email_placements where tenant_id = %s and uid < 0 and vanished_at is null"
        ) == [(0,)]
        async with self.tx() as tx:
            assert await tx.rows(queries("folders").miscounted) == []
            for each in await folders.ledger(tx, self.account.id):
                assert each.unaccounted == 0, each

    async def agree_on_folders(self) -> None:
        """The same folders, and all else that `agree` holds."""
        await self.agree()
        async with self.tx() as tx:
            living = await folders.of_account(tx, self.account.id)
            ours = {each.name: each.wire_name for each in living if each.is_selectable}
        with self.server.imap(self.user) as imap:
            assert sorted(ours.values()) == sorted(self.listed(imap))
        assert all(decode_utf7(wire) == name for name, wire in ours.items())

    def store_flags(self, folder: str, uids: str, how: str, flags: str) -> None:
        """As another program would."""
        with self.server.imap(self.user) as imap:
            imap.select(f'"{folder}"')
            assert imap.uid("store", uids, how, f"({flags})")[0] == "OK"

    def expunge(self, folder: str, uids: str) -> None:
        with self.server.imap(self.user) as imap:
            imap.select(f'"{folder}"')
            imap.uid("store", uids, "+FLAGS", "(\\Deleted)")
            imap.expunge()

    def fill(self, folder: str, bodies: Iterable[bytes]) -> None:
        self.server.fill(self.user, folder, bodies)


def subjects(numbers: Sequence[int] | range) -> Counter[str]:
    return Counter(f"Letter {number}" for number in numbers)
