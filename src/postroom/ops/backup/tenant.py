"""One tenant out of a backup into the living store: the others are not touched."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from postroom.blobs import Blobs
from postroom.blobs.objects import object_path
from postroom.errors import NotFound, UsageError
from postroom.model import TenantId
from postroom.ops.arrive import Arrived, arrive
from postroom.ops.backup import manifest as manifests
from postroom.ops.backup import objects
from postroom.ops.backup.count import QUERIES, connected, rows
from postroom.ops.backup.manifest import Manifest
from postroom.ops.backup.rebuild import Source
from postroom.ops.backup.scratch import Recovered, scratch
from postroom.ops.backup.target import Target, chain_for
from postroom.ops.backup.verify import move_rows
from postroom.ops.leave import leave
from postroom.ops.master_key import master_key
from postroom.store import system
from postroom.store.database import Database

Report = Callable[[int, int, str], None]


async def restore_tenant(
    source: Source,
    target: Target,
    name: str,
    new_name: str | None,
    live: Database,
    report: Report,
    *,
    parent: Path,
) -> Arrived:
    """Bring a tenant back as it was at the target. Raises UsageError when it is there, NotFound when it was not then."""
    await _refuse_living(live, name if new_name is None else new_name)
    chain = chain_for(manifests.read_all(source.place), target)
    for each in chain:
        manifests.prove(source.place, source.key, each)
    secret = secrets.token_bytes(32)
    master_key(source.settings)  # made where there is none yet
    key_file = source.settings.master_key_file or source.settings.home / "master.key"
    with scratch(source, chain, target, report, parent=parent) as server:
        folder = server.data.parent
        archive = folder / "tenant.tar"
        place = f"local:{folder / 'blobs'}" if chain[-1].blobs else "postgres"
        settings = replace(source.settings, blob_store=place, home=folder, master_key_file=key_file)
        async with Database(server.url("email_owner"), statement_timeout_seconds=0) as db:
            async with db.system() as tx:
                try:
                    tenant = await system.tenant_named(tx, name)
                except NotFound:
                    raise NotFound(
                        what="tenant", name=name, mend=f"There was none of this name at {target}."
                    ) from None
            await asyncio.to_thread(_bring_objects, source, chain[-1], server, tenant.id)
            await leave(db, settings, tenant, archive, secret=secret, report=report)
        return await arrive(live, source.settings, archive, name=new_name, secret=secret, report=report)


async def _refuse_living(live: Database, name: str) -> None:
    async with live.system() as tx:
        try:
            await system.tenant_named(tx, name)
        except NotFound:
            return
    raise UsageError(
        reason=f"The tenant {name} is living here; nothing was changed. To look at how it was, restore everything into a "
        f"folder (postroom restore --into DIR); to replace it, first: postroom tenant export {name} OUT && postroom tenant erase {name}."
    )


def _bring_objects(source: Source, last: Manifest, server: Recovered, tenant_id: TenantId) -> None:
    """The tenant's objects, out of the backups into the scratch folder."""
    if not last.blobs:
        return
    folder = server.data.parent / "blobs"
    with connected(server.url()) as connection:
        move_rows(connection, last, folder)
        found = [row for row in rows(connection, QUERIES.objects_by_tenant) if row["tenant_id"] == tenant_id]
    shelf = Blobs(source.settings).shelf_at("local", str(folder))
    paths = [object_path(tenant_id, bytes(row["sha256"]), row["codec"]) for row in found]
    missing = objects.bring_back(source.place, source.key, paths, shelf)
    objects.from_the_store(objects.living_shelf(source.settings, last), missing, shelf)
