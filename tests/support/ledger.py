"""A ledger: somebody writes through the service all the time, and notes what was acknowledged.

with writing(client, account) as ledger:
    ...                                   # kill something
ledger.missing(client)                    # acknowledged, and not there
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from uuid import uuid4

import httpx


@dataclass(slots=True)
class Ledger:
    """What was asked for, and what the service has said was done."""

    account: str
    acknowledged: list[str] = field(default_factory=list)
    failed: int = 0
    last_at: float = 0.0
    """When the last write was acknowledged, by the monotonic clock."""
    longest_pause_seconds: float = 0.0

    def write(self, client: httpx.Client) -> bool:
        name = f"ledger-{uuid4().hex}"
        try:
            done = client.post(f"/v1/accounts/{self.account}/folders", json={"name": name})
        except httpx.TransportError:
            self.failed += 1
            return False
        if done.status_code not in (200, 201):
            self.failed += 1
            return False
        now = time.monotonic()
        if self.last_at:
            self.longest_pause_seconds = max(self.longest_pause_seconds, now - self.last_at)
        self.last_at = now
        self.acknowledged.append(name)
        return True

    def wait_for_writes(self, count: int, seconds: float = 30) -> None:
        """Until so many more are acknowledged."""
        wanted, until = len(self.acknowledged) + count, time.monotonic() + seconds
        while len(self.acknowledged) < wanted:
            assert time.monotonic() < until, f"{count} writes were not acknowledged in {seconds} seconds"
            time.sleep(0.02)

    def wait_for_write_after(self, moment: float, seconds: float) -> float:
        """How long after a moment the next write was acknowledged."""
        while self.last_at <= moment:
            assert time.monotonic() - moment < seconds, f"no write was acknowledged for {seconds} seconds"
            time.sleep(0.02)
        return self.last_at - moment

    def missing(self, client: httpx.Client) -> set[str]:
        found = client.get(f"/v1/accounts/{self.account}/folders").json()["items"]
        return set(self.acknowledged) - {each["name"] for each in found}


@contextmanager
def writing(client: httpx.Client, account: str) -> Iterator[Ledger]:
    """Writes go on until the end of the block."""
    ledger, over = Ledger(account), threading.Event()

    def work() -> None:
        while not over.is_set():
            if not ledger.write(client):
                time.sleep(0.05)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield ledger
    finally:
        over.set()
        thread.join(60)
    assert not thread.is_alive()
