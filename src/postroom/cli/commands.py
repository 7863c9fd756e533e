"""Every command: whoever imports this has read them all."""

from postroom.cli import account, bring, database, doctor, find, server, take, tenant, tune
from postroom.cli.frame import app

__all__ = ["account", "app", "bring", "database", "doctor", "find", "server", "take", "tenant", "tune"]
