"""Workers for tests: the program itself in processes of its own, and what its store says of them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.dovecot import Dovecot
from tests.support.site import Store

HOUR = "3600"


class WorkerProcess:
    """A running `postroom worker`. What it says goes to a file."""

    def __init__(self, store: Store, *arguments: str, **environment: str) -> None:
        self.log = store.home / f"worker-{time.monotonic_ns()}.log"
        kept = {name: value for name, value in os.environ.items() if not name.startswith("POSTROOM_")}
        env = kept | store.environment | {"POSTROOM_LOG_LEVEL": "INFO"} | environment
        program = [sys.executable, "-c", "from postroom.cli import main; main()", "worker", *arguments]
        with self.log.open("wb") as file:
            self.process = subprocess.Popen(program, env=env, stdout=file, stderr=file)

    @property
    def pid(self) -> int:
        return self.process.pid

    def said(self) -> str:
        return Path(self.log).read_text()

    def stop(self) -> int:
        """As a service manager would; the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(15)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(10)


@contextmanager
def worker(store: Store, *arguments: str, **environment: str) -> Iterator[WorkerProcess]:
    """For the length of a `with`; by default it looks at an account once an hour, so that news alone brings in mail."""
    running = WorkerProcess(store, *arguments, **{"POSTROOM_IMAP_POLL_INTERVAL": HOUR, **environment})
    try:
        yield running
    finally:
        if running.process.poll() is None:
            running.process.send_signal(signal.SIGCONT)
            running.kill()
        assert "Traceback" not in running.said(), running.said()


def until(is_so: Callable[[], Any], *, seconds: float = 60) -> Any:
    """Wait until it is so, and give what it was."""
    deadline = time.monotonic() + seconds
    while not (found := is_so()):
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.1)
    return found


def mailbox(
    store: Store,
    dovecot: Dovecot,
    tenant: str,
    user: str,
    *,
    email: str | None = None,
    password: str | None = None,
) -> str:
    """An account of a tenant on the server; its address."""
    email = email or f"{user}@example.test"
    store.cli(
        *("account", "add", "-t", tenant, "--email", email, "--host", "127.0.0.1"),
        *("--port", str(dovecot.imap_port), "--encryption", "none", "--username", user, "--password-stdin"),
        stdin=(password or dovecot.password(user)) + "\n",
    )
    return email


def column(store: Store, tenant: str, name: str, *, table: str = "email_accounts") -> list[Any]:
    """One column of the tenant's rows."""
    with store.connect("postgres") as connection:
        question = f"select {name} from {table} x join email_tenants t using (tenant_id) where t.name = %s"
        return [row[0] for row in connection.execute(question.encode(), [tenant]).fetchall()]


def stored(store: Store, tenant: str) -> int:
    return column(store, tenant, "count(*)", table="email_messages")[0]


def are_current(store: Store, tenant: str) -> bool:
    """Whether each account was synced whole at least once, and none is at work."""
    return all(column(store, tenant, "last_sync_at is not null and not is_syncing"))
