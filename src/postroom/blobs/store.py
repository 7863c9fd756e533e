"""The contract of every place that keeps bytes, and what is known of a blob."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from postroom.blobs.codec import Content
from postroom.model import StorageType, Transaction
from postroom.sql import queries

QUERIES = queries("blobs")


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredBlob:
    """Where the bytes with this SHA-256 are, and how they are packed."""

    sha256: bytes
    size_bytes: int
    stored_bytes: int
    """What they take in the store, compressed."""
    pieces: int
    codec: str
    storage_type: StorageType
    storage_path: str | None = None
    """`/folder/tenant/aa/hash.zst` or `s3://bucket/prefix/tenant/aa/hash.zst`; None in the database."""


class BlobStore(Protocol):
    """A place that keeps bytes. All it does is part of the transaction that it is given.

    A row in email_blobs says where a blob is; there is never a row without its bytes. Errors are below
    StoreError.
    """

    @property
    def storage_type(self) -> StorageType: ...

    async def put(self, tx: Transaction, sha256: bytes, content: Content) -> StoredBlob:
        """Keep the bytes; what the tenant has already is not stored again."""
        ...

    async def put_many(self, tx: Transaction, contents: Mapping[bytes, bytes]) -> dict[bytes, StoredBlob]:
        """Keep many blobs that the caller has hashed; what the tenant has already is not stored again."""
        ...

    async def renew(self, tx: Transaction, blob: StoredBlob, content: Content) -> None:
        """Write the bytes of a blob that this store keeps over those that are there."""
        ...

    def chunks(self, tx: Transaction, blob: StoredBlob, first: bytes | None) -> AsyncIterator[bytes]:
        """The plain bytes of a blob that this store keeps, as far as they are there; nobody has checked them.

        `first` is what the row itself holds of them.
        """
        ...

    async def sweep(self, tx: Transaction, *, older_than_seconds: int) -> int:
        """Remove the tenant's bytes that no row names, and say how many."""
        ...


def stored(row: Mapping[str, Any]) -> StoredBlob:
    """The value of a row of email_blobs."""
    return StoredBlob(
        sha256=bytes(row["sha256"]),
        size_bytes=row["size_bytes"],
        stored_bytes=row["stored_bytes"],
        pieces=row["pieces"],
        codec=row["codec"],
        storage_type=row["storage_type"],
        storage_path=row["storage_path"],
    )


async def find(tx: Transaction, sha256s: list[bytes]) -> dict[bytes, StoredBlob]:
    """Those of the blobs that the tenant has."""
    if not sha256s:
        return {}
    found = [stored(row) for row in await tx.rows(QUERIES.find, sha256s=sha256s)]
    return {blob.sha256: blob for blob in found}
