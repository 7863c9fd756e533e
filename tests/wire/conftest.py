"""Servers and places for the tests of this room."""

from tests.support.dovecot import dovecot, dovecot_server, poor_dovecot, poor_dovecot_server
from tests.support.machine import ordinary_place, small_disk

__all__ = [
    "dovecot",
    "dovecot_server",
    "ordinary_place",
    "poor_dovecot",
    "poor_dovecot_server",
    "small_disk",
]
