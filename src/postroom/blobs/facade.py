"""All blobs of a site: new ones go where the settings say, old ones are read from where their rows say."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path

from postroom.blobs.codec import Content
from postroom.blobs.kept import copied_until, least_age_seconds
from postroom.blobs.local import LocalShelf
from postroom.blobs.objects import ObjectBlobs, Shelf, object_path
from postroom.blobs.postgres import PostgresBlobs
from postroom.blobs.s3 import S3Shelf
from postroom.blobs.store import QUERIES, BlobStore, StoredBlob, find, stored
from postroom.errors import BlobDamaged, BlobMissing, BlobStoreUnreachable, SettingError
from postroom.mime.recipe import Encoder, Places, Recipe
from postroom.model import Transaction
from postroom.settings import Settings

GRACE_SECONDS = 60 * 60
"""Objects younger than this are never swept."""
_READERS = 8
"""Objects read at the same time."""


def _now() -> int:
    return time.time_ns() // 1_000_000


class Blobs:
    """Keeps and gives bytes, inside a transaction that somebody else began. Errors are below StoreError."""

    def __init__(self, settings: Settings, *, clock: Callable[[], int] = _now) -> None:
        self._clock = clock
        self._copied_ms = copied_until(settings.home)
        self._endpoint = settings.s3_endpoint
        self._postgres = PostgresBlobs(clock=clock)
        self._elsewhere: dict[str, ObjectBlobs] = {}
        self._home: BlobStore = self._postgres
        if settings.blob_store != "postgres":
            shelf = self._shelf(settings.blob_store)
            self._home = self._elsewhere[shelf.root] = ObjectBlobs(shelf, clock=clock)

    async def put(self, tx: Transaction, sha256: bytes, content: Content) -> StoredBlob:
        """Keep bytes of any size. Raises BlobDamaged when they turn out not to have this hash."""
        return await self._home.put(tx, sha256, content)

    async def put_many(self, tx: Transaction, contents: Mapping[bytes, bytes]) -> dict[bytes, StoredBlob]:
        """Keep the blobs of a batch of messages, keyed by the SHA-256 that the caller took of them."""
        return await self._home.put_many(tx, contents) if contents else {}

    async def find(self, tx: Transaction, sha256: bytes) -> StoredBlob:
        """Where a blob is. Raises BlobMissing."""
        found = await find(tx, [sha256])
        if not found:
            raise BlobMissing(sha256=sha256.hex(), storage="blob")
        return found[sha256]

    async def renew(self, tx: Transaction, sha256: bytes, content: Content) -> None:
        """Write the bytes of a blob over those that were damaged, where they lie; a blob that is gone is put anew."""
        known = await find(tx, [sha256])
        if sha256 not in known:
            await self.put(tx, sha256, content)
        else:
            await self._store_of(tx, known[sha256]).renew(tx, known[sha256], content)

    async def read(self, tx: Transaction, sha256: bytes) -> AsyncIterator[bytes]:
        """The bytes, in pieces of at most 1 MB. Raises BlobMissing, or BlobDamaged behind the last piece."""
        rows = await tx.rows(QUERIES.get, sha256=sha256)
        if not rows:
            raise BlobMissing(sha256=sha256.hex(), storage="blob")
        blob = stored(rows[0])
        digest = hashlib.sha256()
        async for piece in self._chunks(tx, blob, rows[0]["data"]):
            digest.update(piece)
            yield piece
        if digest.digest() != sha256:
            raise BlobDamaged(sha256=sha256.hex(), where=f"in {blob.storage_path or 'the database'}")

    async def read_all(self, tx: Transaction, sha256: bytes) -> bytes:
        """The bytes at once, for what is known to be small."""
        return b"".join([piece async for piece in self.read(tx, sha256)])

    async def read_many(self, tx: Transaction, sha256s: Sequence[bytes]) -> dict[bytes, bytes]:
        """The bytes of several small blobs; those that lie elsewhere are fetched side by side.

        Raises BlobMissing or BlobDamaged.
        """
        rows = {bytes(row["sha256"]): row for row in await tx.rows(QUERIES.get_many, sha256s=list(sha256s))}
        waiting, found = list(sha256s), dict[bytes, bytes]()

        async def fetch() -> None:
            while waiting:
                sha256 = waiting.pop()
                if sha256 not in rows:
                    raise BlobMissing(sha256=sha256.hex(), storage="blob")
                blob = stored(rows[sha256])
                pieces = [piece async for piece in self._chunks(tx, blob, rows[sha256]["data"])]
                found[sha256] = b"".join(pieces)
                if hashlib.sha256(found[sha256]).digest() != sha256:
                    raise BlobDamaged(sha256=sha256.hex(), where=f"in {blob.storage_path or 'the database'}")

        is_elsewhere = any(row["storage_path"] is not None for row in rows.values())
        await asyncio.gather(*(fetch() for _ in range(_READERS if is_elsewhere else 1)))
        return found

    async def message(
        self, tx: Transaction, sha256: bytes, skeleton: bytes, recipe: Recipe | None
    ) -> AsyncIterator[bytes]:
        """The exact bytes of a message, from its skeleton's blob and those of the attachments cut out of it.

        Raises BlobDamaged behind the last piece when they are not those whose hash is `sha256`.
        """
        digest = hashlib.sha256()
        async for piece in self._assembled(tx, skeleton, recipe):
            digest.update(piece)
            yield piece
        if digest.digest() != sha256:
            raise BlobDamaged(sha256=sha256.hex(), where="of a raw message")

    async def sweep(self, tx: Transaction, *, older_than_seconds: int = GRACE_SECONDS) -> int:
        """Remove the tenant's objects that no row names, and that a backup holds where there are backups; how many."""
        if self._copied_ms is not None:
            older_than_seconds = max(older_than_seconds, least_age_seconds(self._copied_ms))
        return await self._home.sweep(tx, older_than_seconds=older_than_seconds)

    async def discard(self, tx: Transaction, blobs: Sequence[StoredBlob]) -> None:
        """Remove the objects of blobs whose rows are gone since an earlier transaction. In the database there is none.

        Where there are backups this is left to `sweep`, which knows how old an object is.
        """
        if self._copied_ms is not None:
            return
        for store in {self._store_of(tx, blob) for blob in blobs if blob.storage_path is not None}:
            if isinstance(store, ObjectBlobs):
                mine = [each for each in blobs if each.storage_path and self._store_of(tx, each) is store]
                await store.discard(tx, mine)

    def shelf_of(self, tx: Transaction, blob: StoredBlob) -> Shelf | None:
        """Where the object of a blob lies now; None for one in the database. Raises BlobStoreUnreachable."""
        if blob.storage_path is None:
            return None
        store, home = self._store_of(tx, blob), self._home
        assert isinstance(store, ObjectBlobs)
        try:
            store.shelf.check()
        except BlobStoreUnreachable:
            if not isinstance(home, ObjectBlobs) or home is store or home.storage_type != blob.storage_type:
                raise
            home.shelf.check()
            return home.shelf  # the folder was moved, or the bucket copied
        return store.shelf

    def shelf_at(self, storage_type: str, root: str) -> Shelf:
        """The shelf with this root, `/folder` or `s3://bucket/prefix`."""
        return self._shelf(f"local:{root}" if storage_type == "local" else root)

    @property
    def home_shelf(self) -> Shelf | None:
        """Where new objects go; None when new blobs go to the database."""
        return self._home.shelf if isinstance(self._home, ObjectBlobs) else None

    async def _chunks(self, tx: Transaction, blob: StoredBlob, first: bytes | None) -> AsyncIterator[bytes]:
        try:
            async for piece in self._store_of(tx, blob).chunks(tx, blob, first):
                yield piece
        except BlobMissing:
            if self._home.storage_type != blob.storage_type:
                raise
            # The folder was moved, or the bucket copied, and the setting with it: the rows need not know.
            async for piece in self._home.chunks(tx, blob, first):
                yield piece

    async def _assembled(
        self, tx: Transaction, skeleton: bytes, recipe: Recipe | None
    ) -> AsyncIterator[bytes]:
        places = Places(recipe)
        async for kept in self.read(tx, skeleton):
            for item in places.feed(kept):
                if isinstance(item, bytes):
                    yield item
                    continue
                async for piece in self._encoded(tx, Encoder(item)):
                    yield piece
        for cut in places.close():
            async for piece in self._encoded(tx, Encoder(cut)):
                yield piece

    async def _encoded(self, tx: Transaction, encoder: Encoder) -> AsyncIterator[bytes]:
        async for plain in self.read(tx, encoder.sha256):
            for piece in encoder.feed(plain):
                yield piece
        for piece in encoder.close():
            yield piece

    def _store_of(self, tx: Transaction, blob: StoredBlob) -> BlobStore:
        if blob.storage_path is None:
            return self._postgres
        root = blob.storage_path.removesuffix("/" + object_path(tx.tenant_id, blob.sha256, blob.codec))
        if root == blob.storage_path:
            # A path that does not end in the blob's own name was not written here, and leads who knows where.
            raise BlobMissing(sha256=blob.sha256.hex(), storage=blob.storage_type)
        if root not in self._elsewhere:
            self._elsewhere[root] = ObjectBlobs(self.shelf_at(blob.storage_type, root), clock=self._clock)
        return self._elsewhere[root]

    def _shelf(self, place: str) -> Shelf:
        kind, _, rest = place.partition(":")
        if kind == "local" and rest:
            return LocalShelf(Path(rest).expanduser().absolute())
        bucket, _, prefix = rest.removeprefix("//").partition("/")
        if kind == "s3" and rest.startswith("//") and bucket:
            return S3Shelf(bucket, prefix.strip("/"), endpoint=self._endpoint)
        expected = "postgres, local:/folder or s3://bucket/prefix"
        raise SettingError(name="POSTROOM_BLOB_STORE", value=place, expected=expected)
