"""Places that are hard to come by: one where permissions count, even for root, and one that is soon full."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
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


@contextmanager
def mounted_disk(megabytes: int) -> Iterator[Path]:
    """A small disk of its own; the test is skipped where it cannot be had."""
    place = Path(tempfile.mkdtemp(prefix="postroom-disk-", dir="/tmp"))
    command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=755", "tmpfs", str(place)]
    mounted = os.geteuid() == 0 and subprocess.run(command, capture_output=True, check=False).returncode == 0
    try:
        require(mounted, "a small file system can be mounted by root only")
        yield place
    finally:
        if mounted:
            subprocess.run(["umount", str(place)], check=True)
        place.rmdir()


def enlarge(disk: Path, megabytes: int) -> None:
    """Give a mounted disk more room."""
    subprocess.run(["mount", "-o", f"remount,size={megabytes}m", str(disk)], check=True)


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A file system of one megabyte."""
    with mounted_disk(1) as place:
        yield place
