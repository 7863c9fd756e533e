"""A service that runs: the real program on a port of 127.0.0.1, and a client of a key.

with running_service(store) as service:
    service.client(store_key).get("/v1/messages")
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from tests.support.dovecot import free_ports
from tests.support.site import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    url: str
    process: subprocess.Popen[bytes]
    log: Path
    clients: list[httpx.Client] = field(default_factory=list)

    def client(self, key: str | None = None) -> httpx.Client:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self.clients.append(httpx.Client(base_url=self.url, headers=headers, timeout=30))
        return self.clients[-1]

    def stop(self) -> int:
        """As an operator stops it; the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)


@contextmanager
def running_service(store: Store, folder: Path, **environment: str) -> Iterator[Service]:
    (port,) = free_ports(1)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("POSTROOM_")}
    settings = {
        "POSTROOM_SERVICE_PORT": str(port),
        "POSTROOM_SERVICE_RATE": "0",
        "POSTROOM_SERVICE_TENANT_RATE": "0",
        "LOG_LEVEL": "INFO",
    }
    log = folder / f"service-{port}.log"
    with log.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-c", "from postroom.cli import main; main()", "serve"],
            stdout=subprocess.DEVNULL,
            stderr=file,
            env=kept | store.environment | settings | environment,
        )
    service = Service(url=f"http://127.0.0.1:{port}", process=process, log=log)
    try:
        _wait(service)
        yield service
    finally:
        for client in service.clients:
            client.close()
        if process.poll() is None:
            process.kill()
        process.wait(10)


def _wait(service: Service) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if service.process.poll() is not None:
            break
        try:
            if httpx.get(f"{service.url}/healthz", timeout=2).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.05)
    raise RuntimeError(f"the service did not start: {service.log.read_text()}")


def new_key(store: Store, tenant: str, *options: str) -> str:
    """The text of a key that reads, writes, sends and administers, unless the options say otherwise."""
    scopes = (
        ()
        if "--scope" in options
        else ("--scope", "read", "--scope", "write", "--scope", "send", "--scope", "admin")
    )
    return store.json("key", "create", "-t", tenant, *scopes, *options)["key"]
