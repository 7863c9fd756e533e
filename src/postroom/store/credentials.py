"""Credentials: a secret goes in sealed, and comes out only with the key that is not in the database.

The envelope: a fresh 256-bit key seals the secret (AES-256-GCM, NIST SP 800-38D), the master key seals that key.
Both are bound to tenant, account and kind, so that an envelope moved to another row does not open.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
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
Kind = Literal["password", "oauth2", "webhook"]
_NONCE_BYTES = 12


class MasterKey:
    """The key that seals every credential, with the older ones that still open some. It hides itself in logs and errors.

    `reload` gives the keys as they are now: a program that runs while they are rotated learns of the new one when it
    meets what the new one sealed, and where `is_read_to_seal`, before it seals anything with the old one.
    """

    __slots__ = ("_is_read_to_seal", "_key", "_older", "_reload", "key_id")

    def __init__(
        self,
        key_id: str,
        key: bytes,
        *,
        older: Sequence[MasterKey] = (),
        reload: Callable[[], MasterKey] | None = None,
        is_read_to_seal: bool = False,
    ) -> None:
        self.key_id = key_id
        self._key = AESGCM(key)
        self._older = tuple(older)
        self._reload = reload
        self._is_read_to_seal = is_read_to_seal

    def __repr__(self) -> str:
        return f"MasterKey({self.key_id!r})"

    @property
    def key_ids(self) -> list[str]:
        """The current key, then the older ones."""
        return [self.key_id, *(each.key_id for each in self._older)]

    def seal(self, secret: bytes, bound_to: bytes) -> bytes:
        """Ask for `key_id` after this: the key may be a newer one than before."""
        if self._is_read_to_seal:
            self._read_again()
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._key.encrypt(nonce, secret, bound_to)

    def open(self, sealed: bytes, bound_to: bytes) -> bytes:
        """Raises InvalidTag where no key opens it."""
        for key in (self, *self._older):
            with suppress(InvalidTag):
                return key._decrypted(sealed, bound_to)
        before = self.key_ids
        self._read_again()
        if self.key_ids == before:
            raise InvalidTag
        return self.open(sealed, bound_to)

    def _decrypted(self, sealed: bytes, bound_to: bytes) -> bytes:
        return self._key.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], bound_to)

    def _read_again(self) -> None:
        if self._reload is not None:
            now = self._reload()
            self.key_id, self._key, self._older = now.key_id, now._key, now._older


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
    sealed = _sealed(binding_of(tx.tenant_id, account_id, kind), value, master)
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
    return Secret(kind=row["kind"], value=opened(tx.tenant_id, row, master))


async def replace(
    tx: TenantTx,
    account_id: AccountId,
    credential_id: CredentialId,
    kind: Kind,
    value: bytes,
    master: MasterKey,
) -> None:
    """Keep another secret in the place of this one: a renewed token."""
    sealed = _sealed(binding_of(tx.tenant_id, account_id, kind), value, master)
    await tx.run(QUERIES.replace, credential_id=credential_id, at=now_ms(), **sealed)


async def forget(tx: TenantTx, account_id: AccountId) -> None:
    """Delete the secrets of an account that neither it nor its sender has any more."""
    await tx.run(QUERIES.forget, account_id=account_id)


async def count_by_key(tx: TenantTx) -> dict[str, int]:
    """How many credentials of the tenant are sealed with which master key."""
    return {row["key_id"]: row["credentials"] for row in await tx.rows(QUERIES.count_by_key)}


async def rewrap(tx: TenantTx, master: MasterKey, *, limit: int) -> int:
    """Seal the keys of some envelopes with the current master key; how many. The secrets themselves stay sealed.

    Raises StoreError for one that none of the keys opens.
    """
    rows = await tx.rows(QUERIES.sealed_with_others, key_id=master.key_id, limit=limit)
    for row in rows:
        bound_to = binding_of(tx.tenant_id, row["account_id"], row["kind"])
        try:
            data_key = master.open(bytes(row["wrapped_key"]), bound_to)
        except InvalidTag as error:
            reason = f"a credential is sealed with key {row['key_id']}, which is none of {', '.join(master.key_ids)}"
            raise StoreError(reason=f"{reason}; put that key behind the new one, and rotate again") from error
        wrapped_key = master.seal(data_key, bound_to)
        await tx.run(
            QUERIES.rewrap,
            credential_id=row["id"],
            key_id=master.key_id,
            wrapped_key=wrapped_key,
            at=now_ms(),
        )
    return len(rows)


def _sealed(bound_to: bytes, value: bytes, master: MasterKey) -> dict[str, Any]:
    data_key = AESGCM.generate_key(256)
    wrapped_key = master.seal(data_key, bound_to)
    return {
        "key_id": master.key_id,  # after sealing: the key may be a newer one than before
        "wrapped_key": wrapped_key,
        "ciphertext": MasterKey("", data_key).seal(value, bound_to),
    }


def opened(tenant_id: TenantId, row: dict[str, Any], master: MasterKey) -> bytes:
    """The secret of an envelope as its row has it. Raises StoreError when this key does not open it."""
    bound_to = binding_of(tenant_id, row["account_id"], row["kind"])
    try:
        data_key = master.open(bytes(row["wrapped_key"]), bound_to)
        return MasterKey("", data_key).open(bytes(row["ciphertext"]), bound_to)
    except InvalidTag as error:
        reason = (
            f"the credential was sealed with key {row['key_id']}, and key {' or '.join(master.key_ids)} does not open"
            " it; set POSTROOM_MASTER_KEY_FILE to the key that does, or add the account again"
        )
        raise StoreError(reason=reason) from error


def binding_of(tenant_id: TenantId, account_id: UUID, kind: str) -> bytes:
    """What an envelope cannot be taken away from."""
    return b"postroom:" + tenant_id.bytes + account_id.bytes + kind.encode()
