"""A server that threads, for comparison."""

from tests.support.dovecot import dovecot, dovecot_server

__all__ = ["dovecot", "dovecot_server"]
