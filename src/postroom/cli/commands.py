"""Every command: whoever imports this has read them all."""

from postroom.cli import account, bring, database, find, server, status, sync, take, tenant, worker
from postroom.cli.frame import app

__all__ = [
    "account",
    "app",
    "bring",
    "database",
    "find",
    "server",
    "status",
    "sync",
    "take",
    "tenant",
    "worker",
]
