"""Creating a standby: a home of its own, which follows the primary from its first second on."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict

from postroom.errors import ClusterError, UsageError
from postroom.ops import members
from postroom.ops.backup.take import SECRET_FILES
from postroom.ops.cluster import Cluster
from postroom.ops.home import Home, Marker, folder_errors
from postroom.ops.launching import HOST
from postroom.ops.making import make_folders
from postroom.ops.members import Member, Members
from postroom.ops.postmaster import find_postmaster, free_port, is_free
from postroom.ops.provision import open_site
from postroom.ops.server_user import server_user
from postroom.ops.standby import following
from postroom.ops.standby.asking import State, primary_among, states
from postroom.ops.standby.copying import carry_keys
from postroom.settings import Settings

Tell = Callable[[str], None]
_NAME = re.compile(r"[a-z0-9_]{1,40}")
_LEFT = {"lock", "bin", "run", "log", "postgres.new", *SECRET_FILES}


@dataclass(frozen=True, slots=True, kw_only=True)
class Created:
    """A standby that follows."""

    name: str
    folder: Path
    port: int
    follows: str
    slot: str
    is_synchronous: bool
    slot_is_bounded: bool
    """Whether the primary lets the slot go before its log fills the disk; a server of one's own may not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is asked for."""

    folder: Path
    name: str | None = None
    port: int | None = None
    synchronous: bool = False
    slot_limit: str = "2GB"


def create(settings: Settings, wish: Wish, tell: Tell) -> Created:
    """Make a standby of this store. Raises UsageError, ClusterError; then the folder is as before."""
    _refuse(wish, settings.home)
    known = _known(settings)
    source = Home(settings.home)
    primary = primary_among(states(known, source))
    if primary is None:
        raise ClusterError(
            reason="No member of this store takes writes.", mend="See: postroom standby status."
        )
    if primary.member.home is None and wish.synchronous:
        raise UsageError(
            reason="The primary is not ours to configure: set synchronous_standby_names there, with the standby's name."
        )
    name = wish.name or members.name_for(wish.folder, [each.name for each in known.members])
    if not _NAME.fullmatch(name) or name in known:
        raise UsageError(
            reason=f"{name!r} cannot be the name of a standby: small letters, digits and _, and not that of another."
        )
    port = wish.port or free_port()
    if not is_free(port):
        raise UsageError(reason=f"The port {port} is in use; leave --port out to have a free one chosen.")
    new = Member(name=name, host=HOST, port=port, home=str(wish.folder))
    known = replace(
        known,
        members=(*known.members, new),
        synchronous=known.synchronous or wish.synchronous,
        slot_limit=wish.slot_limit,
    )
    return _Making(settings, known, new, primary, tell).make()


class _Making:
    """One standby at work."""

    def __init__(self, settings: Settings, known: Members, new: Member, primary: State, tell: Tell) -> None:
        self._settings, self._known, self._new, self._primary, self._tell = (
            settings,
            known,
            new,
            primary,
            tell,
        )
        self._source = Home(settings.home)
        self._home = Home(Path(str(new.home)))

    def make(self) -> Created:
        was_there = self._home.path.exists()
        try:
            with folder_errors(self._home.path):
                return self._make()
        except BaseException:
            self._undo(was_there=was_there)
            raise

    def _make(self) -> Created:
        home, known, new = self._home, self._known, self._new
        home.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        user = server_user(home.data)
        make_folders(home, user)
        carry_keys(self._source.path, home)
        leader = self._primary.member
        self._tell(f"Copying the data of {leader.name} ({leader.where})")
        made = following.copy(self._settings, known, new, leader, self._source.path)
        now = datetime.now(UTC).isoformat(timespec="seconds")
        home.write_marker(Marker(major=made.major, version=made.version, port=new.port, created=now))
        members.write(known)
        following.lead(
            known, leader, self._source, []
        )  # the bound of the slots, before anything is waited for
        Cluster(home.path, postgres_bin=self._settings.postgres_bin, port=new.port).ensure_running()
        self._tell(f"Waiting until {new.name} follows")
        following.wait_for(known, leader, new, self._source)
        synchronous = following.lead_with_all(known, leader, self._source)
        return Created(
            name=new.name,
            folder=home.path,
            port=new.port,
            follows=leader.name,
            slot=new.slot,
            is_synchronous=new.name in synchronous,
            slot_is_bounded=leader.home is not None,
        )

    def _undo(self, *, was_there: bool) -> None:
        if find_postmaster(self._home.data):
            Cluster(self._home.path).stop("immediate")
        rest = replace(self._known, members=tuple(each for each in self._known.members if each != self._new))
        members.write(rest)
        if self._home.path.exists():
            for each in self._home.path.iterdir():
                shutil.rmtree(each, ignore_errors=True) if each.is_dir() else each.unlink()
            if not was_there:
                self._home.path.rmdir()
        following.forget_slot(self._known, self._primary.member, self._new.slot, self._source)


def _refuse(wish: Wish, source: Path) -> None:
    folder = wish.folder
    if find_postmaster(folder / "postgres") or (folder / "postroom.json").exists():
        raise UsageError(reason=f"A store lives in {folder}; nothing was changed. Name a new folder.")
    if folder.exists() and (not folder.is_dir() or {each.name for each in folder.iterdir()} - _LEFT):
        raise UsageError(
            reason=f"{folder} is not empty; nothing was changed. Name a folder that is not there yet."
        )
    for name in SECRET_FILES:
        mine, theirs = source / name, folder / name
        if theirs.exists() and not (mine.exists() and mine.read_bytes() == theirs.read_bytes()):
            raise UsageError(
                reason=f"{theirs} is of another store, which may need it; nothing was changed. Name a new folder."
            )


def _known(settings: Settings) -> Members:
    """The members there are: at first the primary alone."""
    site = open_site(settings)
    if found := members.read(settings.home):
        return found
    parts = conninfo_to_dict(site.url("postgres"))
    host, port = str(parts.get("host") or HOST), str(parts.get("port") or 5432)
    if "," in host:
        raise UsageError(
            reason="POSTROOM_DATABASE_URL names several servers: what keeps them (Patroni, say) makes their standbys."
        )
    is_ours = settings.database_url is None
    name = members.name_for(settings.home, []) if is_ours else "source"
    own = Member(name=name, host=host, port=int(port), home=str(settings.home) if is_ours else None)
    return Members(
        own=name, database=str(parts["dbname"]), synchronous=False, slot_limit="2GB", members=(own,)
    )
