"""Import: everything that a file or folder holds, into an account. Twice is the same as once."""

from __future__ import annotations

import time
from collections.abc import Callable

from postroom.blobs import Blobs
from postroom.model import Account, Folder, RawMessage, SourceFolder, TenantId
from postroom.settings import Settings
from postroom.store import folders, quarantine
from postroom.store.database import Database
from postroom.store.placements import OUR_NUMBERING
from postroom.sync import statistics
from postroom.sync.batches import batches
from postroom.sync.ingest import Arrival, Tally, ingest
from postroom.wire.detect import FileSource
from postroom.wire.folders import folder_type


async def import_source(
    db: Database,
    blobs: Blobs,
    settings: Settings,
    tenant_id: TenantId,
    account: Account,
    source: FileSource,
    *,
    report: Callable[[int, int], None] = lambda *_: None,
) -> Tally:
    """Bring in a source of files. `report` is told bytes done and bytes to do after every batch."""
    began = time.monotonic()
    tally = Tally()
    known: dict[str, Folder] = {}
    count = 0
    for listed in source.folders():
        messages = source.messages(listed)
        async for batch in batches(
            messages, max_messages=settings.batch_messages, max_bytes=settings.batch_bytes
        ):
            async with db.tenant(tenant_id) as tx:
                wanted = {listed.name: listed} | {
                    name: _folder(name) for each in batch.prepared for name in each.raw.labels
                }
                missing = [folder for name, folder in wanted.items() if name not in known]
                if missing:
                    known |= await folders.ensure(tx, account.id, missing)
                arrivals = [
                    Arrival(prepared=each, places=_places(each.raw, listed, known)) for each in batch.prepared
                ]
                tally.add(await ingest(tx, blobs, account, arrivals, {listed.name: batch.unreadable}))
                await quarantine.resolve(
                    tx, account.id, listed.name, [each.raw.where for each in batch.prepared]
                )
            count += 1
            await statistics.refresh(db, count)
            report(source.done_bytes, source.size_bytes)
    tally.seconds = time.monotonic() - began
    return tally


def _places(
    raw: RawMessage, listed: SourceFolder, known: dict[str, Folder]
) -> tuple[tuple[Folder, int, int | None], ...]:
    """Where it is labelled (Gmail), else the folder it was found in."""
    names = raw.labels or (listed.name,)
    return tuple((known[name], OUR_NUMBERING, None) for name in dict.fromkeys(names))


def _folder(name: str) -> SourceFolder:
    return SourceFolder(name=name, type=folder_type(name))
