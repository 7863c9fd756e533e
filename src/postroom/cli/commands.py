"""Every command: whoever imports this has read them all."""

from postroom.cli import account, bring, database, draft, find, outbox, send, server, smtp, take, tenant
from postroom.cli.frame import app

__all__ = [
    "account",
    "app",
    "bring",
    "database",
    "draft",
    "find",
    "outbox",
    "send",
    "server",
    "smtp",
    "take",
    "tenant",
]
