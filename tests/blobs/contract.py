"""The promises that every blob store keeps, wherever it puts the bytes."""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import Callable, Iterator

import pytest

from postroom.blobs import PIECE_BYTES, Blobs
from postroom.errors import BlobDamaged, BlobMissing
from postroom.mime.recipe import cut
from postroom.model import StorageType, TenantId
from tests.blobs.database import new_tenant, tenant
from tests.mime.test_recipe import DATA, message, wrapped


def digest(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def noise(size: int, seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(size)


def in_pieces(data: bytes, size: int) -> Callable[[], Iterator[bytes]]:
    return lambda: (data[at : at + size] for at in range(0, len(data), size))


SHAPES = {
    "nothing at all": b"",
    "one byte": b"x",
    "text": b"Sehr geehrte Damen und Herren,\r\n" * 300,
    "noise": noise(20_000),
    "exactly one piece": noise(PIECE_BYTES),
    "one piece and a byte": noise(PIECE_BYTES) + b"x",
    "many pieces of text": b"Lorem ipsum dolor sit amet. " * 200_000,
    "text, then noise": b"a" * PIECE_BYTES + noise(2 * PIECE_BYTES),
    "noise, then text": noise(PIECE_BYTES) + b"a" * 3 * PIECE_BYTES,
}


@pytest.mark.anyio
class BlobContract:
    """A subclass gives the fixture `blobs` and says where its bytes are."""

    storage_type: StorageType

    @pytest.mark.parametrize("size", [0, 1000, 3_000_000], ids=["held", "small pieces", "large pieces"])
    @pytest.mark.parametrize("name", SHAPES)
    async def test_what_was_put_comes_back(self, database_url, tenant_id, blobs: Blobs, name, size):
        data = SHAPES[name]
        async with tenant(database_url, tenant_id) as tx:
            blob = await blobs.put(tx, digest(data), in_pieces(data, size) if size else data)
        assert (blob.size_bytes, blob.storage_type) == (len(data), self.storage_type)
        async with tenant(database_url, tenant_id) as tx:
            pieces = [piece async for piece in blobs.read(tx, digest(data))]
        assert b"".join(pieces) == data
        assert all(len(piece) <= PIECE_BYTES for piece in pieces)

    async def test_text_is_compressed_and_noise_is_not(self, database_url, tenant_id, blobs: Blobs):
        text, photo = SHAPES["text"], SHAPES["noise"]
        async with tenant(database_url, tenant_id) as tx:
            stored = await blobs.put_many(tx, {digest(text): text, digest(photo): photo})
        assert stored[digest(text)].stored_bytes < len(text) / 10
        assert stored[digest(photo)].stored_bytes == len(photo)

    async def test_a_batch_comes_back_whole(self, database_url, tenant_id, blobs: Blobs):
        datas = [f"letter {number}\r\n".encode() * number for number in range(400)] + [noise(PIECE_BYTES + 5)]
        async with tenant(database_url, tenant_id) as tx:
            stored = await blobs.put_many(tx, {digest(data): data for data in datas})
            assert {key: blob.size_bytes for key, blob in stored.items()} == {
                digest(d): len(d) for d in datas
            }
        async with tenant(database_url, tenant_id) as tx:
            for data in datas:
                assert await blobs.read_all(tx, digest(data)) == data

    async def test_the_same_bytes_are_stored_once(self, database_url, tenant_id, blobs: Blobs):
        small, large = SHAPES["text"], SHAPES["one piece and a byte"]
        batch = {digest(small): small, digest(large): large}
        async with tenant(database_url, tenant_id) as tx:
            first = await blobs.put_many(tx, batch)
        async with tenant(database_url, tenant_id) as tx:
            assert await blobs.put_many(tx, batch) == first
            assert await blobs.put(tx, digest(large), in_pieces(large, 7000)) == first[digest(large)]
            assert await blobs.put(tx, digest(small), small) == first[digest(small)]
        assert self.count(database_url, tenant_id) == 2

    async def test_two_transactions_that_put_the_same_bytes_both_succeed(
        self, database_url, tenant_id, blobs: Blobs
    ):
        datas = [noise(3000, seed) for seed in range(50)] + [noise(PIECE_BYTES + 9)]

        async def one() -> None:
            random.shuffle(datas)
            async with tenant(database_url, tenant_id) as tx:
                await blobs.put_many(tx, {digest(data): data for data in datas})

        await asyncio.gather(*(one() for _ in range(4)))
        assert self.count(database_url, tenant_id) == len(datas)
        async with tenant(database_url, tenant_id) as tx:
            for data in datas:
                assert await blobs.read_all(tx, digest(data)) == data

    async def test_a_tenant_never_reads_anothers_bytes(self, database_url, tenant_id, blobs: Blobs):
        data = SHAPES["text"]
        async with tenant(database_url, tenant_id) as tx:
            await blobs.put(tx, digest(data), data)
        async with tenant(database_url, new_tenant(database_url)) as tx:
            with pytest.raises(BlobMissing, match=digest(data).hex()):
                await blobs.read_all(tx, digest(data))

    async def test_what_was_rolled_back_is_not_there(self, database_url, tenant_id, blobs: Blobs):
        data = SHAPES["text"]

        async def in_vain() -> None:
            async with tenant(database_url, tenant_id) as tx:
                await blobs.put(tx, digest(data), data)
                raise InterruptedError

        with pytest.raises(InterruptedError):
            await in_vain()
        async with tenant(database_url, tenant_id) as tx:
            with pytest.raises(BlobMissing):
                await blobs.read_all(tx, digest(data))
            await blobs.put(tx, digest(data), data)
            assert await blobs.read_all(tx, digest(data)) == data

    @pytest.mark.parametrize("data", [noise(50_000), noise(8 * PIECE_BYTES)], ids=["small", "large"])
    async def test_bytes_that_changed_under_way_are_refused(self, database_url, tenant_id, blobs, data):
        with pytest.raises(BlobDamaged):
            async with tenant(database_url, tenant_id) as tx:
                await blobs.put(tx, digest(b"other"), in_pieces(data, 100_000))
        assert self.count(database_url, tenant_id) == 0

    async def test_a_source_that_fails_half_way_leaves_nothing(self, database_url, tenant_id, blobs: Blobs):
        def failing() -> Iterator[bytes]:
            yield from in_pieces(noise(8 * PIECE_BYTES), 500_000)()
            raise ConnectionResetError("the disk with the mailbox was pulled out")

        with pytest.raises(ConnectionResetError):
            async with tenant(database_url, tenant_id) as tx:
                await blobs.put(tx, digest(b""), failing)
        assert self.count(database_url, tenant_id) == 0

    @pytest.mark.parametrize("name", ["text", "noise", "many pieces of text", "noise, then text"])
    async def test_damaged_bytes_are_noticed(self, database_url, tenant_id, blobs: Blobs, name):
        data = SHAPES[name]
        async with tenant(database_url, tenant_id) as tx:
            await blobs.put(tx, digest(data), data)
        self.damage(database_url, tenant_id, digest(data))
        async with tenant(database_url, tenant_id) as tx:
            with pytest.raises(BlobDamaged, match=digest(data).hex()):
                await blobs.read_all(tx, digest(data))

    async def test_a_message_is_put_together_again(self, database_url, tenant_id, blobs: Blobs):
        raw, attachment = message(wrapped(DATA, 76, b"\r\n"))
        recipe, skeleton = cut(raw, [attachment])
        kept = bytes(skeleton)
        async with tenant(database_url, tenant_id) as tx:
            await blobs.put_many(tx, {digest(kept): kept, attachment.sha256: DATA})
            whole = [piece async for piece in blobs.message(tx, digest(raw), digest(kept), recipe)]
            assert b"".join(whole) == raw
            with pytest.raises(BlobDamaged):
                _ = [piece async for piece in blobs.message(tx, digest(raw), digest(kept), None)]

    async def test_a_sweep_leaves_what_a_row_names(self, database_url, tenant_id, blobs: Blobs):
        datas = list(SHAPES.values())
        async with tenant(database_url, tenant_id) as tx:
            await blobs.put_many(tx, {digest(data): data for data in datas})
        async with tenant(database_url, tenant_id) as tx:
            assert await blobs.sweep(tx, older_than_seconds=-10) == 0
            for data in datas:
                assert await blobs.read_all(tx, digest(data)) == data

    def count(self, database_url: str, tenant_id: TenantId) -> int:
        """How many blobs the store holds for the tenant, in its own way of counting."""
        raise NotImplementedError

    def damage(self, database_url: str, tenant_id: TenantId, sha256: bytes) -> None:
        """Change a byte in the middle of what is stored."""
        raise NotImplementedError
