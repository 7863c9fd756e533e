"""Moves: how long it takes a tenant of 100,000 messages to leave, to arrive elsewhere, and to be erased.

    python -m benchmarks.moves [--messages 100000]

The yardstick is COPY by a superuser, whom row security does not touch: the same rows to a file each, and back into tables
without an index or a key. It hashes nothing, compares nothing, and reads no blob that lies elsewhere.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg

from benchmarks.measure import machine, peak_mb
from benchmarks.places import BenchStore, bench_store, tenant_maildirs

NAME = "moving"
WHOLE = {100_000: ("north", "west", "outer", "inner"), 30_000: ("east",), 4_500: ("outer",)}
"""Which of the generated mailboxes come to so many messages together."""


def moved(messages: int) -> list[tuple[str, float, str]]:
    """What was done, the seconds, and what else there is to say."""
    mail = tenant_maildirs()
    with bench_store() as here, bench_store() as there, tempfile.TemporaryDirectory() as folder:
        here.cli("tenant", "create", NAME)
        for name in WHOLE[messages]:
            here.cli("import", "-t", NAME, "-a", f"{name}@example.com", str(mail[name]))
        with here.connect("postgres") as connection:
            connection.execute(b"vacuum (analyze)")
        out = Path(folder)
        lines = _copied(here, out)
        for suffix in ("tar", "tar.zst"):
            archive = out / f"moving.{suffix}"
            seconds, peak = _run(here, "tenant", "export", NAME, str(archive))
            size = f"{archive.stat().st_size / 1e6:,.0f} MB, at most {peak:,.0f} MB of memory"
            lines.append((f"tenant export to .{suffix}", seconds, size))
        seconds, peak = _run(there, "tenant", "import", str(archive))
        lines.append(("tenant import", seconds, f"at most {peak:,.0f} MB of memory"))
        seconds, peak = _run(there, "tenant", "erase", NAME, "--yes-erase", NAME)
        lines.append(("tenant erase", seconds, f"at most {peak:,.0f} MB of memory"))
    return lines


def _run(store: BenchStore, *arguments: str) -> tuple[float, float]:
    began = time.perf_counter()
    peak = peak_mb(store.program(*arguments), **store.environment)
    return time.perf_counter() - began, peak


def _copied(store: BenchStore, folder: Path) -> list[tuple[str, float, str]]:
    with store.connect("postgres") as connection:
        tables = [
            row[0]
            for row in connection.execute(
                b"select relname from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r'"
                b" and relname like 'email%' and relname not in ('email_moves', 'email_schema_migrations')"
            ).fetchall()
        ]
        out = _timed(lambda: [_copy_out(connection, each, folder) for each in tables])
        size = sum((folder / f"{each}.csv").stat().st_size for each in tables)
        for each in tables:
            connection.execute(f"create table bare_{each} as select * from {each} with no data".encode())
        back = _timed(lambda: [_copy_in(connection, each, folder) for each in tables])
        for each in tables:
            connection.execute(f"drop table bare_{each}".encode())
            (folder / f"{each}.csv").unlink()
    return [
        ("COPY of the same tables to files", out, f"{size / 1e6:,.0f} MB"),
        ("COPY back into bare tables", back, ""),
    ]


def _copy_out(connection: psycopg.Connection[Any], table: str, folder: Path) -> None:
    with (
        (folder / f"{table}.csv").open("wb") as file,
        connection.cursor().copy(f"copy {table} to stdout (format csv)".encode()) as copy,
    ):
        for row in copy:
            file.write(row)


def _copy_in(connection: psycopg.Connection[Any], table: str, folder: Path) -> None:
    columns = connection.execute(
        b"select string_agg(quote_ident(attname), ', ' order by attnum) from pg_attribute"
        b" where attrelid = %s::regclass and attnum > 0 and not attisdropped and attgenerated = ''",
        [table],
    ).fetchall()[0][0]
    statement = f"copy bare_{table} ({columns}) from stdin (format csv)".encode()
    with (folder / f"{table}.csv").open("rb") as file, connection.cursor().copy(statement) as copy:
        while piece := file.read(1024 * 1024):
            copy.write(piece)


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def main() -> None:
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--messages", type=int, choices=WHOLE, default=100_000)
    messages = arguments.parse_args().messages
    print(
        f"{messages:,} messages. {machine()}.\n\n| what | seconds | messages/s | |\n|---|---|---|---|",
        flush=True,
    )
    for what, seconds, more in moved(messages):
        print(f"| {what} | {seconds:.1f} | {messages / seconds:,.0f} | {more} |", flush=True)


if __name__ == "__main__":
    main()
