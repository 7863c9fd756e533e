"""P2 and P8: parsed messages into the store, against a raw COPY of the same rows; and what they take there."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from uuid import UUID, uuid4

import psycopg
from psycopg import sql

from benchmarks import corpus
from benchmarks.measure import Line, alternated, median
from benchmarks.places import EMAIL, BenchStore, bench_store, filled_store, mailbox_maildir
from postroom.blobs import Blobs
from postroom.model import RawMessage, SourceFolder, TenantId
from postroom.store import accounts, folders, system
from postroom.store.database import Database
from postroom.sync import statistics
from postroom.sync.ingest import Arrival, ingest
from postroom.sync.prepare import Prepared, prepare

BATCH = 300
TABLES = (
    *(
        "email_tenants",
        "email_accounts",
        "email_folders",
        "email_blobs",
        "email_blob_pieces",
        "email_messages",
    ),
    *(
        "email_placements",
        "email_addresses",
        "email_attachments",
        "email_search_entries",
        "email_thread_links",
    ),
    "email_changes",
)
"""In the order that foreign keys want."""


def ingested(rounds: int, count: int = 5_000) -> list[Line]:
    """P2. COPY as superuser, whom row security does not touch: an owner under FORCE could not COPY at all."""
    letters = [
        prepare(RawMessage(uid=uid, body=each.raw, flags=each.flags))
        for uid, each in enumerate(corpus.mailbox(count), start=1)
    ]
    with bench_store() as store:
        # Before anything is measured both have met a store that is not empty.
        tenant_id = asyncio.run(_ingest(store, letters))[0]
        contestants = {
            "postroom": lambda: count / asyncio.run(_ingest(store, letters))[1],
            "copy": lambda: count / _copied(store, tenant_id),
        }
        rates = alternated(rounds, **contestants)
    mine, their = median(rates["postroom"]), median(rates["copy"])
    return [
        Line(
            "P2",
            f"ingest of {count:,} parsed messages as email_worker, against COPY without row security",
            f"{mine:,.0f}/s",
            f"{their:,.0f}/s",
            f"{mine / their:.2f}",
            "≥ 0.8",
            mine / their >= 0.8,
            ["ours also finds out what is there already, threads, and cuts and compresses attachments"],
        )
    ]


async def _ingest(store: BenchStore, letters: Sequence[Prepared]) -> tuple[TenantId, float]:
    """A new tenant with these messages; its id and the seconds."""
    name = store.tenant()
    blobs = Blobs(store.settings)
    async with Database(store.site.url("email_worker")) as db:
        async with db.system() as tx:
            tenant_id = (await system.tenant_named(tx, name)).id
        async with db.tenant(tenant_id) as tx:
            account = await accounts.ensure(tx, EMAIL)
            inbox = (await folders.ensure(tx, account.id, [SourceFolder(name="INBOX", type="inbox")]))[
                "INBOX"
            ]
        began = time.perf_counter()
        for number, at in enumerate(range(0, len(letters), BATCH), start=1):
            arrivals = [
                Arrival(prepared=each, places=((inbox, 1, each.raw.uid),))
                for each in letters[at : at + BATCH]
            ]
            async with db.tenant(tenant_id) as tx:
                await ingest(tx, blobs, account, arrivals, {})
            await statistics.refresh(db, number)
        return tenant_id, time.perf_counter() - began


def _copied(store: BenchStore, tenant_id: TenantId) -> float:
    """The rows of a tenant, as another tenant's, by COPY in binary: the seconds of putting them in."""
    other = uuid4()
    with store.connect("postgres") as connection:
        made = {table: _rows(connection, table, tenant_id, other) for table in TABLES}
        began = time.perf_counter()
        with connection.transaction():
            for table, (columns, rows) in made.items():
                statement = sql.SQL("copy {} ({}) from stdin (format binary)").format(
                    sql.Identifier(table), columns
                )
                with connection.cursor().copy(statement) as copy:
                    copy.write(rows)
        return time.perf_counter() - began


def _rows(
    connection: psycopg.Connection[object], table: str, tenant_id: UUID, other: UUID
) -> tuple[sql.Composed, bytes]:
    found = connection.execute(
        "select attname from pg_attribute where attrelid = %s::regclass and attnum > 0 and not attisdropped"
        " and attgenerated = '' order by attnum",
        [table],
    ).fetchall()
    names: list[str] = [row[0] for row in found]  # type: ignore[index]
    chosen = [_column(name, table, other) for name in names]
    statement = sql.SQL("copy (select {} from {} where tenant_id = {}) to stdout (format binary)").format(
        sql.SQL(", ").join(chosen), sql.Identifier(table), sql.Literal(str(tenant_id))
    )
    with connection.cursor().copy(statement) as copy:
        rows = b"".join(bytes(piece) for piece in copy)
    return sql.SQL(", ").join(map(sql.Identifier, names)), rows


def _column(name: str, table: str, other: UUID) -> sql.Composable:
    if name == "tenant_id":
        return sql.SQL("{}::uuid").format(sql.Literal(str(other)))
    if table == "email_tenants" and name == "name":
        return sql.Literal(f"c{other.hex[:20]}")
    return sql.Identifier(name)


def stored_bytes(count: int = 20_000) -> list[Line]:
    """P8, of the mailbox with attachments, and of ten tenants without."""
    with bench_store() as store:
        store.cli("import", "-t", store.tenant(), "-a", EMAIL, str(mailbox_maildir(count)))
        lines = _bytes_a_message(store, f"{count:,} with attachments")
    with filled_store() as store:
        return lines + _bytes_a_message(store, "200,000 without attachments")


def _bytes_a_message(store: BenchStore, what: str) -> list[Line]:
    """What the database takes, less the attachments' own bytes, against text and HTML."""
    with store.connect("postgres") as connection:
        row = connection.execute(
            "select count(*), sum(coalesce(octet_length(text_body), 0) + coalesce(octet_length(html_body), 0))"
            " from email_messages"
        ).fetchone()
        assert row
        messages, text = row
        tables = connection.execute(
            "select relname, pg_total_relation_size(relid) from pg_stat_user_tables order by 2 desc"
        ).fetchall()
        sizes = dict(tables)
        files = connection.execute(
            "select coalesce(sum(b.stored_bytes), 0) from email_blobs b where exists"
            " (select from email_attachments a where (a.tenant_id, a.blob_hash) = (b.tenant_id, b.sha256))"
        ).fetchone()
        assert files
    total = sum(sizes.values()) - int(files[0])
    parts = ", ".join(f"{name.removeprefix('email_')} {size / messages:,.0f}" for name, size in tables[:5])
    return [
        Line(
            "P8",
            f"bytes in the database for each message, {what}",
            f"{total / messages:,.0f}",
            f"text and HTML {int(text) / messages:,.0f}",
            f"{total / int(text):.2f}",
            "≤ 1.0",
            total <= int(text),
            [f"without the attachments' own bytes; with their indexes: {parts}"],
        )
    ]


if __name__ == "__main__":
    for line in ingested(3):
        print(line)
