"""Credentials: a secret goes in sealed, and comes out only with the key that is not in the database.

The envelope: a fresh 256-bit key seals the secret (AES-256-GCM, NIST SP 800-38D), the master key seals that key.
Both are bound to tenant, account and kind, so that an envelope moved to another row does not open.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from postroom.errors import StoreError
from postroom.ids import new_id, now_ms
from postroom.model import AccountId, CredentialId, TenantId
from postroom.sql import queries
from postroom.store.database import TenantTx

QUERIES = queries("credentials")
Kind = Literal["password", "oauth2"]
_NONCE_BYTES = 12


class MasterKey:
    """The key that opens every credential. It hides itself in logs and errors."""

    __slots__ = ("_key", "key_id")

    def __init__(self, key_id: str, key: bytes) -> None:
        self.key_id = key_id
        self._key = AESGCM(key)

    def __repr__(self) -> str:
        return f"MasterKey({self.key_id!r})"

    def seal(self, secret: bytes, bound_to: bytes) -> bytes:
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._key.encrypt(nonce, secret, bound_to)

    def open(self, sealed: bytes, bound_to: bytes) -> bytes:
        return self._key.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], bound_to)


@dataclass(frozen=True, slots=True, kw_only=True)
class Secret:
    """What an envelope held."""

    kind: Kind
    value: bytes = field(repr=False)


async def put_password(tx: TenantTx, account_id: AccountId, password: str, master: MasterKey) -> CredentialId:
    """Seal a password and keep it."""
    return await put(tx, account_id, "password", password.encode(), master)


async def put(
    tx: TenantTx, account_id: AccountId, kind: Kind, value: bytes, master: MasterKey
) -> CredentialId:
    """Seal a secret and keep it."""
    credential_id = CredentialId(new_id())
    sealed = _sealed(_bound_to(tx.tenant_id, account_id, kind), value, master)
    await tx.run(QUERIES.put, id=credential_id, account_id=account_id, kind=kind, at=now_ms(), **sealed)
    return credential_id


async def get_password(tx: TenantTx, credential_id: CredentialId, master: MasterKey) -> str:
    """The password in the clear. Raises StoreError when this key does not open it."""
    return (await get(tx, credential_id, master)).value.decode()


async def get(
    tx: TenantTx, credential_id: CredentialId, master: MasterKey, *, for_update: bool = False
) -> Secret:
    """The secret in the clear; `for_update`: nobody else gets it so until this transaction ends.

    Raises StoreError when this key does not open it.
    """
    query = QUERIES.get_for_update if for_update else QUERIES.get
    rows = await tx.rows(query, credential_id=credential_id)
    if not rows:
        raise StoreError(reason="the account has no credential; give it one: postroom account add --help")
    row = rows[0]
    return Secret(kind=row["kind"], value=_opened(tx.tenant_id, row, master))


async def replace(
    tx: TenantTx,
    account_id: AccountId,
    credential_id: CredentialId,
    kind: Kind,
    value: bytes,
    master: MasterKey,
) -> None:
    """Keep another secret in the place of this one: a renewed token."""
    sealed = _sealed(_bound_to(tx.tenant_id, account_id, kind), value, master)
    await tx.run(QUERIES.replace, credential_id=credential_id, at=now_ms(), **sealed)


async def forget(tx: TenantTx, account_id: AccountId, *, kept: CredentialId | None = None) -> int:
    """Delete the secrets of an account, but for `kept`; how many there were."""
    return await tx.run(QUERIES.forget, account_id=account_id, kept=kept)


def _sealed(bound_to: bytes, value: bytes, master: MasterKey) -> dict[str, Any]:
    data_key = AESGCM.generate_key(256)
    return {
        "key_id": master.key_id,
        "wrapped_key": master.seal(data_key, bound_to),
        "ciphertext": MasterKey("", data_key).seal(value, bound_to),
    }


def _opened(tenant_id: TenantId, row: dict[str, Any], master: MasterKey) -> bytes:
    bound_to = _bound_to(tenant_id, row["account_id"], row["kind"])
    try:
        data_key = master.open(bytes(row["wrapped_key"]), bound_to)
        return MasterKey("", data_key).open(bytes(row["ciphertext"]), bound_to)
    except InvalidTag as error:
        reason = (
            f"the credential was sealed with key {row['key_id']}, and key {master.key_id} does not open it; "
            "set POSTROOM_MASTER_KEY_FILE to the key that does, or add the account again"
        )
        raise StoreError(reason=reason) from error


def _bound_to(tenant_id: TenantId, account_id: UUID, kind: str) -> bytes:
    return b"postroom:" + tenant_id.bytes + account_id.bytes + kind.encode()
