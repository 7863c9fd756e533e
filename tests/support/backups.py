"""A store with backups: its place beside it, and what to do to both."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from postroom.ops.backup import manifest, wal
from postroom.ops.backup.rebuild import Source
from postroom.ops.backup.verify import source_of
from postroom.ops.cluster import Cluster
from tests.support.site import Store, running_store

EMAIL = "me@example.com"


class Kept:
    """A running store whose backups go to `place`."""

    def __init__(self, store: Store, folder: Path, to: str) -> None:
        self.store, self.folder, self.to = store, folder, to
        self.place = folder / "backups"

    @property
    def source(self) -> Source:
        return source_of(self.store.settings)

    def take(self, kind: str = "full", *options: str) -> str:
        return self.store.json("backup", "--kind", kind, *options)["id"]

    def ids(self) -> list[str]:
        return [each.id for each in manifest.read_all(self.source.place)]

    def segments(self) -> list[str]:
        return wal.segments(self.source.archive)

    def now(self) -> str:
        """The server's clock, between two commits."""
        with self.store.connect("postgres") as connection:
            return str(connection.execute(b"select clock_timestamp()").fetchall()[0][0])

    def restored(self, name: str, *options: str) -> Path:
        folder = self.folder / name
        self.store.cli("restore", "--into", str(folder), *options)
        return folder

    def tenants_in(self, home: Path, **environment: str) -> list[str]:
        """The tenants of a restored store, which is started for it and stopped again."""
        try:
            found = self.store.json("--data-dir", str(home), "tenant", "list", **environment)
        finally:
            Cluster(home).stop()
        return [each["name"] for each in found["items"]]

    def copy(self, name: str) -> Path:
        """The place of the backups as it is now, elsewhere."""
        return Path(shutil.copytree(self.place, self.folder / name))


@contextmanager
def kept_store(to: str | None = None, **environment: str) -> Iterator[Kept]:
    """A store with a tenant, mail, and an archive that works."""
    folder = Path(tempfile.mkdtemp(prefix="postroom-kept-", dir="/tmp"))
    folder.chmod(0o755)
    try:
        with running_store(
            **{name: value.replace("FOLDER", str(folder)) for name, value in environment.items()}
        ) as store:
            store.cli("tenant", "create", "acme")
            store.cli("sample", str(folder / "box"), "--messages", "40")
            store.cli("import", "-t", "acme", "-a", EMAIL, str(folder / "box"))
            kept = Kept(store, folder, to or str(folder / "backups"))
            said: dict[str, Any] = store.json("backup", "enable", "--to", kept.to, "--restart")
            assert said["archives"]
            yield kept
    finally:
        shutil.rmtree(folder, ignore_errors=True)
