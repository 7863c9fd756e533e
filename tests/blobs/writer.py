"""A program that puts blobs until it is killed, or puts a large one and reads it."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import os
import random
import resource
import sys
from collections.abc import Iterator
from uuid import UUID

from postroom.blobs import Blobs
from postroom.model import TenantId
from postroom.settings import load
from tests.blobs.database import tenant

LARGE_BYTES = 200 * 1024 * 1024


async def put_for_ever(url: str, tenant_id: TenantId, blobs: Blobs) -> None:
    """Commit batches of small blobs and a large one, saying the number of each batch that is safe."""
    dice = random.Random(os.getpid())
    for number in itertools.count():
        datas = [dice.randbytes(dice.randrange(20_000)) for _ in range(20)] + [dice.randbytes(3_000_000)]
        async with tenant(url, tenant_id) as tx:
            await blobs.put_many(tx, {hashlib.sha256(data).digest(): data for data in datas})
        print(number, flush=True)


def large() -> Iterator[bytes]:
    """Bytes of which one half compresses."""
    block = random.Random(1).randbytes(500_000) + bytes(500_000)
    for at in range(0, LARGE_BYTES, len(block)):
        yield (at.to_bytes(8, "big") + block[8:])[: LARGE_BYTES - at]


async def put_and_read_large(url: str, tenant_id: TenantId, blobs: Blobs) -> None:
    """Say how many more bytes of memory it took at most."""
    digest = hashlib.sha256()
    for piece in large():
        digest.update(piece)
    async with tenant(url, tenant_id) as tx:
        await blobs.put(tx, hashlib.sha256(b"small").digest(), b"small")
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        stored = await blobs.put(tx, digest.digest(), large)
        read = 0
        async for piece in blobs.read(tx, digest.digest()):
            read += len(piece)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert stored.size_bytes == read == LARGE_BYTES
    print((after - before) * 1024, flush=True)


if __name__ == "__main__":
    task, url, tenant_id, place, endpoint = sys.argv[1:]
    found = Blobs(load({"POSTROOM_BLOB_STORE": place, "POSTROOM_S3_ENDPOINT": endpoint}))
    work = {"crash": put_for_ever, "large": put_and_read_large}[task]
    asyncio.run(work(url, TenantId(UUID(tenant_id)), found))
