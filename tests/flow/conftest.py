"""Fixtures of this room."""

from tests.blobs.conftest import s3_server
from tests.flow.moving import elsewhere, places
from tests.store.mailroom import anyio_backend, db
from tests.support.dovecot import (
    condstore_dovecot,
    condstore_dovecot_server,
    dovecot,
    dovecot_server,
    poor_dovecot,
    poor_dovecot_server,
)
from tests.support.site import store
from tests.support.smtp import smtp

__all__ = [
    "anyio_backend",
    "condstore_dovecot",
    "condstore_dovecot_server",
    "db",
    "dovecot",
    "dovecot_server",
    "elsewhere",
    "places",
    "poor_dovecot",
    "poor_dovecot_server",
    "s3_server",
    "smtp",
    "store",
]
