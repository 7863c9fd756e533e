"""Arrangement: where the backups of a store go, and with which key. Kept in HOME/backup.json."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from postroom.errors import BackupError
from postroom.ops.backup.place import WAL, Place, place_at
from postroom.ops.backup.seal import BackupKey
from postroom.ops.key_files import read_key

FILE = "backup.json"
KEY = "backup.key"
_WHAT = "backup key"
_FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrangement:
    """What the server's archive command has to know as well: it runs without anybody's environment."""

    to: str
    key_file: Path
    endpoint: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    """The AWS_ variables that reach the bucket."""

    def place(self) -> Place:
        return place_at(self.to, endpoint=self.endpoint)

    def archive(self) -> Place:
        """The place of the log: a folder of its own, which the server's user writes."""
        return place_at(f"{self.to.rstrip('/')}/{WAL}", endpoint=self.endpoint)

    def key(self) -> BackupKey:
        return BackupKey(read_key(self.key_file, _WHAT))


def read(path: Path) -> Arrangement:
    """Raises FileNotFoundError when nothing is arranged, BackupError when the file cannot be read."""
    try:
        found = json.loads(path.read_text())
        known = found.pop("format") == _FORMAT
        return Arrangement(**{**found, "key_file": Path(found["key_file"])} if known else {})
    except FileNotFoundError:
        raise
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise BackupError(
            reason=f"{path} cannot be read: {error}.",
            mend="Write it anew: postroom backup enable --to PLACE.",
        ) from error


def of_home(home: Path) -> Arrangement:
    """The arrangement of a store. Raises BackupError where there is none."""
    try:
        return read(home / FILE)
    except FileNotFoundError:
        raise BackupError(
            reason="Backups are not switched on.",
            mend="Run: postroom backup enable --to DIR, or s3://bucket/prefix.",
        ) from None


def text_of(arrangement: Arrangement) -> str:
    """The file."""
    values = {"format": _FORMAT, **asdict(arrangement), "key_file": str(arrangement.key_file)}
    return json.dumps(values, indent=2) + "\n"
