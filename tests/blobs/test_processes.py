"""What only another process can show: a kill loses nothing, and a large blob takes little memory."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest

from postroom.blobs import Blobs
from postroom.model import TenantId
from postroom.settings import load
from tests.blobs.database import tenant


def start(task: str, url: str, tenant_id: TenantId, place: str, endpoint: str = "") -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.blobs.writer", task, url, str(tenant_id), place, endpoint]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2])


def put_until_killed(url: str, tenant_id: TenantId, place: str, after_seconds: float) -> int:
    """How many batches were safe when the program was killed."""
    with start("crash", url, tenant_id, place) as program:
        assert program.stdout is not None
        first = program.stdout.readline()
        time.sleep(after_seconds)
        program.kill()
        return len([first, *program.stdout])


def names_below(folder: Path) -> set[str]:
    return {path.name.removesuffix(".zst") for path in folder.rglob("*") if path.is_file()}


@pytest.mark.anyio
@pytest.mark.parametrize("store", ["postgres", "local"])
async def test_killed_at_any_moment_every_row_has_its_bytes_and_orphans_are_swept(
    database_url, tenant_id, tmp_path: Path, store: str
):
    place = f"local:{tmp_path}" if store == "local" else store
    batches = 0
    for seed in range(6):
        batches += put_until_killed(database_url, tenant_id, place, random.Random(seed).uniform(0, 0.2))
    with psycopg.connect(database_url) as connection:
        found = connection.execute(
            "select sha256 from email_blobs where tenant_id = %s", (tenant_id,)
        ).fetchall()
    assert len(found) >= batches * 21
    blobs = Blobs(load({"POSTROOM_BLOB_STORE": place}))
    async with tenant(database_url, tenant_id) as tx:
        for (sha256,) in found:
            async for _ in blobs.read(tx, sha256):
                pass
        await blobs.sweep(tx, older_than_seconds=-10)
        assert await blobs.sweep(tx, older_than_seconds=-10) == 0
    if store == "local":
        assert names_below(tmp_path) == {sha256.hex() for (sha256,) in found}


@pytest.mark.parametrize("store", ["postgres", "local", "s3"])
def test_a_blob_of_200_mb_is_put_and_read_in_little_memory(
    database_url, tenant_id, tmp_path: Path, s3_endpoint: str, store: str
):
    place = {"postgres": store, "local": f"local:{tmp_path}", "s3": "s3://mail/large"}[store]
    with start("large", database_url, tenant_id, place, s3_endpoint) as program:
        printed, _ = program.communicate()
    assert program.returncode == 0
    assert int(printed) < 60 * 1024 * 1024
