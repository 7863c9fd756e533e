"""One tenant out of a backup into the living store: the others are not touched."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

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
from postroom.ops.backup.target import Target
from postroom.ops.backup.verify import move_rows
from postroom.ops.leave import leave
from postroom.ops.master_key import master_key
from postroom.store import system
from postroom.store.database import Database

Report = Callable[[int, int, str], None]
Living = Callable[[], AbstractAsyncContextManager[Database]]


def restore_tenant(
    source: Source,
    target: Target,
    name: str,
    new_name: str | None,
    living: Living,
    run: Callable[[Coroutine[Any, Any, Any]], Any],
    report: Report,
    *,
    parent: Path,
) -> Arrived:
    """Bring a tenant back as it was at the target. Raises UsageError when it is there, NotFound when it was not then.

    `living` opens the living store as the owner of its tables, and `run` runs what needs a loop: recovery needs none, and
    Ctrl-C ends it at once.
    """
    run(_refuse_living(living, name if new_name is None else new_name))
    chain = source.chain(manifests.read_all(source.place), target)
    secret = secrets.token_bytes(32)
    master_key(source.settings)  # made where there is none yet
    with scratch(source, chain, target, report, parent=parent) as server:
        archive = server.data.parent / "tenant.tar"
        tenant = run(_tenant_in(server, name, target))
        _bring_objects(source, chain[-1], server, tenant.id)
        run(_leave(source, chain[-1], server, tenant, archive, secret, report))
        return run(_arrive(source, living, archive, new_name, secret, report))


async def _refuse_living(living: Living, name: str) -> None:
    async with living() as db, db.system() as tx:
        try:
            await system.tenant_named(tx, name)
        except NotFound:
            return
    raise UsageError(
        reason=f"The tenant {name} is living here; nothing was changed. To look at how it was, restore everything into a "
        "folder (postroom restore --into DIR); to replace it, first: "
        f"postroom tenant export {name} OUT && postroom tenant erase {name}."
    )


async def _tenant_in(server: Recovered, name: str, target: Target) -> system.Tenant:
    async with Database(server.url("email_owner")) as db, db.system() as tx:
        try:
            return await system.tenant_named(tx, name)
        except NotFound:
            raise NotFound(
                what="tenant", name=name, mend=f"There was none of this name at {target}."
            ) from None


async def _leave(
    source: Source,
    last: Manifest,
    server: Recovered,
    tenant: system.Tenant,
    out: Path,
    secret: bytes,
    report: Report,
) -> None:
    settings = source.settings
    if last.blobs:
        settings = replace(settings, blob_store=f"local:{server.data.parent / 'blobs'}")
    async with Database(server.url("email_owner"), statement_timeout_seconds=0) as db:
        await leave(db, settings, tenant, out, secret=secret, report=report)


async def _arrive(
    source: Source, living: Living, archive: Path, new_name: str | None, secret: bytes, report: Report
) -> Arrived:
    async with living() as db:
        return await arrive(db, source.settings, archive, name=new_name, secret=secret, report=report)


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
