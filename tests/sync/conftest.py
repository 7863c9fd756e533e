"""Fixtures of this room."""

from tests.store.mailroom import anyio_backend, db, tenant_id
from tests.support.site import store

__all__ = ["anyio_backend", "db", "store", "tenant_id"]
