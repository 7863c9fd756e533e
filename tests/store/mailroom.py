"""A tenant of one's own with an account, and mail in it that came through the store's functions."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from postroom.ids import new_id
from postroom.mime.parse import parse
from postroom.model import Account, AccountId, Folder, FolderId, MessageId, SourceFolder, TenantId, ThreadId
from postroom.sql import queries
from postroom.store import accounts, folders, messages, search
from postroom.store.database import Database, TenantTx
from postroom.store.threads import Place
from tests.support.site import Store


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def tenant_id(store: Store) -> TenantId:
    return new_tenant(store)


def new_tenant(store: Store) -> TenantId:
    tenant_id = TenantId(uuid4())
    with store.connect("postgres") as connection:
        connection.execute(
            b"insert into email_tenants values (%s, %s, %s, 0, 0)", [tenant_id, tenant_id.hex, uuid4()]
        )
    return tenant_id


@pytest.fixture
async def db(store: Store, anyio_backend: str) -> AsyncIterator[Database]:
    async with Database(store.site.url("email_worker")) as found:
        yield found


@pytest.fixture
async def tx(db: Database, tenant_id: TenantId) -> AsyncIterator[TenantTx]:
    """A transaction of the worker for a tenant that has nothing yet."""
    async with db.tenant(tenant_id) as found:
        yield found


@pytest.fixture
async def account(tx: TenantTx) -> Account:
    return await accounts.ensure(tx, "me@example.com")


@pytest.fixture
async def inbox(tx: TenantTx, account: Account) -> Folder:
    return (await folders.ensure(tx, account.id, [SourceFolder(name="INBOX", type="inbox")]))["INBOX"]


async def store_message(
    tx: TenantTx, account_id: AccountId, folder_id: FolderId, *, subject: str, at: int = 0
) -> MessageId:
    """One message that says its subject, with its words in the search, placed nowhere yet."""
    raw = f"From: a@b.example\r\nSubject: {subject}\r\n\r\n{subject}".encode()
    digest, message_id = hashlib.sha256(raw + account_id.bytes).digest(), MessageId(new_id())
    await tx.run(
        queries("blobs").add_first_piece,
        sha256=digest,
        size_bytes=len(raw),
        stored_bytes=len(raw),
        pieces=1,
        codec="none",
        data=raw,
        created_at=at,
    )
    new = messages.NewMessage(
        id=message_id,
        folder_id=folder_id,
        imap_uid=None,
        key=digest.hex(),
        parsed=parse(raw),
        flags=frozenset(),
        place=Place(thread_id=ThreadId(message_id), family_id=message_id),
        received_at=at,
        sent_at=None,
        size_bytes=len(raw),
        content_hash=digest,
        raw_blob=digest,
        raw_recipe=None,
    )
    await messages.insert(tx, account_id, [new])
    await messages.insert_addresses(tx, account_id, [new])
    words = " ".join(f"'{word}'" for word in subject.lower().split())
    entry = search.Entry(
        message_id=message_id, received_at=at, size_bytes=len(raw), words=words, is_capped=False
    )
    await search.insert(tx, account_id, [entry])
    return message_id
