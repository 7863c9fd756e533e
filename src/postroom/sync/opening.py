"""Opening: from an account's row to the worker that brings it up to date, whatever its protocol."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from postroom.blobs import Blobs
from postroom.errors import UsageError
from postroom.model import PORTS, Account, AccountId, CredentialId, TenantId
from postroom.settings import Settings
from postroom.store import credentials
from postroom.store.credentials import MasterKey
from postroom.store.database import Database
from postroom.sync.account import AccountSync
from postroom.sync.pop3 import Pop3Sync
from postroom.wire.imap import ImapSource
from postroom.wire.imap_connection import Witness
from postroom.wire.pop3 import Pop3Source
from postroom.wire.sasl import Bearer, Credentials, Password
from postroom.wire.trial import Place

if TYPE_CHECKING:
    from postroom.sync.tokens import AccessTokens

Source: TypeAlias = ImapSource | Pop3Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """Who does the work, and the source to close when it is done."""

    worker: AccountSync | Pop3Sync
    source: Source


async def way_in(
    db: Database, settings: Settings, tenant_id: TenantId, account: Account, master: MasterKey
) -> tuple[Place, Credentials]:
    """Where the account's mailbox is and how to sign in. Raises UsageError where it has no server."""
    if account.hostname is None or account.credential_id is None:
        reason = f"{account.email_address} has no server yet. Give it one: postroom account add --help."
        raise UsageError(reason=reason)
    async with db.tenant(tenant_id) as tx:
        secret = await credentials.get(tx, account.credential_id, master)
    username = account.username or account.email_address
    who: Credentials
    if secret.kind == "oauth2":
        tokens = tokens_of(db, settings, tenant_id, account.id, master)
        who = Bearer(username=username, tokens=tokens(account.credential_id, account.email_address))
    else:
        who = Password(username=username, password=secret.value.decode())
    protocol, encryption = account.protocol or "imap", account.encryption or "tls"
    place = Place(
        protocol=protocol,
        host=account.hostname,
        port=account.port or PORTS[protocol][encryption],
        encryption=encryption,
        ca_file=settings.ca_file,
        ca_pem=account.ca_pem,
        timeout_seconds=settings.imap_timeout_seconds,
    )
    return place, who


def tokens_of(
    db: Database, settings: Settings, tenant_id: TenantId, account_id: AccountId, master: MasterKey
) -> Callable[[CredentialId, str], AccessTokens]:
    """Who gives out the access tokens of a credential of the account; the address is for error messages."""

    def made(credential_id: CredentialId, email_address: str) -> AccessTokens:
        from postroom.sync.tokens import (
            AccessTokens,
        )  # takes half a second, which passwords need not wait for

        return AccessTokens(db, settings, tenant_id, account_id, credential_id, email_address, master)

    return made


async def opened(
    db: Database,
    blobs: Blobs,
    settings: Settings,
    tenant_id: TenantId,
    account: Account,
    master: MasterKey,
    *,
    fenced: Database | None = None,
) -> Opened:
    """The worker of this account; nothing is connected yet. It writes through `fenced`, if that is given.

    Raises UsageError where it has no server.
    """
    door = fenced or db
    place, who = await way_in(db, settings, tenant_id, account, master)
    if place.protocol == "pop3":
        pop3 = Pop3Source(
            host=place.host,
            port=place.port,
            encryption=place.encryption,
            who=who,
            ca_file=place.ca_file,
            ca_pem=place.ca_pem,
            timeout_seconds=place.timeout_seconds,
        )
        return Opened(worker=Pop3Sync(door, blobs, settings, tenant_id, account, pop3), source=pop3)
    imap = imap_source(place, who, settings)
    return Opened(worker=AccountSync(door, blobs, settings, tenant_id, account, imap), source=imap)


def imap_source(
    place: Place, who: Credentials, settings: Settings, *, witness: Callable[[], Witness] | None = None
) -> ImapSource:
    """The mailbox, with somebody who hears all that is said on the way there."""
    return ImapSource(
        host=place.host,
        port=place.port,
        encryption=place.encryption,
        username=who.username,
        password=who.password if isinstance(who, Password) else "",
        tokens=who.tokens if isinstance(who, Bearer) else None,
        ca_file=place.ca_file,
        ca_pem=place.ca_pem,
        timeout_seconds=place.timeout_seconds,
        whole_bytes=settings.imap_whole_bytes,
        compresses=False if witness else None,
        witness=witness,
    )
