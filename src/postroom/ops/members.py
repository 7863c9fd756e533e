"""Members: the servers that hold one store, the primary and its standbys, as each home of theirs knows them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

from postroom.errors import ClusterError, ServerFenced
from postroom.ops.home import Home, write_private

FILE = "members.json"
FENCE = "fenced.json"
_FORMAT = 1
TARGET = "target_session_attrs=primary"
"""Not read-write: the logins that only read would then find no server at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One server, and where it is reached."""

    name: str
    host: str
    port: int
    home: str | None
    """Its home folder; None for a server that is not ours."""

    @property
    def slot(self) -> str:
        """The replication slot that keeps the log for it, on the server it follows."""
        return f"postroom_{self.name}"

    @property
    def local(self) -> Home | None:
        """Its home, where this machine sees it."""
        home = Home(Path(self.home)) if self.home else None
        return home if home and home.marker.exists() else None

    @property
    def where(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Members:
    """All of them, and which one lives in the home that was asked."""

    own: str
    database: str
    synchronous: bool
    slot_limit: str
    """How much of the log a slot keeps for a standby that is away, as PostgreSQL writes sizes."""
    members: tuple[Member, ...]

    def __getitem__(self, name: str) -> Member:
        return next(each for each in self.members if each.name == name)

    def __contains__(self, name: str) -> bool:
        return any(each.name == name for each in self.members)

    @property
    def me(self) -> Member:
        return self[self.own]

    def others(self, name: str | None = None) -> list[Member]:
        """All but this one; without a name all but the own one."""
        return [each for each in self.members if each.name != (name or self.own)]

    def url(self, user: str, password: str) -> str:
        """A URL that leads to whichever member takes writes, the own one asked first."""
        hosts = ",".join(each.where for each in (self.me, *self.others()))
        who, secret = quote(user, safe=""), quote(password, safe="")
        return f"postgresql://{who}:{secret}@{hosts}/{self.database}?{TARGET}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fence:
    """Why a server may not be started as a primary: another one has taken its place."""

    by: str
    at: str


def name_for(home: Path, taken: Iterable[str]) -> str:
    """What a server in this folder is called: a word that can be the name of a slot."""
    word = re.sub(r"[^a-z0-9]+", "_", home.name.lower()).strip("_")[:40] or "server"
    names = (word, *(f"{word}_{number}" for number in range(2, 100)))
    return next(name for name in names if name not in set(taken))


def read(home: Path) -> Members | None:
    """The members as a home knows them; None for a store that has one server alone. Raises ClusterError."""
    path = home / FILE
    try:
        found = json.loads(path.read_text())
        if found.pop("format") != _FORMAT:
            raise ClusterError(
                reason=f"{path} was written by a newer Postroom; nothing was changed.", mend="Use that one."
            )
        return Members(**{**found, "members": tuple(Member(**each) for each in found["members"])})
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise ClusterError(
            reason=f"{path} cannot be read: {error}.", mend="Copy it from the home of another member."
        ) from error


def write(found: Members) -> None:
    """Let every home that this machine sees know them; alone again, a store needs no list."""
    for each in found.members:
        if each.local is None:
            continue
        if len(found.members) == 1:
            (each.local.path / FILE).unlink(missing_ok=True)
            continue
        mine = replace(found, own=each.name)
        text = json.dumps({"format": _FORMAT, **asdict(mine)}, indent=2)
        write_private(each.local.path / FILE, text + "\n")


def fence_of(home: Home) -> Fence | None:
    try:
        found = json.loads((home.path / FENCE).read_text())
        return Fence(by=str(found["by"]), at=str(found["at"]))
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError):
        return Fence(by="another server", at="")  # damaged, and still a fence


def put_fence(home: Home, by: str) -> None:
    """From now on no program of ours starts the server in this home as a primary, and PostgreSQL's own neither."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    write_private(home.path / FENCE, json.dumps({"by": by, "at": now}) + "\n")
    if home.data.exists():
        # With it the server, however it is started, follows another one and takes no writes.
        write_private(home.data / "standby.signal", "")


def take_fence_away(home: Home) -> None:
    (home.path / FENCE).unlink(missing_ok=True)


def is_follower(home: Home) -> bool:
    """Whether the server in this home is the standby of another."""
    return (home.path / FILE).exists() and (home.data / "standby.signal").exists()


def refuse_fenced(home: Home) -> None:
    """Raises ServerFenced."""
    if fence := fence_of(home):
        known = read(home.path)
        where = f" ({known[fence.by].where})" if known and fence.by in known else ""
        since = f" at {fence.at}" if fence.at else ""
        raise ServerFenced(home=home.path, by=f"{fence.by}{where}", since=since)
