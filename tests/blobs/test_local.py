"""Blobs in a local folder keep the contract, and are safe before a row names them."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

import psycopg
import pytest

from postroom.blobs import Blobs
from postroom.errors import BlobMissing, BlobStoreFull, BlobStoreUnreachable, SettingError
from postroom.model import TenantId
from postroom.settings import load
from tests.blobs.contract import SHAPES, BlobContract, digest, in_pieces, noise
from tests.blobs.database import tenant
from tests.support.needs import require


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def make_old(path: Path, *, seconds: int = 7200) -> None:
    then = time.time() - seconds
    os.utime(path, (then, then))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "blobs"


@pytest.fixture
def blobs(folder: Path) -> Blobs:
    return Blobs(load({"POSTROOM_BLOB_STORE": f"local:{folder}"}))


class TestLocal(BlobContract):
    storage_type = "local"

    @pytest.fixture(autouse=True)
    def _here(self, folder: Path) -> None:
        self.folder = folder

    def count(self, database_url: str, tenant_id: TenantId) -> int:
        return len(files(self.folder / str(tenant_id)))

    def damage(self, database_url: str, tenant_id: TenantId, sha256: bytes) -> None:
        (path,) = self.folder.rglob(f"{sha256.hex()}*")
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 255
        path.write_bytes(data)


pytestmark = pytest.mark.anyio


async def test_the_path_is_made_of_tenant_and_hash(database_url, tenant_id, blobs: Blobs, folder: Path):
    text, photo = SHAPES["text"], SHAPES["noise"]
    async with tenant(database_url, tenant_id) as tx:
        stored = await blobs.put_many(tx, {digest(text): text, digest(photo): photo})
    for data, end in ((text, ".zst"), (photo, "")):
        name = digest(data).hex()
        path = folder / str(tenant_id) / name[:2] / (name + end)
        assert stored[digest(data)].storage_path == str(path)
        assert path.stat().st_size == stored[digest(data)].stored_bytes
        assert path.stat().st_mode & 0o777 == 0o600
        assert path.parent.stat().st_mode & 0o777 == 0o700


async def test_a_compressed_file_is_one_that_zstd_itself_reads(database_url, tenant_id, blobs: Blobs):
    data = SHAPES["many pieces of text"]
    async with tenant(database_url, tenant_id) as tx:
        blob = await blobs.put(tx, digest(data), data)
    assert unzstd(str(blob.storage_path)) == data


def unzstd(path: str) -> bytes:
    require(shutil.which("zstd") is not None, "the program zstd is not installed")
    return subprocess.check_output(["zstd", "-dcq", path])


async def test_an_old_orphan_is_swept_and_a_young_one_is_not(
    database_url, tenant_id, blobs: Blobs, folder: Path
):
    kept, orphan, young = noise(5000, 1), noise(5000, 2), noise(5000, 3)
    async with tenant(database_url, tenant_id) as tx:
        await blobs.put(tx, digest(kept), kept)
    await put_in_vain(database_url, tenant_id, blobs, [orphan, young])
    unfinished = folder / str(tenant_id) / "aa" / f".{'aa' * 32}.0123456789abcdef"
    unfinished.parent.mkdir(exist_ok=True)
    unfinished.write_bytes(b"half of")
    for path in files(folder):
        if path.name != digest(young).hex():
            make_old(path)
    async with tenant(database_url, tenant_id) as tx:
        assert await blobs.sweep(tx) == 2
        assert {path.name for path in files(folder)} == {digest(kept).hex(), digest(young).hex()}
        assert await blobs.read_all(tx, digest(kept)) == kept


async def put_in_vain(database_url: str, tenant_id: TenantId, blobs: Blobs, datas: list[bytes]) -> None:
    try:
        async with tenant(database_url, tenant_id) as tx:
            await blobs.put_many(tx, {digest(data): data for data in datas})
            raise InterruptedError
    except InterruptedError:
        pass


async def test_an_orphan_that_is_put_again_survives_a_sweep_that_is_under_way(
    database_url, tenant_id, blobs: Blobs, folder: Path
):
    data = noise(5000)
    await put_in_vain(database_url, tenant_id, blobs, [data])
    async with tenant(database_url, tenant_id) as writing:
        await blobs.put(writing, digest(data), data)
        # As old as an orphan, and with no row that the sweep could see.
        make_old(*files(folder))
        async with tenant(database_url, tenant_id) as sweeping:
            assert await blobs.sweep(sweeping) == 0
    async with tenant(database_url, tenant_id) as tx:
        assert await blobs.sweep(tx) == 0
        assert await blobs.read_all(tx, digest(data)) == data


async def test_another_tenants_objects_are_not_swept(database_url, tenant_id, blobs: Blobs, folder: Path):
    stranger = folder / "11111111-1111-1111-1111-111111111111" / "ab" / ("ab" * 32)
    stranger.parent.mkdir(parents=True)
    stranger.write_bytes(b"not mine")
    make_old(stranger)
    async with tenant(database_url, tenant_id) as tx:
        assert await blobs.sweep(tx) == 0
    assert stranger.exists()


async def test_a_lost_file_is_named(database_url, tenant_id, blobs: Blobs, folder: Path):
    data = SHAPES["text"]
    async with tenant(database_url, tenant_id) as tx:
        await blobs.put(tx, digest(data), data)
        files(folder)[0].unlink()
        with pytest.raises(BlobMissing, match=str(folder)):
            await blobs.read_all(tx, digest(data))


async def test_after_the_setting_changes_old_blobs_are_still_read(database_url, tenant_id, blobs, tmp_path):
    datas = [SHAPES["text"], SHAPES["noise"], noise(3000, 5)]
    later = [blobs, Blobs(load({})), Blobs(load({"POSTROOM_BLOB_STORE": f"local:{tmp_path}/other"}))]
    for store, data in zip(later, datas, strict=True):
        async with tenant(database_url, tenant_id) as tx:
            await store.put(tx, digest(data), data)
    for store in later:
        async with tenant(database_url, tenant_id) as tx:
            for data in datas:
                assert await store.read_all(tx, digest(data)) == data


async def test_a_folder_that_was_moved_is_found_by_the_new_setting(
    database_url, tenant_id, blobs, folder, tmp_path
):
    data = SHAPES["text"]
    async with tenant(database_url, tenant_id) as tx:
        await blobs.put(tx, digest(data), data)
    folder.rename(tmp_path / "moved")
    moved = Blobs(load({"POSTROOM_BLOB_STORE": f"local:{tmp_path}/moved"}))
    async with tenant(database_url, tenant_id) as tx:
        assert await moved.read_all(tx, digest(data)) == data


async def test_a_row_never_leads_to_a_file_that_is_no_blob(
    database_url, tenant_id, blobs: Blobs, tmp_path: Path
):
    secret = tmp_path / "secret"
    secret.write_bytes(b"key")
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "insert into email_blobs"
            " (tenant_id, sha256, size_bytes, stored_bytes, storage_type, storage_path, created_at)"
            " values (%s, %s, 3, 3, 'local', %s, 0)",
            (tenant_id, digest(b"key"), str(secret)),
        )
    async with tenant(database_url, tenant_id) as tx:
        with pytest.raises(BlobMissing):
            await blobs.read_all(tx, digest(b"key"))


async def test_a_folder_that_cannot_be_made_is_one_sentence(database_url, tenant_id, tmp_path: Path):
    (tmp_path / "file").write_bytes(b"")
    blobs = Blobs(load({"POSTROOM_BLOB_STORE": f"local:{tmp_path}/file/below"}))
    with pytest.raises(
        BlobStoreUnreachable, match=r"file/below cannot be used: .+\. Check POSTROOM_BLOB_STORE"
    ):
        async with tenant(database_url, tenant_id) as tx:
            await blobs.put(tx, digest(b"x"), b"x")


@pytest.fixture
def small_disk(tmp_path: Path):
    require(os.geteuid() == 0, "only root may mount a small disk")
    mount = tmp_path / "disk"
    mount.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(mount)], check=True)
    yield mount
    subprocess.run(["umount", str(mount)], check=True)


@pytest.mark.parametrize("large", [False, True], ids=["many small", "one large"])
async def test_a_full_disk_loses_nothing_and_leaves_nothing_half_written(
    database_url, tenant_id, small_disk, large
):
    blobs = Blobs(load({"POSTROOM_BLOB_STORE": f"local:{small_disk}/blobs"}))
    before = noise(10_000)
    async with tenant(database_url, tenant_id) as tx:
        await blobs.put(tx, digest(before), before)
    datas = [noise(6_000_000)] if large else [noise(20_000, seed) for seed in range(200)]
    with pytest.raises(BlobStoreFull, match="no space left"):
        async with tenant(database_url, tenant_id) as tx:
            await blobs.put_many(tx, {digest(data): data for data in datas})
    for path in files(small_disk):
        assert digest(path.read_bytes()).hex() == path.name
    async with tenant(database_url, tenant_id) as tx:
        assert await blobs.read_all(tx, digest(before)) == before
        await blobs.sweep(tx, older_than_seconds=-10)
        assert [path.name for path in files(small_disk)] == [digest(before).hex()]
        await blobs.put(tx, digest(b"again"), in_pieces(b"again", 2))


@pytest.mark.parametrize("value", ["local", "local:", "s3:", "s3://", "s3:///prefix", "gcs://bucket", "disk"])
async def test_a_setting_that_cannot_be_meant_is_refused(value):
    with pytest.raises(SettingError, match="POSTROOM_BLOB_STORE"):
        Blobs(load({"POSTROOM_BLOB_STORE": value}))
