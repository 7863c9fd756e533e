"""Every command: whoever imports this has read them all."""

from postroom.cli import (
    account,
    audit,
    bring,
    database,
    doctor,
    erase,
    find,
    hold,
    message,
    move,
    server,
    share,
    take,
    tenant,
    tenant_life,
    tune,
    verify,
)
from postroom.cli.frame import app

__all__ = [
    "account",
    "app",
    "audit",
    "bring",
    "database",
    "doctor",
    "erase",
    "find",
    "hold",
    "message",
    "move",
    "server",
    "share",
    "take",
    "tenant",
    "tenant_life",
    "tune",
    "verify",
]
