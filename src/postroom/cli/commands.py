"""Every command: whoever imports this has read them all."""

from postroom.cli import (
    account,
    account_state,
    account_trial,
    bring,
    database,
    find,
    keys,
    server,
    take,
    tenant,
)
from postroom.cli.frame import app

__all__ = [
    "account",
    "account_state",
    "account_trial",
    "app",
    "bring",
    "database",
    "find",
    "keys",
    "server",
    "take",
    "tenant",
]
