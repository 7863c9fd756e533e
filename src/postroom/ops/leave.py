"""Leave: all of a tenant into one archive, as it was at one moment."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from postroom import __version__
from postroom.blobs import PIECE_BYTES, Blobs
from postroom.errors import BlobDamaged, TenantErasing
from postroom.ids import now_ms
from postroom.ops import csv_rows
from postroom.ops.archive import PART_BYTES, ArchiveWriter, joined
from postroom.ops.master_key import master_key
from postroom.ops.travel_key import TravelKey
from postroom.settings import Settings
from postroom.store import moves, tenants
from postroom.store.database import Database, TenantTx
from postroom.store.system import Tenant

_PAGE = 10_000
"""Blobs that are listed together, before their bytes."""
_BATCH_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """What an archive holds."""

    rows: int
    blobs: int
    blob_bytes: int
    credentials: int
    credentials_left_out: int


async def leave(
    db: Database,
    settings: Settings,
    tenant: Tenant,
    out: Path,
    *,
    secret: bytes | None,
    report: Callable[[int, int, str], None],
) -> Left:
    """Write the archive of a tenant. `secret` seals the credentials on their way; without one they stay here.

    Raises UsageError, TargetError, StoreError, TenantErasing.
    """
    with ArchiveWriter(out) as archive:
        key = await asyncio.to_thread(TravelKey, secret, tenant.id) if secret else None
        begun_at = now_ms()
        async with db.tenant(tenant.id, in_any_state=True) as tx:
            await moves.begin(tx, "export", begun_at)
        async with db.tenant(tenant.id, in_any_state=True, is_snapshot=True) as tx:
            if (await tenants.mine(tx)).erasing_at:
                raise TenantErasing(name=tenant.name)
            leaving = _Leaving(tx, Blobs(settings), archive, settings, key, report)
            manifest = await leaving.take_all()
        left = leaving.left
        digest = archive.finish(manifest | {"tenant": {"id": str(tenant.id), "name": tenant.name}})
        async with db.tenant(tenant.id, in_any_state=True) as tx:
            tally = {
                "rows": left.rows,
                "blobs": left.blobs,
                "credentials": left.credentials,
                "manifest": digest.hex(),
            }
            await moves.note(tx, "export", begun_at, tally, finished_at=now_ms())
    return left


class _Leaving:
    """One export at work."""

    def __init__(
        self,
        tx: TenantTx,
        blobs: Blobs,
        archive: ArchiveWriter,
        settings: Settings,
        key: TravelKey | None,
        report: Callable[[int, int, str], None],
    ) -> None:
        self._tx, self._blobs, self._archive, self._settings = tx, blobs, archive, settings
        self._key, self._report = key, report
        self._rows: dict[str, int] = {}
        self._done = self._total = self._left_out = 0

    @property
    def left(self) -> Left:
        contents = self._archive.contents
        return Left(
            rows=sum(self._rows.values()),
            blobs=contents.blobs,
            blob_bytes=contents.blob_bytes,
            credentials=self._rows[moves.CREDENTIALS],
            credentials_left_out=self._left_out,
        )

    async def take_all(self) -> dict[str, Any]:
        """Every table in its turn; what the manifest says of it."""
        found = await moves.tables(self._tx, with_credentials=self._key is not None)
        tables = [each for each in found if each.name != moves.PIECES]  # blobs are taken whole
        counts = {each.name: await moves.count(self._tx, each) for each in tables}
        self._total = sum(counts.values())
        for table in tables:
            if table.name == moves.BLOBS:
                await self._take_blobs(table)
            elif table.name == moves.CREDENTIALS and self._key is None:
                self._left_out = counts[table.name]
                self._archive.add_rows(table.name, 1, joined(table.columns))
                self._rows[table.name] = 0
            else:
                await self._take_rows(table)
        return {
            "format": 1,
            "schema_version": await moves.schema_version(self._tx),
            "postroom": __version__,
            "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "credentials": {
                "key_id": self._key.key_id if self._key else None,
                "left_out": self._left_out,
            },
            "tables": {
                each.name: {"columns": each.taken_along, "rows": self._rows[each.name]} for each in tables
            },
        }

    async def _take_rows(self, table: moves.Table) -> None:
        part, held, size, rows = 1, [joined(table.columns)], 0, 0
        async for line in self._lines(table):
            if size >= PART_BYTES:
                self._archive.add_rows(table.name, part, b"".join(held))
                part, held, size = part + 1, [joined(table.columns)], 0
            held.append(line)
            size += len(line)
            rows += 1
            self._done += 1
            if rows % 1000 == 0:
                self._report(self._done, self._total, table.name)
        self._archive.add_rows(table.name, part, b"".join(held))
        self._rows[table.name] = rows

    async def _lines(self, table: moves.Table) -> AsyncIterator[bytes]:
        if table.name != moves.CREDENTIALS:
            async for line in self._tx.copy_out(table.copy_out):
                yield line
            return
        assert self._key is not None
        master = master_key(self._settings)
        async for record in self._tx.copy_out(table.copy_out):
            row = csv_rows.parsed(table.columns, record)
            account_id, kind = csv_rows.as_uuid(row["account_id"]), row["kind"].decode()
            wrapped = self._key.wrap(csv_rows.as_bytes(row["wrapped_key"]), account_id, kind, master)
            ours = {
                "wrapped_key": csv_rows.from_bytes(wrapped),
                "key_id": self._key.key_id.encode(),
            }
            yield csv_rows.line(row | ours)

    async def _take_blobs(self, table: moves.Table) -> None:
        part = rows = 0
        head = joined(table.taken_along)
        async for page in moves.blobs(self._tx, page=_PAGE):
            part += 1
            rows += len(page)
            lines = [csv_rows.blob_line(self._tx.tenant_id, row) for row in page]
            self._archive.add_rows(table.name, part, head + b"".join(lines))
            await self._take_bytes(page)
        if not part:
            self._archive.add_rows(table.name, 1, head)
        self._rows[table.name] = rows

    async def _take_bytes(self, page: list[dict[str, Any]]) -> None:
        batch: list[bytes] = []
        size = 0
        for row in page:
            sha256 = bytes(row["sha256"])
            if row["size_bytes"] > PIECE_BYTES:
                await self._take_batch(batch)
                batch, size = [], 0
                await self._take_large(sha256, row)
                continue
            batch.append(sha256)
            size += row["size_bytes"]
            if size >= _BATCH_BYTES:
                await self._take_batch(batch)
                batch, size = [], 0
        await self._take_batch(batch)

    async def _take_batch(self, batch: list[bytes]) -> None:
        if not batch:
            return
        found = await self._blobs.read_many(self._tx, batch)
        for sha256 in batch:
            self._archive.add_blob(sha256, found[sha256])
        self._done += len(batch)
        self._report(self._done, self._total, moves.BLOBS)

    async def _take_large(self, sha256: bytes, row: Mapping[str, Any]) -> None:
        size = 0
        self._archive.begin_blob(sha256, row["size_bytes"])
        async for piece in self._blobs.read(self._tx, sha256):
            size += len(piece)
            self._archive.write(piece)
        if size != row["size_bytes"]:
            raise BlobDamaged(sha256=sha256.hex(), where=f"in {row['storage_path'] or 'the database'}")
        self._archive.end(size)
        self._done += 1
        self._report(self._done, self._total, moves.BLOBS)
