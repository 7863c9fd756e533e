"""Where it all happens: the corpora on disk, a store of its own, and a Dovecot that serves the same mail."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks import corpus
from postroom import sql
from postroom.ops.cluster import Cluster
from postroom.sample import write_maildir, write_mbox
from tests.support.dovecot import Dovecot
from tests.support.site import Store

CORPORA = Path(os.environ.get("POSTROOM_BENCH_DIR", "/tmp/postroom-bench"))
"""What was generated stays here: the same seed gives the same bytes."""


def mailbox_maildir(count: int = 20_000) -> Path:
    return made(Path(f"mailbox-{count}"), lambda path: write_maildir(path, corpus.mailbox(count)))


def mailbox_mbox(count: int) -> Path:
    return made(Path(f"mailbox-{count}.mbox"), lambda path: write_mbox(path, corpus.mailbox(count)))


def tenant_maildirs() -> dict[str, Path]:
    """200,000 messages in ten Maildirs, by tenant, the largest first."""
    return {
        name: made(Path("tenants") / name, lambda path, mail=mail: write_maildir(path, mail))
        for name, mail in corpus.tenants().items()
    }


def made(name: Path, make: Callable[[Path], object]) -> Path:
    """A corpus below our folder: made once, under another name until it is whole."""
    path = CORPORA / name
    if not path.exists():
        CORPORA.mkdir(exist_ok=True)
        CORPORA.chmod(0o755)
        path.parent.mkdir(parents=True, exist_ok=True)
        print(f"  making {path} …", file=sys.stderr, flush=True)
        half = path.with_name(path.name + ".half")
        shutil.rmtree(half, ignore_errors=True)
        make(half)
        half.rename(path)
    return path


class BenchStore(Store):
    """A store with the pid of its server."""

    @property
    def server_pid(self) -> int:
        pid = Cluster(self.home).status().pid
        assert pid is not None
        return pid

    def program(self, *arguments: str) -> list[str]:
        return [sys.executable, "-c", "from postroom.cli import main; main()", *arguments]


@contextmanager
def bench_store() -> Iterator[BenchStore]:
    home = Path(tempfile.mkdtemp(prefix="postroom-bench-", dir="/tmp"))
    home.chmod(0o755)
    try:
        yield BenchStore(home / "home")
    finally:
        Cluster(home / "home").stop()
        shutil.rmtree(home, ignore_errors=True)


EMAIL = "sam@postroom.example"


@contextmanager
def filled_store() -> Iterator[BenchStore]:
    """200,000 messages in ten tenants. Kept for the next run, unless the schema has changed meanwhile."""
    stamp = hashlib.sha256("".join(map(sql.read, sql.INIT_FILES)).encode()).hexdigest()[:12]
    home = CORPORA / f"store-{stamp}"
    done = home / "filled"
    if not done.exists():
        for other in CORPORA.glob("store-*"):
            Cluster(other / "home").stop()
            shutil.rmtree(other)
        home.mkdir(parents=True)
        home.chmod(0o755)
    store = BenchStore(home / "home")
    try:
        if not done.exists():
            for name, maildir in tenant_maildirs().items():
                print(f"  filling tenant {name} …", file=sys.stderr, flush=True)
                store.cli("tenant", "create", name)
                store.cli("import", "-t", name, "-a", EMAIL, str(maildir))
            with store.connect("postgres") as connection:
                connection.execute("vacuum (analyze)")
            done.touch()
        yield store
    finally:
        Cluster(store.home).stop()


def serve(server: Dovecot, user: str, maildir: Path) -> None:
    """Give a user a copy of a Maildir."""
    server.add_user(user, f"{user}-pw")
    home = server.root / "mail" / user
    shutil.copytree(maildir, home)
    owner = "mail" if os.geteuid() == 0 else None
    for path in (home, *home.rglob("*")):
        if owner:
            shutil.chown(path, owner, owner)
