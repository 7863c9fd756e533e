"""Fixtures of this room."""

from tests.outbox.desk import blobs, desk
from tests.store.mailroom import anyio_backend, db, tenant_id
from tests.support.dovecot import dovecot, dovecot_server
from tests.support.site import store
from tests.support.smtp import smtp

__all__ = ["anyio_backend", "blobs", "db", "desk", "dovecot", "dovecot_server", "smtp", "store", "tenant_id"]
