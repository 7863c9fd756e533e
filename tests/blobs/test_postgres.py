"""Blobs in the database keep the contract."""

from __future__ import annotations

import psycopg
import pytest

from postroom.blobs import PIECE_BYTES, Blobs
from postroom.errors import BlobDamaged
from postroom.model import TenantId
from postroom.settings import load
from tests.blobs.contract import BlobContract, digest, noise
from tests.blobs.database import tenant

_CHANGED = "set_byte(data, length(data) / 2, 255 - get_byte(data, length(data) / 2))"


class TestPostgres(BlobContract):
    storage_type = "blob"

    @pytest.fixture
    def blobs(self) -> Blobs:
        return Blobs(load({}))

    def count(self, database_url: str, tenant_id: TenantId) -> int:
        with psycopg.connect(database_url) as connection:
            found = connection.execute("select count(*) from email_blobs where tenant_id = %s", (tenant_id,))
            return found.fetchall()[0][0]

    def damage(self, database_url: str, tenant_id: TenantId, sha256: bytes) -> None:
        with psycopg.connect(database_url) as connection:
            connection.execute(
                f"update email_blobs set data = {_CHANGED} where tenant_id = %s and sha256 = %s",
                (tenant_id, sha256),
            )

    async def test_a_batch_of_new_blobs_takes_one_round_trip(self, database_url, tenant_id, blobs: Blobs):
        datas = [f"letter {number}".encode() * 100 for number in range(300)]
        async with tenant(database_url, tenant_id) as tx:
            await blobs.put_many(tx, {digest(data): data for data in datas})
            assert tx.statements == 1

    async def test_a_small_blob_is_read_in_one_round_trip(self, database_url, tenant_id, blobs: Blobs):
        async with tenant(database_url, tenant_id) as tx:
            await blobs.put(tx, digest(b"letter"), b"letter")
        async with tenant(database_url, tenant_id) as tx:
            assert await blobs.read_all(tx, digest(b"letter")) == b"letter"
            assert tx.statements == 1

    async def test_a_lost_piece_is_noticed(self, database_url, tenant_id, blobs: Blobs):
        data = noise(3 * PIECE_BYTES)
        async with tenant(database_url, tenant_id) as tx:
            await blobs.put(tx, digest(data), data)
        with psycopg.connect(database_url) as connection:
            connection.execute(
                "delete from email_blob_pieces where tenant_id = %s and piece = 1", (tenant_id,)
            )
        async with tenant(database_url, tenant_id) as tx:
            with pytest.raises(BlobDamaged):
                await blobs.read_all(tx, digest(data))
