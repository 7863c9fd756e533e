"""Loading: the members of an archive into the tables, in the order in which they stand."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from itertools import groupby
from pathlib import Path
from typing import IO

from postroom.blobs import PIECE_BYTES, Blobs
from postroom.ops import csv_rows, unpack
from postroom.ops.archive import joined
from postroom.ops.travel_key import TravelKey
from postroom.ops.unpack import Manifest, Member
from postroom.store import moves
from postroom.store.credentials import MasterKey
from postroom.store.database import TenantTx
from postroom.store.system import Tenant

_BATCH_BYTES = 8 * 1024 * 1024
_MANY = 1000
"""Rows of a table that others refer to, from which on the planner must know of them."""


class Loading:
    """One import at work. Afterwards `hashes` has the SHA-256 of the rows that were sent, by table."""

    def __init__(
        self,
        tx: TenantTx,
        blobs: Blobs,
        path: Path,
        tenant: Tenant,
        manifest: Manifest,
        key: TravelKey | None,
        master: MasterKey,
        report: Callable[[int, int, str], None],
    ) -> None:
        self._tx, self._blobs, self._path, self._tenant = tx, blobs, path, tenant
        self._manifest, self._key, self._master, self._report = manifest, key, master, report
        self.hashes: dict[str, str] = {}
        self._done = 0

    async def load(self, tables: dict[str, moves.Table]) -> None:
        """Every member. Raises ArchiveRefused, StoreError."""
        for name, group in groupby(unpack.members(self._path), key=_table_of):
            if name is None:
                continue  # the manifest
            if name in self.hashes or name not in tables:
                unpack.refuse(self._path, f"its rows of {name} do not stand together")
            if name == moves.BLOBS:
                await self._load_blobs(tables[name], group)
            else:
                await self._load_rows(tables[name], group)
            rows = self._manifest.tables[name]["rows"]
            if rows >= _MANY and any(name in each.parents for each in tables.values()):
                await moves.refresh_statistics(self._tx)
            self._done += rows
            self._report(self._done, self._manifest.rows, name)

    async def _load_rows(self, table: moves.Table, group: Iterator[Member]) -> None:
        digest = hashlib.sha256()

        async def lines() -> AsyncIterator[bytes]:
            for member in group:
                for piece in self._changed(table, self._bare(table, member)):
                    digest.update(piece)
                    yield piece

        rows = await moves.bring_in(self._tx, table, lines())
        said = self._manifest.tables[table.name]["rows"]
        if rows != said or (table.name == moves.TENANTS and rows != 1):
            unpack.refuse(self._path, f"it says {said} rows of {table.name} and holds {rows}")
        self.hashes[table.name] = digest.hexdigest()

    def _bare(self, table: moves.Table, member: Member) -> Iterator[bytes]:
        """The pieces of a member behind its first line."""
        head = joined(table.taken_along)
        begun = b""
        for piece in member.pieces:
            if head:
                begun += piece
                if len(begun) < len(head):
                    continue
                if not begun.startswith(head):
                    break
                piece, head = begun[len(head) :], b""
            yield piece
        if head:
            unpack.refuse(self._path, f"the first line of {member.name} does not name the columns")

    def _changed(self, table: moves.Table, pieces: Iterator[bytes]) -> Iterator[bytes]:
        """The rows as they are to stand here: a tenant may get another name, credentials another key."""
        if table.name not in (moves.TENANTS, moves.CREDENTIALS):
            yield from pieces
            return
        for record in csv_rows.records(b"".join(pieces)):
            try:
                row = csv_rows.parsed(table.columns, record)
                change = self._named if table.name == moves.TENANTS else self._sealed
                yield csv_rows.line(change(row))
            except ValueError:
                unpack.refuse(self._path, f"a row of {table.name} is damaged")

    def _named(self, row: csv_rows.Row) -> csv_rows.Row:
        if csv_rows.as_uuid(row["tenant_id"]) != self._tenant.id:
            raise ValueError("another tenant")
        return row | {"name": self._tenant.name.encode()}

    def _sealed(self, row: csv_rows.Row) -> csv_rows.Row:
        if self._key is None:
            raise ValueError("a credential, and no key")
        wrapped = self._key.unwrap(
            csv_rows.as_bytes(row["wrapped_key"]),
            csv_rows.as_bytes(row["ciphertext"]),
            csv_rows.as_uuid(row["account_id"]),
            row["kind"].decode(),
            self._master,
        )
        here = {"wrapped_key": csv_rows.from_bytes(wrapped), "key_id": self._master.key_id.encode()}
        return row | here

    async def _load_blobs(self, table: moves.Table, group: Iterator[Member]) -> None:
        digest = hashlib.sha256()
        listed: dict[bytes, int] = {}
        batch: dict[bytes, bytes] = {}
        given: set[bytes] = set()
        for member in group:
            if member.sha256 is None:
                await self._end_page(listed, batch, given)
                data = b"".join(self._bare(table, member))
                digest.update(data)
                listed, batch, given = self._listed(table, data), {}, set()
                continue
            given.add(member.sha256)
            if member.size > PIECE_BYTES:
                await self._put_large(member.sha256, member)
                continue
            batch[member.sha256] = member.read()
            if sum(map(len, batch.values())) >= _BATCH_BYTES or len(batch) >= 500:
                await self._blobs.put_many(self._tx, batch)
                batch = {}
                self._report(self._done + len(given), self._manifest.rows, table.name)
        await self._end_page(listed, batch, given)
        self.hashes[table.name] = digest.hexdigest()

    async def _end_page(self, listed: dict[bytes, int], batch: dict[bytes, bytes], given: set[bytes]) -> None:
        if given != listed.keys():
            unpack.refuse(self._path, "the blobs in it are not those that it lists")
        await self._blobs.put_many(self._tx, batch)
        if listed:
            await moves.date_blobs(self._tx, listed)

    def _listed(self, table: moves.Table, data: bytes) -> dict[bytes, int]:
        try:
            rows = [csv_rows.parsed(table.taken_along, record) for record in csv_rows.records(data)]
            return {csv_rows.as_bytes(row["sha256"]): int(row["created_at"]) for row in rows}
        except ValueError:
            unpack.refuse(self._path, f"a row of {table.name} is damaged")

    async def _put_large(self, sha256: bytes, member: Member) -> None:
        """By way of a file without a name: its bytes are read twice, first to measure them."""
        with tempfile.TemporaryFile() as file:
            for piece in member.pieces:
                file.write(piece)
            await self._blobs.put(self._tx, sha256, lambda: _pieces(file))


def _table_of(member: Member) -> str | None:
    return moves.BLOBS if member.sha256 else member.table


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    file.seek(0)
    while piece := file.read(PIECE_BYTES):
        yield piece
