"""Credentials: a secret goes in sealed, and comes out only with the key that is not in the database.

The envelope: a fresh 256-bit key seals the secret (AES-256-GCM, NIST SP 800-38D), the master key seals that key.
Both are bound to tenant, account and kind, so that an envelope moved to another row does not open.
"""

from __future__ import annotations

import os
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from postroom.errors import StoreError
from postroom.ids import new_id, now_ms
from postroom.model import AccountId, CredentialId, TenantId
from postroom.sql import queries
from postroom.store.database import TenantTx

QUERIES = queries("credentials")
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


async def put_password(tx: TenantTx, account_id: AccountId, password: str, master: MasterKey) -> CredentialId:
    """Seal a password and keep it."""
    credential_id = CredentialId(new_id())
    bound_to = binding_of(tx.tenant_id, account_id, "password")
    data_key = AESGCM.generate_key(256)
    await tx.run(
        QUERIES.put,
        id=credential_id,
        account_id=account_id,
        kind="password",
        key_id=master.key_id,
        wrapped_key=master.seal(data_key, bound_to),
        ciphertext=MasterKey("", data_key).seal(password.encode(), bound_to),
        at=now_ms(),
    )
    return credential_id


async def get_password(tx: TenantTx, credential_id: CredentialId, master: MasterKey) -> str:
    """The password in the clear. Raises StoreError when this key does not open it."""
    rows = await tx.rows(QUERIES.get, credential_id=credential_id)
    if not rows:
        raise StoreError(reason="the account has no credential; give it one: postroom account add --help")
    row = rows[0]
    bound_to = binding_of(tx.tenant_id, row["account_id"], row["kind"])
    try:
        data_key = master.open(bytes(row["wrapped_key"]), bound_to)
        return MasterKey("", data_key).open(bytes(row["ciphertext"]), bound_to).decode()
    except InvalidTag as error:
        reason = (
            f"the credential was sealed with key {row['key_id']}, and key {master.key_id} does not open it; "
            "set POSTROOM_MASTER_KEY_FILE to the key that does, or add the account again"
        )
        raise StoreError(reason=reason) from error


def binding_of(tenant_id: TenantId, account_id: UUID, kind: str) -> bytes:
    """What an envelope cannot be taken away from."""
    return b"postroom:" + tenant_id.bytes + account_id.bytes + kind.encode()
