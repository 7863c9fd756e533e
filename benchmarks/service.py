"""The service against the bare query: what HTTP, keys, limits and JSON cost.

Run: python -m benchmarks.service [MESSAGES]
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from postroom.sql import queries
from tests.support.service import new_key, running_service
from tests.support.site import running_store

CLIENTS = 16
SECONDS = 5.0


def quantiles(times: list[float]) -> dict[str, float]:
    ordered = sorted(times)
    at = [int(len(ordered) * part) for part in (0.5, 0.95, 0.99)]
    return dict(zip(("p50", "p95", "p99"), (round(ordered[each] * 1000, 2) for each in at), strict=True))


def alone(work: Callable[[], Any], turns: int = 400) -> dict[str, float]:
    """One after the other."""
    times = []
    for _ in range(turns):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return quantiles(times)


def together(make: Callable[[], Callable[[], Any]]) -> dict[str, float]:
    """CLIENTS at once, in threads of this process, which share its time with the service."""
    times: list[float] = []
    until = time.perf_counter() + SECONDS

    def go() -> None:
        work = make()
        while time.perf_counter() < until:
            began = time.perf_counter()
            work()
            times.append(time.perf_counter() - began)

    threads = [threading.Thread(target=go) for _ in range(CLIENTS)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    return quantiles(times) | {"a second": round(len(times) / SECONDS)}


def main() -> None:
    count = sys.argv[1] if len(sys.argv) > 1 else "5000"
    with running_store() as store, tempfile.TemporaryDirectory() as folder:
        tenant = store.tenant()
        box = Path(folder) / "box"
        store.cli("sample", str(box), "--messages", count)
        store.cli("import", "-t", tenant, "-a", "me@example.com", str(box))
        key = new_key(store, tenant)
        with running_service(store, Path(folder), LOG_LEVEL="WARNING") as service:
            client = service.client(key)
            account = client.get("/v1/accounts").json()["items"][0]["id"]
            folders = client.get(f"/v1/accounts/{account}/folders").json()["items"]
            inbox = max(folders, key=lambda each: each["total_count"])["id"]
            message = client.get("/v1/messages", params={"folder_id": inbox, "limit": 1}).json()["items"][0][
                "id"
            ]
            paths = {
                "list 50": f"/v1/messages?folder_id={inbox}&limit=50",
                "get": f"/v1/messages/{message}",
                "search": "/v1/search?q=invoice&limit=50",
            }
            found: dict[str, Any] = {"messages": int(count), "cores": os.cpu_count()}
            with store.connect("email_service") as connection:
                row = store.connect("postgres").execute(
                    b"select tenant_id from email_tenants where name = %s", [tenant]
                )
                (tenant_id,) = row.fetchone() or (None,)

                def bare() -> None:
                    with connection.transaction():
                        connection.execute(f"set local app.current_tenant_id = '{tenant_id}'".encode())
                        connection.execute(
                            queries("messages").list_folder.text.encode(),
                            {
                                "tenant_id": tenant_id,
                                "folder_id": inbox,
                                "before_at": 2**62,
                                "before_id": "f" * 32,
                                "limit": 51,
                            },
                        ).fetchall()

                found["bare query of list 50, psycopg"] = alone(bare)
            for name, path in paths.items():
                found[f"{name}, alone"] = alone(lambda path=path: client.get(path))

                def make(path: str = path) -> Callable[[], httpx.Response]:
                    one = service.client(key)
                    return lambda: one.get(path)

                found[f"{name}, {CLIENTS} clients"] = together(make)
            flags = iter(range(10**9))
            found["flag, alone"] = alone(
                lambda: client.patch(f"/v1/messages/{message}", json={"is_flagged": next(flags) % 2 == 0})
            )
            status = Path(f"/proc/{service.process.pid}/status").read_text()
            found["memory"] = next(
                line.split(":")[1].strip() for line in status.splitlines() if "VmRSS" in line
            )
    sys.stdout.write(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
