"""Erase: nothing of a tenant remains, and a signed report says what there was.

In small transactions, children before parents, so that nobody waits for a lock. Each of them also adds to the tally in
email_moves: whatever moment a run ends at, the next goes on from there, and its report has all of it. Where the bytes of
a blob lie elsewhere they go before the row that knows where. The tenant's own row goes last.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from postroom.blobs import Blobs, tenancy
from postroom.blobs.objects import Shelf
from postroom.blobs.store import stored
from postroom.errors import Held, NotErased, PostroomError, StoreError
from postroom.ids import now_ms
from postroom.ops import tenant_login
from postroom.ops.home import write_private
from postroom.ops.provision import Site
from postroom.ops.report_file import as_text, as_time
from postroom.ops.signing import signing_key
from postroom.settings import Settings
from postroom.store import holds, moves
from postroom.store.database import Database, TenantTx
from postroom.store.system import Tenant

_BATCH_ROWS = 2_000
_BATCH_BLOBS = 500
_ROUNDS = 5
"""How often to begin again when somebody still writes."""
Report = Callable[[int, int, str], None]


async def erase(
    db: Database, settings: Settings, site: Site, tenant: Tenant, *, out: Path | None, report: Report
) -> dict[str, Any]:
    """Remove all of a tenant; the signed report, which is in the file before the tenant's own row goes.

    Raises Held, and then nothing was removed; StoreError and what is below it, and then the same call goes on from there.
    """
    key = signing_key(settings)
    erasing = _Erasing(db, Blobs(settings), tenant, report)
    await erasing.begin()
    await erasing.count_login(had_login=tenant_login.revoke(site, tenant.id))
    await erasing.remove_rows()
    await erasing.remove_objects()
    said: dict[str, Any] = {}
    try:
        async with db.tenant(tenant.id, in_any_state=True) as tx:
            said = key.sign(await erasing.finish(tx))
            if out:
                _write(out, as_text(said))
    except BaseException as error:
        if not await _is_true(erasing, out, error):
            raise
    return said


async def _is_true(erasing: _Erasing, out: Path | None, error: BaseException) -> bool:
    """Whether what the report says has come to be, although the answer to the last commit did not come.

    If it has not, the report is no more; if nobody can tell, it stands under a name that says so.
    """
    try:
        is_true = await erasing.has_ended()
    except PostroomError:
        _set_aside(out, error)
        return False
    if not is_true:
        _forget(out)
    return is_true


def _forget(out: Path | None) -> None:
    if out:
        out.unlink(missing_ok=True)


def _set_aside(out: Path | None, error: BaseException) -> None:
    if out is None or not out.exists():
        return
    unconfirmed = out.with_name(f"{out.name}.unconfirmed")
    out.replace(unconfirmed)
    why = error.fields.get("reason", error) if isinstance(error, PostroomError) else "it was interrupted"
    reason = (
        f"{why}; nobody can say now whether the tenant is erased, so its report is {unconfirmed}: it is true if"
        " postroom tenant list names no such tenant, else erase it again"
    )
    raise StoreError(reason=reason) from error


def _write(out: Path, text: str) -> None:
    try:
        write_private(out, text)
    except OSError as error:
        reason = f"the report {out} cannot be written: {error.strerror}; erase again with another path"
        raise StoreError(reason=reason) from error


class _Erasing:
    """One erasure at work."""

    def __init__(self, db: Database, blobs: Blobs, tenant: Tenant, report: Report) -> None:
        self._db, self._blobs, self._tenant, self._report = db, blobs, tenant, report
        self._shelves: dict[str, Shelf] = {}
        self._done = self._total = 0
        self._begun_at: int | None = None
        if home := blobs.home_shelf:
            self._shelves[home.root] = home

    async def begin(self) -> None:
        """Nothing new comes in or is held, and the erasure is on record. Raises Held."""
        async with self._db.tenant(self._tenant.id, in_any_state=True) as tx:
            await moves.alone(tx)
            await holds.alone(tx)
            for hold in await holds.holds_of(tx):
                raise Held(what=f"Mail of {self._tenant.name}", hold=hold.name, tenant=self._tenant.name)
            if await moves.under_way(tx) is None:
                await moves.begin(tx, "erase", now_ms())
            tally = await _add(tx)
            for root, storage_type in tally["places"].items():
                self._shelves[root] = self._blobs.shelf_at(storage_type, root)
            await moves.stop(tx, now_ms())
            for table in await moves.tables(tx, with_jobs=True):
                self._total += await moves.count(tx, table)

    async def count_login(self, *, had_login: bool) -> None:
        """To the tally: nobody can log in as the tenant any more."""
        async with self._db.tenant(self._tenant.id, in_any_state=True) as tx:
            await _add(tx, logins=int(had_login))

    async def remove_rows(self) -> None:
        """Of every table but the tenants' own, and again when somebody wrote meanwhile."""
        for attempt in range(1, _ROUNDS + 1):
            try:
                tables = await self._tables()
                for table in reversed(tables):
                    if table.name == moves.BLOBS:
                        await self._remove_blobs()
                    elif table.name != moves.TENANTS:
                        await self._remove(table, [each for each in tables if table.name in each.parents])
                return
            except StoreError as error:
                # A foreign key, most likely: there are rows again in a table that was emptied.
                if attempt == _ROUNDS or type(error) is not StoreError:
                    raise

    async def remove_objects(self) -> None:
        """What no row names: left by somebody who was interrupted."""
        for shelf in self._shelves.values():
            count, size = await tenancy.clear(shelf, self._tenant.id)
            async with self._db.tenant(self._tenant.id, in_any_state=True) as tx:
                await _add(tx, objects_without_a_row=count, bytes_without_a_row=size)

    async def finish(self, tx: TenantTx) -> dict[str, Any]:
        """The tenant's own row, and a look into every table and every shelf. Raises NotErased."""
        await moves.alone(tx)
        if self._shelves and not await tenancy.nobody_writes(tx):
            raise NotErased(name=self._tenant.name, left="blobs")
        tables = await moves.tables(tx, with_jobs=True)
        own = next(each for each in tables if each.name == moves.TENANTS)
        await _add(tx, rows={own.name: await tx.run(own.remove, limit=1)})
        rows = {each.name: found for each in tables if (found := await moves.count(tx, each))}
        objects = {
            root: found
            for root, shelf in self._shelves.items()
            if (found := await tenancy.count(shelf, self._tenant.id))
        }
        if rows or objects:
            left = ", ".join(f"{count:,} in {name}" for name, count in {**rows, **objects}.items())
            raise NotErased(name=self._tenant.name, left=left)
        found = await moves.under_way(tx)
        assert found
        begun_at, tally = found
        at, self._begun_at = now_ms(), begun_at
        await moves.note(tx, "erase", begun_at, tally, finished_at=at)
        return {
            "kind": "postroom.erasure",
            "version": 1,
            "tenant": {"id": str(self._tenant.id), "name": self._tenant.name},
            "begun_at": as_time(begun_at),
            "finished_at": as_time(at),
            "schema_version": await moves.schema_version(tx),
            "removed": {
                **{name: count for name, count in tally.items() if name not in ("rows", "places")},
                "rows": {each.name: tally["rows"].get(each.name, 0) for each in tables},
            },
            "looked_into": {
                "tables": [each.name for each in tables],
                "blob_stores": sorted(self._shelves),
                "rows_left": 0,
                "objects_left": 0,
            },
        }

    async def has_ended(self) -> bool:
        """Whether `finish` came to be. Raises StoreError."""
        if self._begun_at is None:
            return False
        async with self._db.tenant(self._tenant.id, in_any_state=True) as tx:
            return await moves.has_ended(tx, self._begun_at)

    async def _tables(self) -> list[moves.Table]:
        async with self._db.tenant(self._tenant.id, in_any_state=True) as tx:
            return await moves.tables(tx, with_jobs=True)

    async def _remove(self, table: moves.Table, children: Sequence[moves.Table]) -> None:
        """The children that are not empty yet go with their parents, and are counted: an owner's share is such a one."""
        async with self._db.tenant(self._tenant.id, in_any_state=True) as tx:
            left = [each for each in children if await moves.count(tx, each)]
        removed = 1
        while removed:
            async with self._db.tenant(self._tenant.id, in_any_state=True) as tx:
                before = {each.name: await moves.count(tx, each) for each in left}
                removed = await tx.run(table.remove, limit=_BATCH_ROWS)
                gone = {each.name: before[each.name] - await moves.count(tx, each) for each in left}
                await _add(tx, rows={table.name: removed} | gone)
            self._step(removed + sum(gone.values()), table.name)

    async def _remove_blobs(self) -> None:
        is_more = True
        while is_more:
            async with self._db.tenant(self._tenant.id, in_any_state=True) as tx:
                found = [stored(row) for row in await anext(moves.blobs(tx, page=_BATCH_BLOBS), [])]
                away: dict[str, list[Any]] = {}
                for blob in found:
                    if shelf := self._blobs.shelf_of(tx, blob):
                        self._shelves[shelf.root] = shelf
                        away.setdefault(shelf.root, []).append(blob)
                for root, there in away.items():
                    await tenancy.remove(self._shelves[root], self._tenant.id, there)
                removed = await moves.remove_blobs(tx, [blob.sha256 for blob in found])
                await _add(
                    tx,
                    rows={moves.BLOBS: removed},
                    places={root: self._shelves[root].storage_type for root in away},
                    blobs=removed,
                    blob_bytes=sum(blob.size_bytes for blob in found),
                    stored_bytes=sum(blob.stored_bytes for blob in found),
                    objects=sum(map(len, away.values())),
                )
                is_more = bool(found)
            self._step(removed, moves.BLOBS)

    def _step(self, removed: int, what: str) -> None:
        self._done += removed
        self._report(min(self._done, self._total), self._total, f"erasing {what}")


async def _add(
    tx: TenantTx,
    *,
    rows: Mapping[str, int] = MappingProxyType({}),
    places: Mapping[str, str] = MappingProxyType({}),
    **counts: int,
) -> dict[str, Any]:
    """To the tally, in the transaction that removes; what it is then. Nobody else adds to it meanwhile.

    `places` are shelves that held objects, and of what type: a run that goes on from there looks there again.
    """
    found = await moves.under_way(tx)
    if found is None:
        raise StoreError(reason="the tenant has been erased by somebody else meanwhile")
    begun_at, tally = found
    known = tally.setdefault("rows", {})
    for table, count in rows.items():
        known[table] = known.get(table, 0) + count
    for name, count in counts.items():
        tally[name] = tally.get(name, 0) + count
    tally["places"] = {**tally.get("places", {}), **places}
    await moves.note(tx, "erase", begun_at, tally)
    return tally
