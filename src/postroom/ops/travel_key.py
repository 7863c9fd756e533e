"""Travel key: what credentials are sealed with on their way to another installation.

An envelope keeps its ciphertext, which is bound to tenant, account and kind; only the key of the envelope is wrapped
anew (AES key wrap, RFC 3394: the same key gives the same bytes, so that two exports can be compared).
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap

from postroom.errors import StoreError, UsageError
from postroom.model import TenantId
from postroom.store.credentials import MasterKey, binding_of

_LEAST_BYTES = 12


class TravelKey:
    """Made of the content of a file, a passphrase or random bytes, for one tenant (scrypt, RFC 7914)."""

    def __init__(self, secret: bytes, tenant_id: TenantId) -> None:
        salt = hashlib.sha256(b"postroom travel key" + tenant_id.bytes).digest()
        self._key = Scrypt(salt=salt, length=32, n=2**16, r=8, p=1).derive(secret)
        self._tenant_id = tenant_id
        self.key_id = hashlib.sha256(self._key).hexdigest()[:12]

    def wrap(self, wrapped: bytes, account_id: UUID, kind: str, master: MasterKey) -> bytes:
        """The key of an envelope, from under the master key to under this one. Raises StoreError."""
        try:
            return aes_key_wrap(
                self._key, master.open(wrapped, binding_of(self._tenant_id, account_id, kind))
            )
        except InvalidTag:
            reason = f"the credential of account {account_id} is not sealed with key {master.key_id}"
            raise StoreError(reason=f"{reason}; set POSTROOM_MASTER_KEY_FILE to the key that is") from None

    def unwrap(
        self, wrapped: bytes, ciphertext: bytes, account_id: UUID, kind: str, master: MasterKey
    ) -> bytes:
        """The same on the way in; the envelope is opened to see that it can be. Raises StoreError."""
        binding = binding_of(self._tenant_id, account_id, kind)
        try:
            key = aes_key_unwrap(self._key, wrapped)
            MasterKey("", key).open(ciphertext, binding)
        except (InvalidUnwrap, InvalidTag, ValueError):
            raise StoreError(reason=f"the credential of account {account_id} does not open") from None
        return master.seal(key, binding)


def read_secret(path: Path) -> bytes:
    """What a travel key is made of. Raises UsageError."""
    try:
        secret = path.read_bytes().strip()
    except OSError as error:
        raise UsageError(reason=f"The key file {path} cannot be read: {error.strerror}.") from error
    if len(secret) < _LEAST_BYTES:
        reason = f"The key file {path} holds less than {_LEAST_BYTES} characters; make one: openssl rand -base64 32."
        raise UsageError(reason=reason)
    return secret
