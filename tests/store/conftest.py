"""Fixtures of this room."""

from tests.store.crowd import crowd
from tests.store.mailroom import account, anyio_backend, db, inbox, tenant_id, tx
from tests.support.site import store

__all__ = ["account", "anyio_backend", "crowd", "db", "inbox", "store", "tenant_id", "tx"]
