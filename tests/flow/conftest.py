"""Fixtures of this room."""

from tests.support.dovecot import dovecot, dovecot_server, poor_dovecot, poor_dovecot_server
from tests.support.site import store

__all__ = ["dovecot", "dovecot_server", "poor_dovecot", "poor_dovecot_server", "store"]
