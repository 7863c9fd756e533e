"""Servers for the tests of this room."""

from tests.support.dovecot import dovecot, dovecot_server, poor_dovecot, poor_dovecot_server

__all__ = ["dovecot", "dovecot_server", "poor_dovecot", "poor_dovecot_server"]
