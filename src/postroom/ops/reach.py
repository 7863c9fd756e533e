"""Puts the PostgreSQL programs where the server's user can run them."""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

from postroom.errors import ClusterError
from postroom.ops.binaries import Binaries
from postroom.ops.server_user import ServerUser

_COPYING = ".copy-"


def within_reach(binaries: Binaries, user: ServerUser, home: Path) -> Binaries:
    """The same programs where the server's user can run them: a wheel below /root is copied into the home."""
    if user.can_run(binaries.program("postgres")):
        return binaries
    reachable = replace(binaries, folder=_copied(binaries, home / "bin"))
    if not user.can_run(reachable.program("postgres")):
        raise ClusterError(
            reason=f"The PostgreSQL programs in {reachable.folder} cannot be run by the user {user.name}.",
            mend="Install PostgreSQL from your system's packages, or set POSTROOM_POSTGRES_BIN.",
        )
    return reachable


def _copied(binaries: Binaries, copies: Path) -> Path:
    """Copy the installation once. Wheels keep libraries beside the package, so the shape is kept as well."""
    tree = binaries.folder.parent
    package = tree.parent
    target = copies / f"{package.name}-{binaries.version}"
    if not target.exists():
        copies.mkdir(exist_ok=True)
        copies.chmod(0o755)
        _clear(copies)
        with tempfile.TemporaryDirectory(prefix=_COPYING, dir=copies) as temporary:
            copy = Path(temporary) / "tree"
            _copy(tree, package, copy)
            copy.rename(target)
    return target / package.name / tree.name / binaries.folder.name


def _clear(copies: Path) -> None:
    """Older versions, and copies cut short: while this home's server is down, nobody uses them."""
    for unused in copies.iterdir():
        shutil.rmtree(unused)


def _copy(tree: Path, package: Path, copy: Path) -> None:
    shutil.copytree(tree, copy / package.name / tree.name, symlinks=True)
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, copy / libraries.name, symlinks=True)
    _open_to_all(copy)
    os.sync()  # a name that survives a power cut must not stand for files that did not


def _open_to_all(tree: Path) -> None:
    tree.chmod(0o755)
    for path in tree.rglob("*"):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
