"""Place: the file that tells a server whom it follows, or who follows it."""

from __future__ import annotations

import re
from pathlib import Path

from postroom.ops.configuration import STANDBY
from postroom.ops.home import Home, load_secrets, write_private
from postroom.ops.members import Members
from postroom.ops.standby.asking import QUERIES, Connection, rows

_HEAD = "# Written by: postroom standby"
_ROLE = "email_replication"
SIGNAL = "standby.signal"


def write_follower(data: Path, known: Members, name: str, home: Home, floors: dict[str, str]) -> None:
    """A standby: it follows whichever of the others takes writes, so that it need not be told of the next promotion."""
    others = known.others(name)
    words = {
        "host": ",".join(each.host for each in others),
        "port": ",".join(str(each.port) for each in others),
        "user": _ROLE,
        "password": load_secrets(home.path)[_ROLE],
        "application_name": name,
        "target_session_attrs": "primary",
        "connect_timeout": "5",
        "keepalives_idle": "10",
        "keepalives_interval": "5",
        "keepalives_count": "3",
    }
    values = {
        "primary_conninfo": " ".join(f"{key}={_word(value)}" for key, value in words.items()),
        "primary_slot_name": known[name].slot,
        "synchronous_standby_names": "",
        "max_slot_wal_keep_size": known.slot_limit,
        # A primary that is gone without a word is looked for elsewhere soon.
        "wal_receiver_timeout": "20s",
        "wal_retrieve_retry_interval": "1s",
        **floors,
    }
    _write(data, values)
    write_private(data / SIGNAL, "")


def write_leader(data: Path, known: Members, synchronous: list[str]) -> None:
    """A primary; `synchronous` are the standbys one of which must have a commit before it is acknowledged."""
    names = ", ".join(f'"{name}"' for name in synchronous)
    values = {
        "primary_conninfo": "",
        "primary_slot_name": "",
        "synchronous_standby_names": f"FIRST 1 ({names})" if names else "",
        # A standby that stays away is given up before its log fills the disk.
        "max_slot_wal_keep_size": known.slot_limit,
    }
    _write(data, values)


def waits_for(data: Path) -> list[str]:
    """The standbys one of which had to have each commit, as a primary that may be down was told last."""
    try:
        lines = (data / STANDBY).read_text().splitlines()
    except FileNotFoundError:
        return []
    named = [line for line in lines if line.startswith("synchronous_standby_names")]
    return re.findall(r'"([a-z0-9_]+)"', named[-1]) if named else []


def floors_of(connection: Connection) -> dict[str, str]:
    """What the primary has, and a standby may not have less of."""
    return {row["name"]: row["setting"] for row in rows(connection, QUERIES.floors)}


def _write(data: Path, values: dict[str, str]) -> None:
    lines = [f"{name} = '{_quoted(value)}'" for name, value in values.items()]
    write_private(data / STANDBY, "\n".join([_HEAD, *lines, ""]))


def _word(value: str) -> str:
    """As libpq reads a value of a connection string."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _quoted(value: str) -> str:
    return value.replace("\\", "\\\\").replace("'", "''")
