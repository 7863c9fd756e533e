"""What the search tests share: a real PostgreSQL, which alone can say what a tsquery finds."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.blobs import database
from tests.search.finder import Finder


@pytest.fixture(scope="session")
def finder() -> Iterator[Finder]:
    # Not below pytest's own folder: the server's user may not enter that, and a socket's path must be short.
    with (
        tempfile.TemporaryDirectory(prefix="search") as folder,
        database.server(Path(folder)) as url,
        psycopg.connect(url, autocommit=True) as connection,
    ):
        yield Finder(connection)
