"""The door: no statement reaches the database but through a transaction that names its tenant."""

from __future__ import annotations

import copy
import logging
import re
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Literal
from uuid import UUID

import psycopg
from psycopg import errors as pg
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from postroom.errors import (
    DatabaseBusy,
    DatabaseFull,
    DatabaseUnreachable,
    Denied,
    StoreError,
    TenantErasing,
    TenantSuspended,
)
from postroom.model import Query, TenantId, UserId

Connection = psycopg.AsyncConnection[dict[str, Any]]
Role = Literal["email_service", "email_worker", "email_owner"]

_SHUT_OUT = """
select name, erasing_at from email_tenants
where tenant_id = current_setting('app.current_tenant_id')::uuid
  and (suspended_at is not null or erasing_at is not null)"""

# The pool warns of a connection that broke, which the error says already; unheard unless somebody sets up logging.
logging.getLogger("psycopg.pool").addHandler(logging.NullHandler())


class _Transaction:
    """An open transaction; `rows` and `run` are all that anybody may do with it."""

    def __init__(self, connection: Connection) -> None:
        self.__connection = connection

    async def _rows(self, query: Query, parameters: dict[str, Any]) -> list[dict[str, Any]]:
        with translated(query.name):
            cursor = await self.__connection.execute(query.text.encode(), parameters or None)
            return await cursor.fetchall() if cursor.description else []

    async def _run(self, query: Query, parameters: dict[str, Any]) -> int:
        with translated(query.name):
            return (await self.__connection.execute(query.text.encode(), parameters or None)).rowcount

    async def _copy_out(self, query: Query, parameters: dict[str, Any]) -> AsyncIterator[bytes]:
        with translated(query.name):
            async with (
                self.__connection.cursor() as cursor,
                cursor.copy(query.text.encode(), parameters) as copy,
            ):
                async for row in copy:
                    yield bytes(row)

    async def _copy_in(self, query: Query, rows: AsyncIterable[bytes], parameters: dict[str, Any]) -> int:
        with translated(query.name):
            async with self.__connection.cursor() as cursor:
                async with cursor.copy(query.text.encode(), parameters) as copy:
                    async for piece in rows:
                        await copy.write(piece)
                return cursor.rowcount

    @asynccontextmanager
    async def _unawaited(self) -> AsyncIterator[None]:
        with translated("a batch of statements"):
            async with self.__connection.pipeline():
                yield


class TenantTx(_Transaction):
    """A transaction of one tenant, or of one user in it. Only `Database.tenant` makes one."""

    def __init__(
        self,
        connection: Connection,
        tenant_id: TenantId,
        user_id: UserId | None,
        api_key_id: UUID | None = None,
        acting_user_id: UserId | None = None,
    ) -> None:
        super().__init__(connection)
        self._tenant_id = tenant_id
        self._user_id = user_id
        self.api_key_id = api_key_id
        """The key that was shown, for the trail."""
        self.acting_user_id = acting_user_id or user_id
        """Who does it, for the trail, also where the whole tenant is there."""

    @property
    def tenant_id(self) -> TenantId:
        return self._tenant_id

    @property
    def user_id(self) -> UserId | None:
        """Whose accounts, and those shared with whom, there are. None: the whole tenant."""
        return self._user_id

    async def rows(self, query: Query, /, **parameters: Any) -> list[dict[str, Any]]:
        """The rows of a statement. `%(tenant_id)s` is bound by the door and can not be given."""
        return await self._rows(query, parameters | {"tenant_id": self._tenant_id})

    async def run(self, query: Query, /, **parameters: Any) -> int:
        """Run a statement; how many rows it touched."""
        return await self._run(query, parameters | {"tenant_id": self._tenant_id})

    def copy_out(self, query: Query, /) -> AsyncIterator[bytes]:
        """What a COPY gives, row by row, however many there are. No other statement runs until it has ended."""
        return self._copy_out(query, {"tenant_id": self._tenant_id})

    async def copy_in(self, query: Query, rows: AsyncIterable[bytes], /) -> int:
        """Feed a COPY with pieces of any size; how many rows it took."""
        return await self._copy_in(query, rows, {"tenant_id": self._tenant_id})

    @asynccontextmanager
    async def unawaited(self) -> AsyncIterator[None]:
        """Inside, `run` sends and goes on, so that the server works while the next statement is made ready.

        It knows nothing of rows touched there; an error comes out at the end.
        """
        async with self._unawaited():
            yield


class SystemTx(_Transaction):
    """A transaction of no tenant: it may call the narrow functions of `queries/system.sql` and nothing else."""

    async def rows(self, query: Query, /, **parameters: Any) -> list[dict[str, Any]]:
        if not query.name.startswith("system."):
            raise ValueError(f"{query.name} is not a statement of queries/system.sql")
        return await self._rows(query, parameters)


class Database:
    """A pool of connections of one login. Use it as an async context manager. `program` is what the server shows."""

    def __init__(
        self,
        dsn: str,
        *,
        max_connections: int = 4,
        statement_timeout_seconds: int = 60,
        program: str = "postroom",
    ) -> None:
        self._where = where_of(dsn)
        self._before_commit: Callable[[TenantTx], Awaitable[None]] | None = None
        # In the transaction, not the session: a pooler takes no options, and gives the session to somebody else.
        self._limits = f"set local statement_timeout = '{statement_timeout_seconds:d}s'"
        self._pool = AsyncConnectionPool(
            dsn,
            connection_class=psycopg.AsyncConnection[dict[str, Any]],
            kwargs={
                "row_factory": dict_row,
                "autocommit": True,
                "prepare_threshold": None,  # behind a transaction pooler a prepared statement is gone at the next use
                "connect_timeout": 10,
                # A server that went away without a word is given up after half a minute, for the next one of the URL.
                "keepalives_idle": 10,
                "keepalives_interval": 5,
                "keepalives_count": 3,
                "tcp_user_timeout": 30_000,
                "application_name": program,
            },
            min_size=0,
            max_size=max_connections,
            timeout=15,
            reconnect_timeout=5,
            open=False,
            check=_check,
        )

    async def __aenter__(self) -> Database:
        await self._pool.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._pool.close()

    @asynccontextmanager
    async def tenant(
        self,
        tenant_id: TenantId,
        user_id: UserId | None = None,
        *,
        in_any_state: bool = False,
        is_snapshot: bool = False,
        api_key_id: UUID | None = None,
        acting_user_id: UserId | None = None,
    ) -> AsyncIterator[TenantTx]:
        """A transaction in which only this tenant exists. Commits at the end, rolls back on an error.

        With `user_id`, of the tenant only the accounts of that user and those shared with them.
        In a snapshot nothing changes, whatever others do meanwhile, and nothing can be written.
        Raises TenantSuspended and TenantErasing, unless it is an operator's business, which goes on `in_any_state`.
        """
        begin = "begin isolation level repeatable read read only" if is_snapshot else "begin"
        refused_if = "" if in_any_state else _SHUT_OUT
        current = _set_local(tenant_id, user_id)
        async with self._transaction(current, begin=begin, refused_if=refused_if) as connection:
            tx = TenantTx(connection, tenant_id, user_id, api_key_id, acting_user_id)
            yield tx
            if self._before_commit:
                await self._before_commit(tx)

    def watched(self, before_commit: Callable[[TenantTx], Awaitable[None]]) -> Database:
        """The same door, where each transaction of a tenant is looked at before it commits: an error rolls it back."""
        other = copy.copy(self)
        other._before_commit = before_commit
        return other

    @asynccontextmanager
    async def system(self) -> AsyncIterator[SystemTx]:
        """A transaction of no tenant, for `queries/system.sql` only."""
        # Not even one that somebody set for the whole session before the pooler handed it to us.
        async with self._transaction(_set_local(None, None)) as connection:
            yield SystemTx(connection)

    @asynccontextmanager
    async def _transaction(
        self, tenant: str, *, begin: str = "begin", refused_if: str = ""
    ) -> AsyncIterator[Connection]:
        async with self._connection() as connection:
            try:
                with translated("begin"):
                    begun = await connection.execute(
                        f"{begin}; {self._limits}; {tenant}; {refused_if}".encode()
                    )
                if refused_if:
                    await _refuse(begun)
                yield connection
            except BaseException:
                await _roll_back(connection)
                raise
            with translated("commit"):
                await connection.execute(b"commit")

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Connection]:
        try:
            connection = await self._pool.getconn()
        except (PoolTimeout, psycopg.OperationalError) as error:
            raise DatabaseUnreachable(where=self._where, reason=first_line(error)) from error
        try:
            yield connection
        finally:
            await self._pool.putconn(connection)


def _set_local(tenant_id: TenantId | None, user_id: UserId | None) -> str:
    """Both, always: a session may have come with a setting. Rendered from the UUID itself: nothing typed gets into SQL."""
    tenant, user = ("" if each is None else str(UUID(int=each.int)) for each in (tenant_id, user_id))
    return f"set local app.current_tenant_id = '{tenant}'; set local app.current_user_id = '{user}'"


async def _check(connection: Connection) -> None:
    """A connection that the server closed meanwhile is replaced."""
    await connection.execute(b"")


async def _refuse(begun: psycopg.AsyncCursor[dict[str, Any]]) -> None:
    """The last answer of a beginning is the tenant, if it is shut out."""
    while begun.nextset():
        pass
    if row := await begun.fetchone():
        raise (TenantErasing if row["erasing_at"] else TenantSuspended)(name=row["name"])


async def _roll_back(connection: Connection) -> None:
    """Best effort: a connection that cannot roll back is closed, and the server rolls back by itself."""
    try:
        if not connection.closed:
            await connection.execute(b"rollback")
    except (psycopg.Error, OSError):
        await connection.close()


@contextmanager
def translated(name: str) -> Iterator[None]:
    """Turn the driver's errors into ours: they stop in this room."""
    try:
        yield
    except (pg.DiskFull, pg.OutOfMemory) as error:
        raise DatabaseFull(reason=first_line(error)) from error
    except pg.InsufficientPrivilege as error:
        raise Denied(reason=error.diag.message_primary or "no right to do it") from error
    except (pg.QueryCanceled, pg.LockNotAvailable, pg.DeadlockDetected, pg.SerializationFailure) as error:
        raise DatabaseBusy(reason=f"{name}: {first_line(error)}") from error
    except pg.ReadOnlySqlTransaction as error:
        raise DatabaseUnreachable(where="the server", reason="it takes no writes, as a standby") from error
    except (pg.AdminShutdown, pg.CrashShutdown, pg.CannotConnectNow) as error:
        raise DatabaseUnreachable(where="the server", reason=first_line(error)) from error
    except psycopg.OperationalError as error:
        if error.sqlstate is None:
            raise DatabaseUnreachable(where="the server", reason=first_line(error)) from error
        raise StoreError(reason=f"{name}: {first_line(error)}") from error
    except psycopg.Error as error:
        # The detail of a failed statement may hold mail: only the primary message goes on.
        raise StoreError(reason=f"{name}: {error.diag.message_primary or type(error).__name__}") from error


def first_line(error: BaseException) -> str:
    """What the server or the driver said, without where: that stands in the sentence already."""
    said = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
    return re.sub(r"^connection failed: (connection to server at .*? failed: )?(FATAL: +)?", "", said)


def where_of(dsn: str) -> str:
    """The servers and the database, without who and with which password."""
    known = conninfo_to_dict(dsn)
    hosts = str(known.get("host") or "localhost").split(",")
    ports = str(known.get("port") or 5432).split(",")
    ports = ports if len(ports) == len(hosts) else ports[:1] * len(hosts)
    servers = ",".join(f"{host}:{port or 5432}" for host, port in zip(hosts, ports, strict=True))
    return f"{servers}/{known.get('dbname', '')}"
