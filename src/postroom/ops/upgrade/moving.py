"""Moving the data from one major version to the next: by pg_upgrade, else by a dump that is restored."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from postroom.errors import ClusterError
from postroom.ops.backup.count import connected, rows
from postroom.ops.binaries import Binaries
from postroom.ops.configuration import (
    EXTRA,
    FILE,
    TUNED,
    configuration,
    include_ours,
    initdb_options,
)
from postroom.ops.home import write_private
from postroom.ops.making import last_words
from postroom.ops.server_user import Said, ServerUser
from postroom.ops.upgrade.compare import QUERIES
from postroom.ops.upgrade.private import Sockets, private_server, sockets

Tell = Callable[[str], None]
_OF_OLD = ("pg_controldata", "pg_resetwal", "pg_ctl", "postgres")
_OF_NEW = ("pg_upgrade", "pg_dump", "pg_dumpall", "pg_restore", "psql", "vacuumdb", *_OF_OLD)
_CARRIED = (TUNED, EXTRA, "pg_hba.conf", "pg_ident.conf", "postgresql.auto.conf")
_WORK = "upgrade"
_KNOWN = 'role "postgres" already exists'


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """From where to where."""

    home: Path
    old: Binaries
    new: Binaries
    old_data: Path
    new_data: Path
    user: ServerUser
    tell: Tell

    @property
    def work(self) -> Path:
        """Files that are of use only meanwhile."""
        return self.home / _WORK

    @property
    def can_pg_upgrade(self) -> bool:
        return all(self.old.program(each).exists() for each in _OF_OLD) and all(
            self.new.program(each).exists() for each in _OF_NEW
        )


def make_new(move: Move) -> None:
    """An empty data folder of the new version, with the settings of the old one. Raises ClusterError."""
    for folder in (move.new_data, move.work):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700)
        move.user.own(folder)
    # Without a password: the old pg_hba.conf asks for one, and it comes with the old roles, before anybody gets in.
    options = [each for each in initdb_options(move.new) if not each.startswith("--auth")]
    done = move.user.run([move.new.program("initdb"), f"--pgdata={move.new_data}", *options])
    _require(done, f"The data folder of PostgreSQL {move.new.major} could not be made")
    include_ours(move.new_data)


def carry_settings(move: Move) -> None:
    """What somebody has chosen for the old server holds for the new one; what backups and standbys wrote does not."""
    for name in _CARRIED:
        if (move.old_data / name).exists():
            write_private(move.new_data / name, (move.old_data / name).read_text())
    with sockets(move.user) as where:  # read at the first start, and written anew at every other
        text = configuration(move.new, port=where.port, sockets=where.folder)
        write_private(move.new_data / FILE, text)


def check(move: Move) -> None:
    """Whether pg_upgrade would do it. Changes nothing. Raises ClusterError."""
    _pg_upgrade(move, "--check")


def by_pg_upgrade(move: Move, *, link: bool) -> None:
    """Raises ClusterError; without `link` the old folder is then as it was."""
    _pg_upgrade(move, *(["--link"] if link else []))


def _pg_upgrade(move: Move, *options: str) -> None:
    with sockets(move.user) as where:
        hba = f"-c hba_file={where.hba} -c archive_mode=off"
        words = [
            move.new.program("pg_upgrade"),
            f"--old-bindir={move.old.folder}",
            f"--new-bindir={move.new.folder}",
            f"--old-datadir={move.old_data}",
            f"--new-datadir={move.new_data}",
            f"--socketdir={where.folder}",
            "--username=postgres",
            f"--old-options={hba}",
            f"--new-options={hba}",
            "--jobs=2",
            *options,
        ]
        done = move.user.run(["env", "-C", move.work, *words])
    if done.returncode != 0:
        raise ClusterError(reason=f"pg_upgrade refuses: {_reason(done.text)}.")


def _reason(said: str) -> str:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    marked = [number for number, line in enumerate(lines) if "fatal" in line.lower() or "*failure*" in line]
    rest = lines[marked[-1] :] if marked else lines[-2:]
    return " ".join(rest)[:400].rstrip(".") or "it said nothing"


def by_dump(move: Move) -> None:
    """Every database and every login, written out and read in again. Raises ClusterError."""
    with sockets(move.user) as there, sockets(move.user) as here:
        with private_server(move.old_data, move.old, move.user, there):
            names = databases(there)
            globals_file = move.work / "globals.sql"
            _run(move, "pg_dumpall", *there.options, "--globals-only", f"--file={globals_file}")
            for number, name in enumerate(names):
                move.tell(f"Writing out {name}")
                dump = [f"--file={move.work / str(number)}", "--format=directory", "--jobs=2"]
                _run(move, "pg_dump", *there.options, *dump, name)
        with private_server(move.new_data, move.new, move.user, here):
            done = move.user.run(
                [move.new.program("psql"), *here.options, "-Xqd", "postgres", "-f", move.work / "globals.sql"]
            )
            wrong = [line for line in done.text.splitlines() if "ERROR" in line and _KNOWN not in line]
            if wrong or done.returncode != 0:
                raise ClusterError(reason=f"The logins could not be made: {last_words(done.text)}.")
            for number, name in enumerate(names):
                move.tell(f"Reading in {name}")
                target = ["--create", "--dbname=postgres"] if name != "postgres" else ["--dbname=postgres"]
                _run(
                    move,
                    "pg_restore",
                    *here.options,
                    *target,
                    *(["--jobs=2"] if name != "postgres" else []),
                    "--exit-on-error",
                    str(move.work / str(number)),
                )


def databases(where: Sockets) -> list[str]:
    """All that somebody can have made or filled."""
    with connected(where.url("postgres")) as connection:
        return [row["name"] for row in rows(connection, QUERIES.databases)]


def look_at_statistics(move: Move, where: Sockets) -> None:
    """The planner knows nothing of tables that came by a dump, and not all of those that came by pg_upgrade."""
    move.tell("Looking at what the tables hold (ANALYZE)")
    _run(move, "vacuumdb", *where.options, "--all", "--analyze-only", "--quiet", "--jobs=2")


def _run(move: Move, name: str, *words: str) -> None:
    _require(move.user.run([move.new.program(name), *words]), f"{name} failed")


def _require(done: Said, what: str) -> None:
    if done.returncode != 0:
        raise ClusterError(reason=f"{what}: {last_words(done.text)}.")
