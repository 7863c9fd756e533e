"""Tenants that are to move: with a row in every corner, wherever their blobs lie."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from pathlib import Path
from random import Random
from uuid import UUID

import boto3
import pytest

from postroom.model import TenantId
from postroom.store.database import Database, TenantTx
from tests.support.archives import hashes
from tests.support.site import Store, running_store

EMAIL = "me@example.com"
MESSAGES = 60
BACKENDS = ("postgres", "local", "s3")


class Places:
    """Where blobs can lie: the settings for each of two stores, which never share a place."""

    def __init__(self, folder: Path, s3_endpoint: str) -> None:
        self._folder, self._s3 = folder, s3_endpoint

    def of(self, backend: str, who: str) -> dict[str, str]:
        if backend == "postgres":
            return {}
        if backend == "local":
            return {"POSTROOM_BLOB_STORE": f"local:{self._folder / who}"}
        return {
            "POSTROOM_BLOB_STORE": f"s3://moves/{who}",
            "POSTROOM_S3_ENDPOINT": self._s3,
            "AWS_ACCESS_KEY_ID": "postroom",
            "AWS_SECRET_ACCESS_KEY": "not a secret",
            "AWS_REGION": "us-east-1",
        }

    def objects(self, backend: str, who: str) -> list[str]:
        """Every object that lies there, by its path."""
        if backend == "local":
            found = (self._folder / who).rglob("*")
            return sorted(str(each.relative_to(self._folder / who)) for each in found)
        client = boto3.resource("s3", endpoint_url=self._s3, region_name="us-east-1")
        return sorted(each.key for each in client.Bucket("moves").objects.filter(Prefix=f"{who}/"))


@pytest.fixture(scope="session")
def elsewhere() -> Iterator[Store]:
    """Another store, on a server of its own."""
    with running_store() as found:
        yield found


@pytest.fixture
def places(tmp_path: Path, s3_server: str, monkeypatch: pytest.MonkeyPatch) -> Places:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "postroom")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not a secret")
    boto3.client("s3", endpoint_url=s3_server, region_name="us-east-1").create_bucket(Bucket="moves")
    return Places(tmp_path, s3_server)


def filled(store: Store, folder: Path, **environment: str) -> str:
    """A tenant with mail, a blob of several pieces, a password, and rows that no import makes."""
    name, box = store.tenant(), folder / "box"
    if not box.exists():
        store.cli("sample", str(box), "--messages", str(MESSAGES))
    large = folder / "large.eml"
    large.write_bytes(_large())
    store.cli("import", "-t", name, "-a", EMAIL, str(box), str(large), **environment)
    options = ("--email", "other@example.com", "--host", "127.0.0.1", "--password-stdin")
    store.cli("account", "add", "-t", name, *options, stdin="correct horse\n", **environment)
    with store.connect("postgres") as connection:
        for statement in _ODDITIES:
            connection.execute(statement.encode(), {"name": name})
    return name


_OF = "(select tenant_id from email_tenants where name = %(name)s)"
_ODDITIES = (
    # Or the triggers, which see what the tenant sees, would not count.
    f"select set_config('app.current_tenant_id', {_OF}::text, false)",
    f"""update email_messages set subject = E'"a, ""b""\\r\\n\\\\.\\n\\\\N,', reply_to = '', list_id = null
        where tenant_id = {_OF} and id = (select min(id::text)::uuid from email_messages where tenant_id = {_OF})""",
    f"""update email_placements set vanished_at = 5, flags = '{{"\\\\Seen","a \\"b\\""}}'
        where tenant_id = {_OF} and uid = 1""",
    f"""insert into email_outbox (tenant_id, id, account_id, kind, payload, not_before, created_at, updated_at)
        select tenant_id, gen_random_uuid(), id, 'send', '{{"b": 1.50, "a": "\\u00e9\\n"}}', 1, 2, 3
        from email_accounts where tenant_id = {_OF}""",
    f"""insert into email_quarantine (tenant_id, id, account_id, folder_name, origin, reason, created_at, updated_at)
        select tenant_id, gen_random_uuid(), id, 'INBOX', 'x', '', 2, 3 from email_accounts where tenant_id = {_OF}""",
)


def _large() -> bytes:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "a@example.com", EMAIL, "A large one"
    message["Message-ID"] = "<large@example.com>"
    message.set_content("See the file.")
    message.add_attachment(
        Random(7).randbytes(2_500_000), maintype="application", subtype="x", filename="x.bin"
    )
    return bytes(message)


def exported(store: Store, name: str, out: Path, *options: str, **environment: str) -> dict[str, str]:
    """The hashes of what the tenant has."""
    out.unlink(missing_ok=True)
    store.cli("tenant", "export", name, str(out), *options, **environment)
    return hashes(out)


def program(store: Store, *arguments: str, **environment: str) -> subprocess.Popen[str]:
    """A command that is not waited for."""
    env = os.environ | store.environment | environment
    command = [sys.executable, "-c", "from postroom.cli import main; main()", *arguments]
    return subprocess.Popen(command, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


@contextmanager
def stopped_at(store: Store, table: str) -> Iterator[Callable[[], None]]:
    """Whoever comes to this table waits. What is given returns when somebody does."""
    with store.connect("postgres") as connection, connection.transaction():
        connection.execute(f"lock table {table} in access exclusive mode".encode())

        def wait() -> None:
            with store.connect("postgres") as other:
                until(
                    lambda: bool(
                        other.execute(
                            b"select from pg_locks where not granted and relation = %s::regclass", [table]
                        ).rowcount
                    )
                )

        yield wait


def started_before_the_end_of(
    store: Store, tenant_id: UUID, work: Callable[[TenantTx], Awaitable[object]], *command: str
) -> subprocess.Popen[str]:
    """A command that was begun while a transaction was open in which `work` is done, and that waited for its end."""

    async def both() -> subprocess.Popen[str]:
        async with (
            Database(store.site.url("email_worker")) as db,
            db.tenant(TenantId(tenant_id), in_any_state=True) as tx,
        ):
            await work(tx)
            running = program(store, *command)
            await asyncio.to_thread(until, lambda: _somebody_waits(store))
        return running

    return asyncio.run(both())


def _somebody_waits(store: Store) -> bool:
    with store.connect("postgres") as connection:
        return bool(connection.execute(b"select from pg_locks where not granted").rowcount)


def until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def killed(running: subprocess.Popen[str]) -> None:
    running.kill()
    running.communicate()
    assert running.returncode == -9
