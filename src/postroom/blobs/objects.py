"""Blobs outside the database: an object for each, and a row that names it once the object is safe."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Protocol

from postroom.blobs.codec import Content, Packing, unpack
from postroom.blobs.store import QUERIES, StoredBlob, find
from postroom.errors import BlobMissing
from postroom.model import StorageType, TenantId, Transaction

_WRITERS = 8
"""Objects written at the same time: their waits for the disk or the network overlap."""


class Shelf(Protocol):
    """A place for objects. Its calls block; paths are relative to it; errors are below StoreError."""

    @property
    def storage_type(self) -> StorageType: ...

    @property
    def root(self) -> str:
        """What stands before a path to make it a location: `/folder` or `s3://bucket/prefix`."""
        ...

    def write(self, path: str, chunks: Iterator[bytes]) -> None:
        """Put the object there, whole or not at all. It is durable when this returns."""
        ...

    def write_new(self, path: str, content: bytes) -> None:
        """The same for an object that must not be there yet: FileExistsError when it is, and it stays as it was."""
        ...

    def read(self, path: str) -> Iterator[bytes]:
        """The bytes of an object; FileNotFoundError when there is none."""
        ...

    def older(self, folder: str, seconds: int) -> Iterator[str]:
        """The paths below a folder that were last written longer than this ago."""
        ...

    def remove(self, path: str) -> None:
        """Take the object away; one that is gone already is as well."""
        ...

    def below(self, folder: str) -> Iterator[tuple[str, int]]:
        """Every path below a folder with its size, unfinished ones included."""
        ...

    def remove_all(self, paths: Sequence[str]) -> None:
        """Take these objects away; BlobStoreUnreachable where the whole shelf is not there."""
        ...

    def remove_folder(self, folder: str) -> None:
        """Take away what is left of a folder without objects."""
        ...

    def check(self) -> None:
        """BlobStoreUnreachable when the shelf is not there."""
        ...


class ObjectBlobs:
    """Keeps blobs on a shelf, as `<tenant>/<aa>/<sha256>`, with `.zst` behind it when they are compressed.

    The compressed object is an ordinary zstd file. Names come from hashes, never from anything a mail says.
    """

    def __init__(self, shelf: Shelf, *, clock: Callable[[], int]) -> None:
        self.storage_type: StorageType = shelf.storage_type
        self.shelf = self._shelf = shelf
        self._clock = clock

    async def put(self, tx: Transaction, sha256: bytes, content: Content) -> StoredBlob:
        return (await self._put_all(tx, {sha256: content}))[sha256]

    async def put_many(self, tx: Transaction, contents: Mapping[bytes, bytes]) -> dict[bytes, StoredBlob]:
        return await self._put_all(tx, contents)

    async def renew(self, tx: Transaction, blob: StoredBlob, content: Content) -> None:
        await tx.rows(QUERIES.guard)
        await asyncio.to_thread(self._write, tx.tenant_id, blob.sha256, content)

    async def chunks(self, tx: Transaction, blob: StoredBlob, first: bytes | None) -> AsyncIterator[bytes]:
        path = object_path(tx.tenant_id, blob.sha256, blob.codec)
        plain = unpack(blob.codec, self._shelf.read(path))
        try:
            while (piece := await asyncio.to_thread(next, plain, None)) is not None:
                yield piece
        except FileNotFoundError:
            raise BlobMissing(sha256=blob.sha256.hex(), storage=self._shelf.root) from None

    async def sweep(self, tx: Transaction, *, older_than_seconds: int) -> int:
        """Remove what no row names. Steps aside, removing nothing, while objects are being written."""
        paths = self._shelf.older(str(tx.tenant_id), older_than_seconds)
        removed = 0
        while batch := await asyncio.to_thread(lambda: list(islice(paths, 1000))):
            if not await self._orphans(tx, batch):
                continue
            if not (await tx.rows(QUERIES.guard_alone))[0]["alone"]:
                return removed
            # Only now nobody is between writing an object and committing its row.
            for path in await self._orphans(tx, batch):
                await asyncio.to_thread(self._shelf.remove, path)
                removed += 1
        return removed

    async def discard(self, tx: Transaction, blobs: Iterable[StoredBlob]) -> None:
        """Remove objects whose rows are gone, but for those that have a row again or may be getting one."""
        paths = [object_path(tx.tenant_id, blob.sha256, blob.codec) for blob in blobs]
        if not (await tx.rows(QUERIES.guard_alone))[0]["alone"]:
            return  # a later sweep finds them
        for path in await self._orphans(tx, paths):
            await asyncio.to_thread(self._shelf.remove, path)

    async def _orphans(self, tx: Transaction, paths: list[str]) -> list[str]:
        named = {path: _hash_in(path) for path in paths}
        known = await find(tx, [sha256 for sha256 in named.values() if sha256])
        needed = {
            object_path(tx.tenant_id, blob.sha256, blob.codec)
            for blob in known.values()
            if blob.storage_type == self._shelf.storage_type
        }
        return [path for path in paths if path not in needed]

    async def _put_all(self, tx: Transaction, contents: Mapping[bytes, Content]) -> dict[bytes, StoredBlob]:
        known = await find(tx, list(contents))
        missing = [sha256 for sha256 in contents if sha256 not in known]
        if not missing:
            return known
        await tx.rows(QUERIES.guard)
        written = await self._write_all(tx.tenant_id, {sha256: contents[sha256] for sha256 in missing})
        await self._add_rows(tx, written)
        return known | {blob.sha256: blob for blob in written}

    async def _write_all(self, tenant_id: TenantId, contents: dict[bytes, Content]) -> list[StoredBlob]:
        """Write a few objects at a time. The first failure ends it, and then nobody is still writing."""
        waiting, written = deque(contents.items()), list[StoredBlob]()

        async def work() -> None:
            while waiting:
                try:
                    written.append(await asyncio.to_thread(self._write, tenant_id, *waiting.popleft()))
                except BaseException:
                    waiting.clear()
                    raise

        ends = await asyncio.gather(*(work() for _ in range(_WRITERS)), return_exceptions=True)
        for failure in filter(None, ends):
            raise failure
        return sorted(written, key=lambda blob: blob.sha256)

    def _write(self, tenant_id: TenantId, sha256: bytes, content: Content) -> StoredBlob:
        packing = Packing(sha256, content)
        path = object_path(tenant_id, sha256, packing.codec)
        # An object that is there without a row is written again: so it is young, and surely whole.
        self._shelf.write(path, iter(packing))
        return StoredBlob(
            sha256=sha256,
            size_bytes=packing.size_bytes,
            stored_bytes=packing.stored_bytes,
            pieces=packing.pieces,
            codec=packing.codec,
            storage_type=self._shelf.storage_type,
            storage_path=f"{self._shelf.root}/{path}",
        )

    async def _add_rows(self, tx: Transaction, blobs: Iterable[StoredBlob]) -> None:
        rows = list(blobs)
        await tx.run(
            QUERIES.add_objects,
            sha256s=[blob.sha256 for blob in rows],
            sizes=[blob.size_bytes for blob in rows],
            stored=[blob.stored_bytes for blob in rows],
            pieces=[blob.pieces for blob in rows],
            codecs=[blob.codec for blob in rows],
            paths=[blob.storage_path for blob in rows],
            storage_type=self._shelf.storage_type,
            created_at=self._clock(),
        )


def object_path(tenant_id: TenantId, sha256: bytes, codec: str) -> str:
    """Where the object of a blob lies on its shelf."""
    name = sha256.hex()
    return f"{tenant_id}/{name[:2]}/{name}{'' if codec == 'none' else '.zst'}"


def _hash_in(path: str) -> bytes | None:
    name = path.rpartition("/")[2].removesuffix(".zst")
    try:
        return bytes.fromhex(name)
    except ValueError:
        return None
