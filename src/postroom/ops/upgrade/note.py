"""The note of an upgrade, HOME/upgrade.json: how far it is, and what the way back needs."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from postroom.errors import ClusterError
from postroom.ops.home import Home, write_private

FILE = "upgrade.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    old_major: int
    old_version: str
    new_major: int
    new_version: str
    how: str
    """copy, link or dump."""
    dropped: list[list[str]]
    """Database and name of the extensions that the new version does not come with."""
    is_swapped: bool
    """Whether the new folder has the name of the old one for good."""

    is_returning: bool = False
    """Whether the way back has begun: the names are changing again."""

    @property
    def has_way_back(self) -> bool:
        """The old folder is whole: with links the new server writes into its files."""
        return self.how != "link"


def read(home: Home) -> Note | None:
    try:
        return Note(**json.loads((home.path / FILE).read_text()))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError) as error:
        raise ClusterError(
            reason=f"{home.path / FILE} is damaged.", mend="Delete it when postroom up works."
        ) from error


def refuse_unfinished(home: Home) -> None:
    """Before a server is started: between two versions neither folder may be written to. Raises ClusterError."""
    made = read(home)
    if made is None or (made.is_swapped and not made.is_returning):
        return
    goes_on = "postroom upgrade --back --yes" if made.is_returning else "postroom upgrade"
    raise ClusterError(reason="An upgrade was interrupted.", mend=f"{goes_on} goes on with it.")


def write(home: Home, note: Note) -> None:
    write_private(home.path / FILE, json.dumps(asdict(note), indent=2) + "\n")


def forget(home: Home) -> None:
    (home.path / FILE).unlink(missing_ok=True)


def folder_of(home: Home, major: int) -> Path:
    """Where the data of a version lies while it is not the one in use."""
    return home.path / f"postgres.{major}"
