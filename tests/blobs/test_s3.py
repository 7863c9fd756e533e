"""Blobs in a bucket keep the contract, against a real S3 server."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import boto3
import pytest

from postroom.blobs import Blobs
from postroom.errors import BlobMissing, BlobStoreUnreachable
from postroom.model import TenantId
from postroom.settings import load
from tests.blobs.contract import SHAPES, BlobContract, digest, in_pieces, noise
from tests.blobs.database import tenant


def bucket(endpoint: str) -> Any:
    return boto3.resource("s3", endpoint_url=endpoint, region_name="us-east-1").Bucket("mail")


def blobs_at(endpoint: str, place: str = "s3://mail/post/room") -> Blobs:
    return Blobs(load({"POSTROOM_BLOB_STORE": place, "POSTROOM_S3_ENDPOINT": endpoint}))


@pytest.fixture
def blobs(s3_endpoint: str) -> Blobs:
    return blobs_at(s3_endpoint)


class TestS3(BlobContract):
    storage_type = "s3"

    @pytest.fixture(autouse=True)
    def _there(self, s3_endpoint: str) -> None:
        self.bucket = bucket(s3_endpoint)

    def count(self, database_url: str, tenant_id: TenantId) -> int:
        # What an upload that was given up leaves in a bucket is invisible, and costs money.
        assert list(self.bucket.multipart_uploads.all()) == []
        return len(list(self.bucket.objects.filter(Prefix=f"post/room/{tenant_id}/")))

    def damage(self, database_url: str, tenant_id: TenantId, sha256: bytes) -> None:
        name = sha256.hex()
        (found,) = self.bucket.objects.filter(Prefix=f"post/room/{tenant_id}/{name[:2]}/{name}")
        data = bytearray(found.get()["Body"].read())
        data[len(data) // 2] ^= 255
        found.put(Body=bytes(data))


pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(("place", "prefix"), [("s3://mail/post/room/", "post/room/"), ("s3://mail", "")])
async def test_the_key_is_made_of_tenant_and_hash(database_url, tenant_id, s3_endpoint, place, prefix):
    data = SHAPES["text"]
    async with tenant(database_url, tenant_id) as tx:
        blob = await blobs_at(s3_endpoint, place).put(tx, digest(data), data)
    name = digest(data).hex()
    key = f"{prefix}{tenant_id}/{name[:2]}/{name}.zst"
    assert blob.storage_path == f"s3://mail/{key}"
    assert [each.key for each in bucket(s3_endpoint).objects.filter(Prefix=key)] == [key]


async def test_orphans_are_swept(database_url, tenant_id, blobs: Blobs, s3_endpoint: str):
    kept = noise(5000)
    async with tenant(database_url, tenant_id) as tx:
        await blobs.put(tx, digest(kept), kept)
    there = bucket(s3_endpoint)
    there.put_object(Key=f"post/room/{tenant_id}/aa/{'aa' * 32}", Body=b"orphan")
    async with tenant(database_url, tenant_id) as tx:
        assert await blobs.sweep(tx) == 0
        assert await blobs.sweep(tx, older_than_seconds=-10) == 1
        assert await blobs.read_all(tx, digest(kept)) == kept


async def test_a_lost_object_is_named(database_url, tenant_id, blobs: Blobs, s3_endpoint: str):
    data = SHAPES["text"]
    async with tenant(database_url, tenant_id) as tx:
        await blobs.put(tx, digest(data), data)
        bucket(s3_endpoint).objects.filter(Prefix=f"post/room/{tenant_id}/").delete()
        with pytest.raises(BlobMissing, match="s3://mail/post/room"):
            await blobs.read_all(tx, digest(data))


async def test_after_a_move_to_the_database_blobs_in_the_bucket_are_still_read(
    database_url, tenant_id, blobs: Blobs, s3_endpoint
):
    data = SHAPES["many pieces of text"]
    async with tenant(database_url, tenant_id) as tx:
        await blobs.put(tx, digest(data), data)
    later = Blobs(load({"POSTROOM_S3_ENDPOINT": s3_endpoint}))
    async with tenant(database_url, tenant_id) as tx:
        assert await later.read_all(tx, digest(data)) == data


class _Refusing(BaseHTTPRequestHandler):
    status = 503

    def _refuse(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b"<Error><Code>X</Code><Message>Go away for now.</Message></Error>"
        self.send_response(self.status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_PUT = do_POST = do_DELETE = _refuse

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture(params=[503, 403])
def refusing(request: pytest.FixtureRequest, s3_endpoint: str) -> Iterator[str]:
    handler = type("Handler", (_Refusing,), {"status": request.param})
    with HTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("size", [1000, 6_000_000])
async def test_a_server_that_refuses_is_one_sentence(database_url, tenant_id, refusing: str, size: int):
    data = noise(size)
    with pytest.raises(
        BlobStoreUnreachable, match=r"^The blob store s3://mail/post/room cannot be used: Go away for now\. "
    ):
        async with tenant(database_url, tenant_id) as tx:
            await blobs_at(refusing).put(tx, digest(data), in_pieces(data, 99_999))


async def test_a_server_that_is_down_is_one_sentence(database_url, tenant_id, s3_endpoint):
    with pytest.raises(BlobStoreUnreachable, match=r"s3://mail/post/room cannot be used: Connection refused"):
        async with tenant(database_url, tenant_id) as tx:
            await blobs_at("http://127.0.0.1:1").put(tx, digest(b"x"), b"x")


async def test_a_bucket_that_is_not_there_is_one_sentence(database_url, tenant_id, s3_endpoint):
    blobs = blobs_at(s3_endpoint, "s3://nowhere")
    with pytest.raises(
        BlobStoreUnreachable, match="s3://nowhere cannot be used: The specified bucket does not exist"
    ):
        async with tenant(database_url, tenant_id) as tx:
            await blobs.put(tx, digest(b"x"), b"x")
