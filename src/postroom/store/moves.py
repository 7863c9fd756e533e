"""Moves: all that the tables hold of a tenant, table by table, as the catalog lists them."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal

import orjson

from postroom.errors import StoreError, UsageError
from postroom.model import Query
from postroom.sql import queries
from postroom.store.database import TenantTx

QUERIES = queries("moves")
CATALOG = queries("catalog")

BLOBS, PIECES, CREDENTIALS, TENANTS, FOLDERS = (
    "email_blobs",
    "email_blob_pieces",
    "email_credentials",
    "email_tenants",
    "email_folders",
)
PROGRAM = "postroom move"
"""What the server shows as the program of a session in which a tenant comes or goes, which may take hours."""
BLOB_COLUMNS = ("tenant_id", "sha256", "size_bytes", "created_at")
"""What a tenant takes along of email_blobs; the rest says where the bytes lie here."""
_WHERE_BYTES_LIE = {"stored_bytes", "pieces", "codec", "storage_type", "storage_path", "data"}
Kind = Literal["export", "import", "erase"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table with tenants' rows, and the statements that the catalog made for it."""

    name: str
    columns: tuple[str, ...]
    parents: frozenset[str]
    """The tables that its rows refer to."""
    copy_out: Query
    stage: Query
    copy_in: Query
    make_room: Query | None
    """The partitions that the rows need."""
    bring_in: Query
    unstage: Query
    remove: Query
    count: Query

    @property
    def taken_along(self) -> tuple[str, ...]:
        """The columns that stand in an archive."""
        return BLOB_COLUMNS if self.name == BLOBS else self.columns


async def tables(tx: TenantTx, *, with_credentials: bool = True, with_jobs: bool = False) -> list[Table]:
    """Every table that holds rows of tenants, those that others refer to before those.

    Without credentials the accounts' references to them are taken out as null. Jobs, which say what the workers here are
    at, are made with the accounts wherever these come. Raises StoreError.
    """
    await tx.rows(CATALOG.settings)
    found = [
        _table(row)
        for row in await tx.rows(CATALOG.tables, with_credentials=with_credentials, with_jobs=with_jobs)
    ]
    blobs = next(each for each in found if each.name == BLOBS)
    if unknown := set(blobs.columns) - set(BLOB_COLUMNS) - _WHERE_BYTES_LIE:
        raise StoreError(reason=f"{BLOBS} has columns that nobody takes along: {', '.join(sorted(unknown))}")
    return _parents_first(found)


async def schema_version(tx: TenantTx) -> int:
    return (await tx.rows(CATALOG.schema_version))[0]["version"]


async def name_of_tenant(tx: TenantTx) -> str | None:
    """The name of the transaction's tenant; None when it is not here."""
    rows = await tx.rows(QUERIES.tenant)
    return rows[0]["name"] if rows else None


async def alone(tx: TenantTx) -> None:
    """Until the transaction ends nobody else brings the tenant in or erases it. Raises UsageError."""
    if not (await tx.rows(QUERIES.alone))[0]["alone"]:
        raise UsageError(reason="This tenant is being brought in or erased just now; nothing was changed.")


async def count(tx: TenantTx, table: Table) -> int:
    return (await tx.rows(table.count))[0]["found"]


async def bring_in(tx: TenantTx, table: Table, rows: AsyncIterable[bytes]) -> int:
    """Rows as `copy_out` gave them; how many. Those of another tenant raise StoreError."""
    await tx.run(table.stage)
    await tx.copy_in(table.copy_in, rows)
    if table.make_room:
        await tx.rows(table.make_room)
    count = await tx.run(table.bring_in)
    await tx.run(table.unstage)
    return count


async def refresh_statistics(tx: TenantTx) -> None:
    """Tell the planner how large the tables have become: or the checks of foreign keys read all of them."""
    await tx.rows(CATALOG.refresh_statistics)


async def blobs(tx: TenantTx, *, page: int) -> AsyncIterator[list[dict[str, Any]]]:
    """What is known of all blobs, in the order of their hashes, a page at a time."""
    after = b""
    while rows := await tx.rows(QUERIES.blobs_after, after_sha256=after, limit=page):
        yield rows
        after = bytes(rows[-1]["sha256"])


async def date_blobs(tx: TenantTx, created_ats: Mapping[bytes, int]) -> None:
    """Set when the bytes first came to the tenant."""
    await tx.run(QUERIES.date_blobs, sha256s=list(created_ats), created_ats=list(created_ats.values()))


async def remove_blobs(tx: TenantTx, sha256s: Sequence[bytes]) -> int:
    return await tx.run(QUERIES.remove_blobs, sha256s=list(sha256s))


async def settle(tx: TenantTx) -> int:
    """After all rows came in: attachments say where their bytes lie, folders count what lies in them.

    How many folders had been counted wrong where they came from.
    """
    await tx.run(QUERIES.place_attachments)
    return (await tx.rows(QUERIES.recount))[0]["mended"]


async def stop(tx: TenantTx, at: int) -> None:
    """Nobody comes to the tenant any more, and none of its accounts is synced."""
    await tx.run(QUERIES.shut, at=at)
    await tx.run(QUERIES.stop)


async def begin(tx: TenantTx, kind: Kind, at: int) -> None:
    """Keep that a tenant comes or goes. A hash stands for the tenant; nothing names it."""
    await tx.run(QUERIES.begin, kind=kind, begun_at=at)


async def note(
    tx: TenantTx, kind: Kind, begun_at: int, tally: Mapping[str, Any], *, finished_at: int | None = None
) -> None:
    """How far it has come; with `finished_at`, that it is done."""
    text = orjson.dumps(tally).decode()
    await tx.run(QUERIES.note, kind=kind, begun_at=begun_at, tally=text, finished_at=finished_at)


async def under_way(tx: TenantTx) -> tuple[int, dict[str, Any]] | None:
    """When an erasure that is not done was begun, and its tally. Nobody else goes on with it meanwhile."""
    rows = await tx.rows(QUERIES.under_way)
    return (rows[0]["begun_at"], rows[0]["tally"]) if rows else None


async def has_ended(tx: TenantTx, begun_at: int) -> bool:
    """Whether the erasure that was begun then is done; when its last transaction has ended, one way or the other."""
    await tx.rows(QUERIES.in_turn)
    return any(row["is_ended"] for row in await tx.rows(QUERIES.ended, begun_at=begun_at))


def _table(row: Mapping[str, Any]) -> Table:
    name = row["name"]
    if row["remove"] is None:
        raise StoreError(reason=f"the table {name} has no primary key")
    verbs = [each.name for each in fields(Table) if "Query" in str(each.type)]
    return Table(
        name=name,
        columns=tuple(row["columns"]),
        parents=frozenset(row["parents"]),
        **{verb: row[verb] and Query(name=f"{verb} of {name}", text=row[verb]) for verb in verbs},
    )


def _parents_first(found: Sequence[Table]) -> list[Table]:
    ordered: list[Table] = []
    waiting = list(found)
    while waiting:
        names = {each.name for each in waiting}
        ready = [each for each in waiting if not each.parents & names]
        if not ready:
            raise StoreError(reason=f"the foreign keys of {', '.join(sorted(names))} go round in a circle")
        ordered += ready
        waiting = [each for each in waiting if each not in ready]
    return ordered
