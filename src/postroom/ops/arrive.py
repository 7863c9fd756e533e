"""Arrive: an archive becomes a tenant, in one transaction, and is compared with the archive before that commits."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

from postroom.blobs import Blobs, tenancy
from postroom.errors import ArchiveRefused, NotFound, UsageError
from postroom.ids import now_ms
from postroom.ops import csv_rows, unpack
from postroom.ops.loading import Loading
from postroom.ops.master_key import master_key
from postroom.ops.travel_key import TravelKey
from postroom.ops.unpack import Manifest
from postroom.settings import Settings
from postroom.store import moves, system
from postroom.store.database import Database, TenantTx

Report = Callable[[int, int, str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrived:
    """What came in."""

    tenant: system.Tenant
    rows: int
    blobs: int
    folders_mended: int
    """Folders whose counters were wrong where they came from."""


async def arrive(
    db: Database,
    settings: Settings,
    path: Path,
    *,
    name: str | None,
    secret: bytes | None,
    report: Report,
) -> Arrived:
    """Bring in an archive, all of it or nothing. `secret` opens its credentials.

    Raises ArchiveRefused, UsageError, StoreError; then nothing was written.
    """
    manifest = unpack.check(path)
    tenant = system.Tenant(id=manifest.tenant_id, name=name or manifest.name)
    await _refuse_what_is_here(db, tenant, path)
    key = await asyncio.to_thread(_key, manifest, secret)
    blobs = Blobs(settings)
    shelf = blobs.home_shelf
    async with db.tenant(tenant.id) as tx:
        await moves.alone(tx)
        if await moves.name_of_tenant(tx) is not None:
            raise UsageError(reason=_is_here(tenant.id))
        tables = await moves.tables(tx, with_credentials=key is not None)
        _compare_schema(path, manifest, tables, await moves.schema_version(tx))
        if shelf:
            await tenancy.begin_arrival(shelf, tenant.id)
        try:
            loading = Loading(tx, blobs, path, tenant, manifest, key, master_key(settings), report)
            await loading.load({each.name: each for each in tables})
            mended = await moves.settle(tx)
            await _prove(tx, path, tables, loading.hashes, skip=moves.FOLDERS if mended else None)
            at = now_ms()
            await moves.begin(tx, "import", at)
            tally = {"rows": manifest.rows, "blobs": manifest.blobs}
            await moves.note(tx, "import", at, tally, finished_at=at)
        except BaseException:
            if shelf:
                await tenancy.clear(shelf, tenant.id)
            raise
    if shelf:
        await tenancy.end_arrival(shelf, tenant.id)
    async with db.system() as tx:
        await system.refresh_statistics(tx)
    return Arrived(tenant=tenant, rows=manifest.rows, blobs=manifest.blobs, folders_mended=mended)


async def _refuse_what_is_here(db: Database, tenant: system.Tenant, path: Path) -> None:
    system.check_name(tenant.name)
    async with db.tenant(tenant.id) as tx:
        if await moves.name_of_tenant(tx) is not None:
            raise UsageError(reason=_is_here(tenant.id))
    async with db.system() as tx:
        try:
            await system.tenant_named(tx, tenant.name)
        except NotFound:
            return
    raise UsageError(
        reason=f"A tenant named {tenant.name!r} is there already, and it is another one. Nothing was written. "
        f"Choose a name: postroom tenant import {path} --name NEW."
    )


def _is_here(tenant_id: object) -> str:
    return f"The tenant {tenant_id} of this archive is there already. Nothing was written."


def _key(manifest: Manifest, secret: bytes | None) -> TravelKey | None:
    if manifest.key_id is None:
        if secret:
            raise UsageError(
                reason="The archive holds no credentials: leave --key-file out. Nothing was written."
            )
        return None
    if secret is None:
        raise UsageError(
            reason="The archive holds credentials: give the key file it was made with, --key-file FILE. Nothing was written."
        )
    key = TravelKey(secret, manifest.tenant_id)
    if key.key_id != manifest.key_id:
        raise UsageError(
            reason="The key file is not the one that the archive was made with. Nothing was written."
        )
    return key


def _compare_schema(path: Path, manifest: Manifest, tables: list[moves.Table], version: int) -> None:
    if manifest.schema_version != version:
        raise ArchiveRefused(
            where=str(path),
            reason=f"it has schema version {manifest.schema_version}, and this store has {version}",
            mend="Bring both to the same version of Postroom.",
        )
    here = {each.name: each.taken_along for each in tables if each.name != moves.PIECES}
    there = {name: each["columns"] for name, each in manifest.tables.items()}
    if here != there:
        wrong = sorted(name for name in here.keys() | there.keys() if here.get(name) != there.get(name))
        raise ArchiveRefused(
            where=str(path),
            reason=f"its table {wrong[0]} is not like the one here",
            mend="Bring both to the same version of Postroom.",
        )


async def _prove(
    tx: TenantTx, path: Path, tables: list[moves.Table], hashes: dict[str, str], *, skip: str | None
) -> None:
    """Take every table out again: byte for byte what was to come in."""
    for table in tables:
        if table.name in (moves.PIECES, skip):
            continue
        digest = hashlib.sha256()
        async for line in _lines(tx, table):
            digest.update(line)
        if hashes.get(table.name) != digest.hexdigest():
            unpack.refuse(path, f"its rows of {table.name} do not stay as they are")


async def _lines(tx: TenantTx, table: moves.Table) -> AsyncIterator[bytes]:
    if table.name != moves.BLOBS:
        async for line in tx.copy_out(table.copy_out):
            yield line
        return
    async for page in moves.blobs(tx, page=10_000):
        for row in page:
            yield csv_rows.blob_line(tx.tenant_id, row)
