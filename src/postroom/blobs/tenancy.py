"""All objects of a tenant at once, outside the database: when it comes, and when it goes.

Rows and objects cannot be committed together. So an import lays an object named `importing` on the shelf before its
first blob, and takes it away when its rows are safe: whatever lies beside that object is left of an import that was
interrupted, and whatever lies there without it belongs to somebody.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from itertools import islice

from postroom.blobs.objects import Shelf, object_path
from postroom.blobs.store import QUERIES, StoredBlob
from postroom.errors import UsageError
from postroom.model import TenantId, Transaction

_BATCH = 1000


def _marker(tenant_id: TenantId) -> str:
    return f"{tenant_id}/importing"


async def begin_arrival(shelf: Shelf, tenant_id: TenantId) -> None:
    """Clear away what an import has left that was interrupted, and say that one is at work.

    Raises UsageError when there are objects of this tenant that no import has left.
    """
    marker, is_anything, is_ours = _marker(tenant_id), False, False
    async for batch in _below(shelf, tenant_id):
        is_anything = True
        is_ours = is_ours or any(path == marker for path, _ in batch)
    if is_anything and not is_ours:
        raise UsageError(
            reason=f"The blob store {shelf.root} holds objects of this tenant already: it belongs to another store. "
            "Nothing was written. Choose another place with POSTROOM_BLOB_STORE."
        )
    if is_ours:
        await clear(shelf, tenant_id)
    await asyncio.to_thread(shelf.write, marker, iter([b"An import is at work, or was killed.\n"]))


async def end_arrival(shelf: Shelf, tenant_id: TenantId) -> None:
    """The rows are committed: what lies here belongs to them."""
    await asyncio.to_thread(shelf.remove, _marker(tenant_id))


async def clear(shelf: Shelf, tenant_id: TenantId) -> tuple[int, int]:
    """Take away everything that lies on the shelf under the tenant's name; how many objects and bytes.

    The object that says so goes last: what is left by an interruption is still known for what it is.
    """
    count = size = 0
    marker, has_marker = _marker(tenant_id), False
    async for batch in _below(shelf, tenant_id):
        has_marker = has_marker or any(path == marker for path, _ in batch)
        gone = [(path, length) for path, length in batch if path != marker]
        await asyncio.to_thread(shelf.remove_all, [path for path, _ in gone])
        count += len(gone)
        size += sum(length for _, length in gone)
    if has_marker:
        await asyncio.to_thread(shelf.remove, marker)
    await asyncio.to_thread(shelf.remove_folder, str(tenant_id))
    return count, size


async def count(shelf: Shelf, tenant_id: TenantId) -> int:
    """How many objects lie there under the tenant's name."""
    return sum([len(batch) async for batch in _below(shelf, tenant_id)])


async def nobody_writes(tx: Transaction) -> bool:
    """Whether nobody is between writing an object and committing its row, and nobody can be until the end."""
    return (await tx.rows(QUERIES.guard_alone))[0]["alone"]


async def remove(shelf: Shelf, tenant_id: TenantId, blobs: Sequence[StoredBlob]) -> None:
    """Take away the objects of these blobs; what is gone already is as well."""
    paths = [object_path(tenant_id, blob.sha256, blob.codec) for blob in blobs]
    await asyncio.to_thread(shelf.remove_all, paths)


async def _below(shelf: Shelf, tenant_id: TenantId) -> AsyncIterator[list[tuple[str, int]]]:
    paths = shelf.below(str(tenant_id))
    while batch := await asyncio.to_thread(lambda: list(islice(paths, _BATCH))):
        yield batch
