"""Fixtures of this room: one service for all its tests, and a tenant with a sample mailbox."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from postroom.client import Client
from tests.support.service import Service, new_key, running_service
from tests.support.site import Store, store

__all__ = ["store"]


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """A tenant with mail, and a client that may do everything in it."""

    name: str
    key: str
    http: httpx.Client
    mail: Client

    def account(self) -> str:
        return self.http.get("/v1/accounts").json()["items"][0]["id"]


@pytest.fixture(scope="session")
def service(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running_service(store, tmp_path_factory.mktemp("service")) as found:
        yield found


@pytest.fixture(scope="session")
def box(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sample") / "box"
    store.cli("sample", str(path), "--messages", "120")
    return path


@contextmanager
def _house(store: Store, service: Service, box: Path) -> Iterator[House]:
    tenant = store.tenant()
    store.cli("import", "-t", tenant, "-a", "me@example.com", str(box))
    key = new_key(store, tenant)
    with Client(service.url, key) as mail:
        yield House(name=tenant, key=key, http=service.client(key), mail=mail)


@pytest.fixture(scope="session")
def house(store: Store, service: Service, box: Path) -> Iterator[House]:
    with _house(store, service, box) as found:
        yield found


@pytest.fixture(scope="session")
def neighbour(store: Store, service: Service, box: Path) -> Iterator[House]:
    """Another tenant with the very same mail."""
    with _house(store, service, box) as found:
        yield found
