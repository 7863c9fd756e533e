"""Senders: how the mail of an account goes out."""

from __future__ import annotations

from dataclasses import dataclass

from postroom.errors import NotFound, UsageError
from postroom.ids import now_ms
from postroom.model import AccountId, CredentialId, Encryption, Protocol_, SentCopy
from postroom.sql import queries
from postroom.store.database import TenantTx

QUERIES = queries("senders")
PORTS: dict[Encryption, int] = {"tls": 465, "starttls": 587, "none": 25}
_KEEPS_COPIES = ("gmail.com", "googlemail.com", "office365.com", "outlook.com")
"""Servers that put what they send into the Sent folder by themselves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """The server that takes the account's mail, and how to sign in there. No user name: it wants no sign-in."""

    hostname: str
    port: int
    encryption: Encryption
    username: str | None = None
    credential_id: CredentialId | None = None
    display_name: str | None = None
    sent_copy: SentCopy = "append"
    dkim_domain: str | None = None
    """Messages are signed for this domain (RFC 6376), with the selector and the sealed key; None: not by us."""
    dkim_selector: str | None = None
    dkim_key_id: CredentialId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Mailbox:
    """The account that sends, and the server of its folders, if it has one."""

    email_address: str
    protocol: Protocol_ | None
    hostname: str | None
    port: int | None
    encryption: Encryption | None
    username: str | None
    credential_id: CredentialId | None
    ca_pem: str | None


def copy_of(hostname: str) -> SentCopy:
    """Who keeps a copy in Sent, where nobody has said it."""
    host = f".{hostname.lower()}"
    return "server" if any(host.endswith(f".{each}") for each in _KEEPS_COPIES) else "append"


async def find(tx: TenantTx, account_id: AccountId) -> Sender | None:
    """How the account sends; None when nobody has said it yet."""
    rows = await tx.rows(QUERIES.get, account_id=account_id)
    return Sender(**rows[0]) if rows else None


async def get(tx: TenantTx, account_id: AccountId) -> Sender:
    """How the account sends. Raises UsageError when nobody has said it yet."""
    found = await find(tx, account_id)
    if found is None:
        reason = "The account cannot send yet. Say by which server: postroom account smtp --help."
        raise UsageError(reason=reason)
    return found


async def mailbox(tx: TenantTx, account_id: AccountId) -> Mailbox:
    """The account. Raises NotFound."""
    rows = await tx.rows(QUERIES.mailbox, account_id=account_id)
    if not rows:
        raise NotFound(what="account", name=str(account_id), mend="See them: postroom account list.")
    return Mailbox(**rows[0])


async def put(tx: TenantTx, account_id: AccountId, sender: Sender) -> None:
    """Say how the account sends from now on."""
    await tx.run(
        QUERIES.put,
        account_id=account_id,
        display_name=sender.display_name,
        hostname=sender.hostname,
        port=sender.port,
        encryption=sender.encryption,
        username=sender.username,
        credential_id=sender.credential_id,
        sent_copy=sender.sent_copy,
        dkim_domain=sender.dkim_domain,
        dkim_selector=sender.dkim_selector,
        dkim_key_id=sender.dkim_key_id,
        at=now_ms(),
    )


async def sign_in_by(
    tx: TenantTx, account_id: AccountId, credential_id: CredentialId, *, instead_of: CredentialId
) -> None:
    """Who sent with the account's old secret sends with its new one."""
    await tx.run(
        QUERIES.sign_in_by,
        account_id=account_id,
        credential_id=credential_id,
        before_id=instead_of,
        at=now_ms(),
    )


async def forget_secrets(tx: TenantTx, account_id: AccountId) -> None:
    """Let go of the secrets that the account sends with, so that they can be deleted."""
    await tx.run(QUERIES.forget_secrets, account_id=account_id, at=now_ms())
