"""Copies: what was sent, put into the Sent folder of the account's own server, once."""

from __future__ import annotations

import asyncio
import random
from datetime import UTC, datetime

from postroom.blobs import Blobs
from postroom.errors import SignInRefused, SourceError
from postroom.ids import now_ms
from postroom.model import PORTS, AccountId, TenantId
from postroom.outbox import retry
from postroom.outbox.signing_in import TokensOf, sign_in_of
from postroom.settings import Settings
from postroom.store import senders, sends
from postroom.store.credentials import MasterKey
from postroom.store.database import Database, TenantTx
from postroom.store.sends import Copy
from postroom.wire.imap_append import Appended, ImapAppender
from postroom.wire.sasl import Bearer, Password

_ATTEMPTS = 20
"""After which a copy is given up: the message was sent all the same."""
_LEASE_TIMES = 6


async def run(
    db: Database,
    blobs: Blobs,
    settings: Settings,
    tenant_id: TenantId,
    account_id: AccountId,
    *,
    master: MasterKey,
    tokens: TokensOf | None = None,
) -> tuple[int, str | None]:
    """Make the copies that are wanted by now; how many, and why one could not be made."""
    mailbox: ImapAppender | None = None
    made = 0
    try:
        while True:
            async with db.tenant(tenant_id) as tx:
                wanted = await sends.next_copy(
                    tx, account_id, lease_seconds=settings.imap_timeout_seconds * _LEASE_TIMES
                )
                raw = await blobs.read_all(tx, wanted.raw_blob) if wanted else b""
                needs_login = wanted is not None and mailbox is None
                login = await _login(tx, settings, account_id, master, tokens) if needs_login else None
            if wanted is None:
                return made, None
            try:
                if mailbox is None:
                    if login is None:
                        raise _NoMailbox
                    mailbox = await asyncio.to_thread(lambda login=login: ImapAppender(**login))
                appended = await asyncio.to_thread(_put, mailbox, wanted, raw)
            except _NoMailbox:
                async with db.tenant(tenant_id) as tx:
                    await sends.copied(tx, wanted.outbox_id, "failed", error="the account has no IMAP server")
                continue
            except SourceError as error:
                await _put_off(db, tenant_id, wanted, error)
                return made, f"The message was sent; its copy is not in the Sent folder yet. {error}"
            async with db.tenant(tenant_id) as tx:
                await sends.copied(
                    tx,
                    wanted.outbox_id,
                    "made",
                    uidvalidity=appended.uidvalidity,
                    uid=appended.uid,
                )
            made += 1
    finally:
        if mailbox is not None:
            mailbox.__exit__(None, None, None)


class _NoMailbox(Exception):
    """There is no Sent folder to put a copy into."""


def _put(mailbox: ImapAppender, wanted: Copy, raw: bytes) -> Appended:
    """Where an earlier attempt may have come through, look first."""
    folder = mailbox.folder("sent")
    if wanted.attempts > 1 and (found := mailbox.find(folder, wanted.message_id)):
        return found
    moment = datetime.fromtimestamp(wanted.sent_at / 1000, UTC)
    return mailbox.append(folder, raw, flags=["\\Seen"], moment=moment)


async def _login(
    tx: TenantTx, settings: Settings, account_id: AccountId, master: MasterKey, tokens: TokensOf | None
) -> dict[str, object] | None:
    account = await senders.mailbox(tx, account_id)
    if account.protocol != "imap" or account.hostname is None or account.credential_id is None:
        return None
    username, encryption = account.username or account.email_address, account.encryption or "tls"
    secret = await sign_in_of(
        tx, account.credential_id, account.email_address, master=master, tokens_of=tokens
    )
    return {
        "host": account.hostname,
        "port": account.port or PORTS["imap"][encryption],
        "encryption": encryption,
        "who": Password(username=username, password=secret)
        if isinstance(secret, str)
        else Bearer(username=username, tokens=secret),
        "ca_file": settings.ca_file,
        "ca_pem": account.ca_pem,
        "timeout_seconds": settings.imap_timeout_seconds,
    }


async def _put_off(db: Database, tenant_id: TenantId, wanted: Copy, error: SourceError) -> None:
    is_over = wanted.attempts >= _ATTEMPTS and not isinstance(error, SignInRefused)
    delay = retry.delay_seconds(wanted.attempts, random.random())
    async with db.tenant(tenant_id) as tx:
        await sends.copied(
            tx,
            wanted.outbox_id,
            "failed" if is_over else "wanted",
            error=str(error),
            not_before=now_ms() + int(delay * 1000),
        )
