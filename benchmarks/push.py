"""Workers: what a quiet account costs, how soon new mail is found, and how long a thousand first syncs take.

    python -m benchmarks.push                                  # 500 quiet accounts; 1,000 accounts of 200 messages
    python -m benchmarks.push --quiet 100 --accounts 100       # a smaller one

Against a Dovecot on the same machine, over TLS, one worker, which shares the processors with both servers.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.measure import machine, median, percentile
from benchmarks.places import BenchStore, bench_store
from postroom.ops.master_key import master_key
from postroom.sample import generate, write_maildir
from postroom.store import accounts, credentials, system
from postroom.store.database import Database
from tests.support.dovecot import Dovecot, running_dovecot
from tests.support.workers import WorkerProcess

MANY = """
default_client_limit = 8000
default_process_limit = 4000
service imap-login {
  service_count = 0
  client_limit = 4000
  process_min_avail = 2
}
service imap {
  process_limit = 4000
}
"""
_MANY_JOBS = """
set session_replication_role = replica;
insert into email_tenants
  select gen_random_uuid(), 't' || n, gen_random_uuid(), 0, 0 from generate_series(1, {tenants}) n;
insert into email_sync_jobs (tenant_id, account_id, host, due_at)
  select tenant_id, gen_random_uuid(), 'h' || (random() * 300)::int,
    case when random() < 0.5 then 9e15::bigint else 1000 end
  from email_tenants, generate_series(1, case when name = 't1' then 20000 else 45 end)
"""
TENANTS = 10
PASSWORD = "pw"
_INOTIFY = Path("/proc/sys/fs/inotify/max_user_instances")


def main() -> None:
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--quiet", type=int, default=500, help="accounts that are waited on")
    arguments.add_argument("--deliveries", type=int, default=100)
    arguments.add_argument("--accounts", type=int, default=1000, help="accounts of the first sync")
    arguments.add_argument("--messages", type=int, default=200, help="messages in each")
    arguments.add_argument(
        "--claims", type=int, default=2000, help="tenants among whose accounts claims look"
    )
    given = arguments.parse_args()
    print(machine())
    if given.quiet:
        quiet(given.quiet, given.deliveries)
    if given.accounts:
        first_syncs(given.accounts, given.messages)
    if given.claims:
        claims(given.claims)


def quiet(count: int, deliveries: int) -> None:
    """The same accounts looked at in intervals only, and waited on: what is more is the price of waiting."""
    with running_dovecot(more=MANY) as server, bench_store() as store:
        users = [f"quiet{number}" for number in range(count)]
        asyncio.run(_add_accounts(store, server, users))
        with _working(store, server, "--no-push") as worker:
            _until_current(store, count)
            without = _resident_bytes(worker.pid)
        with store.connect("postgres") as connection:
            connection.execute(b"update email_sync_jobs set due_at = 1")
        with _working(store, server) as worker:
            while _watching(store) < count:
                time.sleep(0.2)
            time.sleep(1)
            waiting = _resident_bytes(worker.pid)
            print(
                f"{count} accounts over TLS: {without / 1e6:.0f} MB when looked at in intervals, {waiting / 1e6:.0f} MB"
                f" when waited on: {(waiting - without) / count / 1024:.0f} KB for each quiet account"
            )
    with running_dovecot(more=MANY) as server, bench_store() as store:
        # Dovecot tells at once of so many folders as the kernel gives all its sessions watches for; of others every 30 s.
        users = users[: int(_INOTIFY.read_text()) // 2]
        asyncio.run(_add_accounts(store, server, users))
        with _working(store, server):
            while _watching(store) < len(users):
                time.sleep(0.2)
            _report_deliveries(store, server, random.Random(5).choices(users, k=deliveries))


def _report_deliveries(store: BenchStore, server: Dovecot, users: list[str]) -> None:
    seconds = [_delivered(store, server, user, number) for number, user in enumerate(users)]
    print(
        f"from the end of the delivery until it is found, {len(seconds)} times: median {median(seconds) * 1000:.0f} ms,"
        f" p95 {percentile(seconds, 0.95) * 1000:.0f} ms, longest {max(seconds) * 1000:.0f} ms"
    )


def _delivered(store: BenchStore, server: Dovecot, user: str, number: int) -> float:
    word = f"delivery{number}x"
    with server.imap(user) as imap, store.connect("postgres") as connection:
        question = b"select count(*) from email_search_entries where words @@ to_tsquery('simple', %s)"
        imap.append("INBOX", "", "", f"Subject: {word}\r\n\r\n{word}\r\n".encode())  # pyright: ignore[reportArgumentType]
        began = time.perf_counter()
        while connection.execute(question, [word]).fetchall() != [(1,)]:
            if time.perf_counter() - began > 120:
                raise RuntimeError(f"the delivery to {user} was never found")
            time.sleep(0.002)
        return time.perf_counter() - began


def first_syncs(count: int, messages: int) -> None:
    """So many accounts in ten tenants, none of them known before."""
    with running_dovecot(more=MANY) as server, bench_store() as store:
        users = [f"user{number}" for number in range(count)]
        _fill(server, users, messages)
        asyncio.run(_add_accounts(store, server, users))
        began = time.perf_counter()
        with _working(store, server, "--concurrency", "16", POSTROOM_CONNECTIONS_PER_HOST="16") as worker:
            _until_current(store, count)
            seconds = time.perf_counter() - began
            total = _number(store, "select count(*) from email_messages")
            print(
                f"{count} accounts of {messages} messages: all current after {seconds:.0f} s, {total / seconds:,.0f}"
                f" messages/s, {count / seconds:.1f} accounts/s; the worker held {_peak_bytes(worker.pid) / 1e6:.0f} MB"
                f" at most and took {_cpu_seconds(worker.pid) / total * 1000:.1f} ms of a processor for a message"
            )


def claims(tenants: int) -> None:
    """45 accounts of each tenant and 20,000 of one, half of them due, then none."""
    with bench_store() as store:
        with store.connect("postgres") as connection:
            for statement in (
                *_MANY_JOBS.format(tenants=tenants).split(";"),
                "vacuum analyze email_sync_jobs",
            ):
                connection.execute(statement.encode())
            due = _claimed(store)
            connection.execute(b"update email_sync_jobs set due_at = 9e15")
            connection.execute(b"vacuum analyze email_sync_jobs")
        print(
            f"a claim among the accounts of {tenants} tenants: {due:.0f} ms, {_claimed(store):.0f} ms where none is due"
        )


def _claimed(store: BenchStore) -> float:
    times = list[float]()
    with store.connect("email_worker") as connection:
        for _ in range(9):
            began = time.perf_counter()
            connection.execute(
                b"select * from email_sync_claim(gen_random_uuid(), 8, 60000, 10, '{}', false)"
            ).fetchall()
            times.append((time.perf_counter() - began) * 1000)
    return median(times)


def _fill(server: Dovecot, users: list[str], messages: int) -> None:
    """Accounts of one tenant have different mail: what is equal would be stored once."""
    masters = Path(server.root) / "masters"
    for number in range(-(-len(users) // TENANTS)):
        write_maildir(masters / str(number), generate(messages, number + 1))
    if os.geteuid() == 0:
        for path in [masters, *masters.rglob("*")]:
            shutil.chown(path, "mail", "mail")
    for number, user in enumerate(users):
        shutil.copytree(masters / str(number // TENANTS), server.root / "mail" / user, copy_function=os.link)
        if os.geteuid() == 0:
            for path in [server.root / "mail" / user, *(server.root / "mail" / user).rglob("*")]:
                if path.is_dir():
                    shutil.chown(path, "mail", "mail")


async def _add_accounts(store: BenchStore, server: Dovecot, users: list[str]) -> None:
    """In ten tenants, in turn."""
    for user in users:
        server.add_user(user, PASSWORD)
    names = [f"tenant{number}" for number in range(TENANTS)]
    for name in names:
        store.cli("tenant", "create", name)
    master = master_key(store.settings)
    async with Database(store.site.url("email_worker")) as db:
        async with db.system() as tx:
            owners = [(await system.tenant_named(tx, name)).id for name in names]
        for number, user in enumerate(users):
            async with db.tenant(owners[number % TENANTS]) as tx:
                account = await accounts.ensure(tx, f"{user}@example.test")
                await accounts.connect(
                    tx,
                    account.id,
                    protocol="imap",
                    hostname="localhost",
                    port=server.imaps_port,
                    encryption="tls",
                    username=user,
                    credential_id=await credentials.put_password(tx, account.id, PASSWORD, master),
                )


@contextmanager
def _working(
    store: BenchStore, server: Dovecot, *arguments: str, **environment: str
) -> Iterator[WorkerProcess]:
    hour = {"POSTROOM_IMAP_POLL_INTERVAL": "3600", "POSTROOM_LOG_LEVEL": "WARNING"}
    worker = WorkerProcess(store, *arguments, POSTROOM_CA_FILE=str(server.ca_file), **hour | environment)
    try:
        yield worker
    finally:
        worker.stop()
        sys.stderr.write(worker.said())


def _until_current(store: BenchStore, count: int) -> None:
    while _number(store, "select count(*) from email_accounts where last_sync_at is not null") < count:
        time.sleep(0.2)


def _watching(store: BenchStore) -> int:
    return _number(store, "select coalesce(sum(watching), 0) from email_workers")


def _number(store: BenchStore, question: str) -> int:
    with store.connect("postgres") as connection:
        return connection.execute(question.encode()).fetchall()[0][0]


def _cpu_seconds(pid: int) -> float:
    """Of a loaded machine this tells more than the clock."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _resident_bytes(pid: int) -> int:
    return _status(pid, "VmRSS")


def _peak_bytes(pid: int) -> int:
    return _status(pid, "VmHWM")


def _status(pid: int, name: str) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))


if __name__ == "__main__":
    main()
