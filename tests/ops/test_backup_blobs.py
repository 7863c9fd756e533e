"""Backups of a store whose blobs lie outside the database, and backups that go to a bucket."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from postroom.ops.backup.flush import flush
from postroom.ops.cluster import Cluster
from tests.blobs.conftest import s3_server
from tests.support.backups import EMAIL, Kept, kept_store

__all__ = ["s3_server"]


@pytest.fixture(scope="module")
def kept() -> Iterator[Kept]:
    with kept_store(POSTROOM_BLOB_STORE="local:FOLDER/objects") as found:
        yield found


def _objects(kept: Kept) -> set[str]:
    return {each.name for each in (kept.folder / "objects").rglob("*") if each.is_file()}


def _read_all(kept: Kept, folder: Path, tenant: str) -> None:
    """Every byte of every message of a restored store, each held against its hash on the way out."""
    out = kept.folder / f"{tenant}.mbox"
    store = {"POSTROOM_BLOB_STORE": f"local:{folder / 'blobs'}"}
    words = ("export", "-t", tenant, "-a", EMAIL, "--format", "mbox", str(out))
    kept.store.cli("--data-dir", str(folder), *words, **store)


def test_every_object_is_copied_once_and_comes_back(kept: Kept) -> None:
    full = kept.take()
    there = _objects(kept)
    assert {each.name for each in (kept.place / "blobs").rglob("*") if each.is_file()} == there
    on_top = kept.store.json("backup", "--kind", "incremental")
    assert on_top["blobs"] == len(there)
    assert kept.store.json("backup", "verify", full)["blobs"] == len(there)
    away = (kept.folder / "objects").rename(kept.folder / "objects-lost")
    try:
        folder = kept.restored("whole")
        store = {"POSTROOM_BLOB_STORE": f"local:{folder / 'blobs'}"}
        found = kept.store.json("--data-dir", str(folder), "search", "-t", "acme", "-n", "100", "", **store)[
            "items"
        ]
        _read_all(kept, folder, "acme")
        assert len(found) == 40
        Cluster(folder).stop()
    finally:
        away.rename(kept.folder / "objects")


def test_a_blob_that_the_backups_lost_is_found_by_verify(kept: Kept) -> None:
    kept.take()
    path = next(each for each in (kept.place / "blobs").rglob("*") if each.is_file())
    content = path.read_bytes()
    path.unlink()
    done = kept.store.cli("backup", "verify", check=False)
    assert (done.returncode, "is not in the backups" in done.stderr) == (18, True)
    path.write_bytes(content)


def test_mail_purged_after_a_backup_comes_back_with_its_bytes(kept: Kept) -> None:
    """Rows can come back to any moment since the last backup; so their objects stay until the next one has them."""
    kept.take()
    kept.store.cli("tenant", "create", "brief")
    kept.store.cli("sample", str(kept.folder / "young"), "--messages", "5", "--seed", "99")
    kept.store.cli("import", "-t", "brief", "-a", EMAIL, str(kept.folder / "young"))
    moment = kept.now()
    ids = [each["id"] for each in kept.store.json("search", "-t", "brief", "")["items"]]
    kept.store.cli("message", "delete", "-t", "brief", *ids)
    kept.store.cli("tenant", "retention", "brief", "--keep-deleted", "0d")
    before = _objects(kept)
    kept.store.cli("purge", "-t", "brief")
    with kept.store.connect("postgres") as connection:
        left = b"select count(*) from email_messages m join email_tenants t using (tenant_id) where t.name = 'brief'"
        assert connection.execute(left).fetchall() == [(0,)]
    assert _objects(kept) == before
    folder = kept.restored("brought-back", "--to-time", moment)
    store = {"POSTROOM_BLOB_STORE": f"local:{folder / 'blobs'}"}
    found = kept.store.json("--data-dir", str(folder), "search", "-t", "brief", "", **store)["items"]
    assert [each["id"] for each in found] == ids
    _read_all(kept, folder, "brief")
    Cluster(folder).stop()
    away = (kept.folder / "objects").rename(kept.folder / "objects-lost")
    said = kept.store.json("restore", "--into", str(kept.folder / "without"), "--to-time", moment)
    away.rename(kept.folder / "objects")
    assert said["blobs_missing"] >= 5
    assert said["verdict"]["faults"] == []


def test_blobs_that_no_kept_backup_lists_go_with_the_others(kept: Kept) -> None:
    stray = kept.place / "blobs" / "stray"
    stray.write_bytes(b"left by a backup that was interrupted")
    kept.take()
    kept.take()
    assert kept.store.json("backup", "prune", "--keep", "1")["blobs"] >= 1
    assert not stray.exists()
    assert kept.store.json("backup", "verify")["faults"] == []


def test_backups_and_archive_in_a_bucket(s3_server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "postroom")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not a secret")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    boto3.client("s3", endpoint_url=s3_server, region_name="us-east-1").create_bucket(Bucket="backups")
    with kept_store("s3://backups/here", POSTROOM_S3_ENDPOINT=s3_server) as kept:
        kept.take()
        kept.store.cli("tenant", "create", "later")
        drilled = kept.store.json("drill")
        assert drilled["kind"] == "incremental"
        flush(kept.store.settings)
        assert "later" in kept.tenants_in(kept.restored("from-the-bucket"))
        assert kept.store.json("backup", "prune", "--keep", "1")["removed"] == []
        config = (kept.store.home / "backup.json").stat()
        assert config.st_mode & 0o077 == 0


def test_a_bucket_that_is_away_is_one_sentence(s3_server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "postroom")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not a secret")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    with kept_store() as kept:
        to = ("backup", "enable", "--to", "s3://no-such-bucket/x")
        done = kept.store.cli(*to, POSTROOM_S3_ENDPOINT=s3_server, check=False)
        assert (done.returncode, "cannot be used" in done.stderr) == (18, True)
        shutil.rmtree(kept.place)
        done = kept.store.cli("backup", check=False)
        assert (done.returncode, done.stderr.count("\n")) == (18, 1)
