"""Places that are hard to come by: one where permissions count, even for root, and one that is soon full."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.needs import require

_NOBODY = 65534


@pytest.fixture
def ordinary_place() -> Iterator[Path]:
    """An empty folder of an ordinary user, who the test is as long as it lasts."""
    place = Path(tempfile.mkdtemp(prefix="ordinary-"))
    is_root = os.geteuid() == 0
    if is_root:
        os.chown(place, _NOBODY, _NOBODY)
        os.seteuid(_NOBODY)
    try:
        yield place
    finally:
        if is_root:
            os.seteuid(0)
        shutil.rmtree(place)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one megabyte."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)]
    mounted = os.geteuid() == 0 and subprocess.run(command, capture_output=True, check=False).returncode == 0
    require(mounted, "a small file system can be mounted by root only")
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)
