"""Blobs in the database itself: in the same transaction as everything else, in pieces of at most 1 MB."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from itertools import accumulate
from typing import Literal

from postroom.blobs.codec import PIECE_BYTES, Content, Packing, pack, unpack
from postroom.blobs.store import QUERIES, StoredBlob, find
from postroom.model import Transaction

_STATEMENT_BYTES = 4 * 1024 * 1024
"""Packed bytes in one statement: more would only cost memory at both ends."""


class PostgresBlobs:
    """Keeps blobs in email_blobs and email_blob_pieces."""

    storage_type: Literal["blob"] = "blob"

    def __init__(self, *, clock: Callable[[], int]) -> None:
        self._clock = clock

    async def put(self, tx: Transaction, sha256: bytes, content: Content) -> StoredBlob:
        if isinstance(content, bytes) and len(content) <= PIECE_BYTES:
            return (await self.put_many(tx, {sha256: content}))[sha256]
        known = await find(tx, [sha256])
        if known:
            return known[sha256]
        blob = _measured(sha256, content)
        pieces = iter(Packing(sha256, content))
        if await self._add_first(tx, blob, next(pieces)):
            for number, piece in enumerate(pieces, start=1):
                await tx.run(QUERIES.add_piece, sha256=sha256, piece=number, data=piece)
        return blob

    async def put_many(self, tx: Transaction, contents: Mapping[bytes, bytes]) -> dict[bytes, StoredBlob]:
        small = (item for item in sorted(contents.items()) if len(item[1]) <= PIECE_BYTES)
        done: dict[bytes, StoredBlob] = {}
        for batch in _batches(_packed(sha256, content) for sha256, content in small):
            done |= await self._add_whole(tx, batch)
        for sha256, content in contents.items():
            if sha256 not in done:
                done[sha256] = await self.put(tx, sha256, content)
        return done

    async def renew(self, tx: Transaction, blob: StoredBlob, content: Content) -> None:
        now = _measured(blob.sha256, content)
        pieces = iter(Packing(blob.sha256, content))
        await tx.run(
            QUERIES.renew_first_piece,
            sha256=blob.sha256,
            size_bytes=now.size_bytes,
            stored_bytes=now.stored_bytes,
            pieces=now.pieces,
            codec=now.codec,
            data=next(pieces),
        )
        await tx.run(QUERIES.remove_pieces, sha256=blob.sha256)
        for number, piece in enumerate(pieces, start=1):
            await tx.run(QUERIES.add_piece, sha256=blob.sha256, piece=number, data=piece)

    async def chunks(self, tx: Transaction, blob: StoredBlob, first: bytes | None) -> AsyncIterator[bytes]:
        packed = first
        for number in range(1, blob.pieces + 1):
            for plain in unpack(blob.codec, [packed or b""]):
                yield plain
            if number < blob.pieces:
                packed = await self._piece(tx, blob.sha256, number)

    async def sweep(self, tx: Transaction, *, older_than_seconds: int) -> int:
        # A row and its bytes come and go together here: nothing is ever left over.
        return 0

    async def _piece(self, tx: Transaction, sha256: bytes, number: int) -> bytes | None:
        found = await tx.rows(QUERIES.get_piece, sha256=sha256, piece=number)
        return bytes(found[0]["data"]) if found else None

    async def _add_first(self, tx: Transaction, blob: StoredBlob, piece: bytes) -> bool:
        added = await tx.run(
            QUERIES.add_first_piece,
            sha256=blob.sha256,
            size_bytes=blob.size_bytes,
            stored_bytes=blob.stored_bytes,
            pieces=blob.pieces,
            codec=blob.codec,
            data=piece,
            created_at=self._clock(),
        )
        return added == 1

    async def _add_whole(
        self, tx: Transaction, batch: list[tuple[StoredBlob, bytes]]
    ) -> dict[bytes, StoredBlob]:
        stored = [blob.stored_bytes for blob, _ in batch]
        rows = await tx.rows(
            QUERIES.add_whole,
            sha256s=[blob.sha256 for blob, _ in batch],
            sizes=[blob.size_bytes for blob, _ in batch],
            codecs=[blob.codec for blob, _ in batch],
            starts=list(accumulate(stored[:-1], initial=1)),
            stored=stored,
            data=b"".join(packed for _, packed in batch),
            created_at=self._clock(),
        )
        added = {bytes(row["sha256"]) for row in rows}
        known = await find(tx, [blob.sha256 for blob, _ in batch if blob.sha256 not in added])
        return {blob.sha256: known.get(blob.sha256, blob) for blob, _ in batch}


def _packed(sha256: bytes, content: bytes) -> tuple[StoredBlob, bytes]:
    codec, packed = pack(content)
    blob = StoredBlob(
        sha256=sha256,
        size_bytes=len(content),
        stored_bytes=len(packed),
        pieces=1,
        codec=codec,
        storage_type="blob",
    )
    return blob, packed


def _batches(blobs: Iterator[tuple[StoredBlob, bytes]]) -> Iterator[list[tuple[StoredBlob, bytes]]]:
    """Lists of blobs that fit in one statement each; nearly always there is only one."""
    batch: list[tuple[StoredBlob, bytes]] = []
    size = 0
    for blob, packed in blobs:
        batch.append((blob, packed))
        size += len(packed)
        if size >= _STATEMENT_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _measured(sha256: bytes, content: Content) -> StoredBlob:
    """The figures of a large blob, and the proof of its hash, before any of it is written."""
    packing = Packing(sha256, content)
    for _ in packing:
        pass
    return StoredBlob(
        sha256=sha256,
        size_bytes=packing.size_bytes,
        stored_bytes=packing.stored_bytes,
        pieces=packing.pieces,
        codec=packing.codec,
        storage_type="blob",
    )
