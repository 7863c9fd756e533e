"""What the blob tests share: a database, a tenant in it, and an S3 server."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer

from postroom.model import TenantId
from tests.blobs import database


@pytest.fixture(scope="session")
def database_url() -> Iterator[str]:
    # Not below pytest's own folder: the server's user may not enter that, and a socket's path must be short.
    with tempfile.TemporaryDirectory(prefix="blobs") as folder, database.server(Path(folder)) as url:
        yield url


@pytest.fixture
def tenant_id(database_url: str) -> TenantId:
    return database.new_tenant(database_url)


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    logging.getLogger("werkzeug").setLevel(logging.CRITICAL)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3_endpoint(s3_server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """An S3 server with the bucket `mail`, and the environment that signs in to it."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "postroom")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not a secret")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    boto3.client("s3", endpoint_url=s3_server, region_name="us-east-1").create_bucket(Bucket="mail")
    return s3_server


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
