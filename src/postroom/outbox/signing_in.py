"""Signing in: what the outbox shows other people's servers, a password or an access token."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeAlias

from postroom.errors import UsageError
from postroom.model import CredentialId
from postroom.store import credentials
from postroom.store.credentials import MasterKey
from postroom.store.database import TenantTx


class Tokens(Protocol):
    """The access tokens of one credential: on the loop, or called from a thread. Never the one that was refused."""

    async def token(self, refused: str | None = None) -> str: ...

    def __call__(self, refused: str | None) -> str: ...


TokensOf: TypeAlias = Callable[[CredentialId, str], Tokens]
"""From a credential, and the address of its account for error messages, to its tokens."""


async def sign_in_of(
    tx: TenantTx,
    credential_id: CredentialId,
    email_address: str,
    *,
    master: MasterKey,
    tokens_of: TokensOf | None,
) -> str | Tokens:
    """A password, or who gives out tokens. Raises UsageError where nobody does."""
    secret = await credentials.get(tx, credential_id, master)
    if secret.kind != "oauth2":
        return secret.value.decode()
    if tokens_of is None:
        raise UsageError(reason=f"{email_address} signs in by OAuth, which cannot be done from here.")
    return tokens_of(credential_id, email_address)
