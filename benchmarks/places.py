"""Where it all happens: the corpora on disk, a store of its own, and a Dovecot that serves the same mail."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks import corpus
from postroom.ops.cluster import Cluster
from postroom.sample import write_maildir, write_mbox
from tests.support.dovecot import Dovecot
from tests.support.site import Store

CORPORA = Path(os.environ.get("POSTROOM_BENCH_DIR", "/tmp/postroom-bench"))
"""What was generated stays here: the same seed gives the same bytes."""


def mailbox_maildir(count: int = 20_000) -> Path:
    return _made(CORPORA / f"mailbox-{count}", lambda path: write_maildir(path, corpus.mailbox(count)))


def mailbox_mbox(count: int) -> Path:
    return _made(CORPORA / f"mailbox-{count}.mbox", lambda path: write_mbox(path, corpus.mailbox(count)))


def tenant_maildirs() -> dict[str, Path]:
    """200,000 messages in ten Maildirs, by tenant, the largest first."""
    return {
        name: _made(CORPORA / "tenants" / name, lambda path, mail=mail: write_maildir(path, mail))
        for name, mail in corpus.tenants().items()
    }


def _made(path: Path, make: object) -> Path:
    """Made once, under another name until it is whole."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        print(f"  making {path} …", file=sys.stderr, flush=True)
        half = path.with_name(path.name + ".half")
        shutil.rmtree(half, ignore_errors=True)
        make(half)  # type: ignore[operator]
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


def serve(server: Dovecot, user: str, maildir: Path) -> None:
    """Give a user a copy of a Maildir."""
    server.add_user(user, f"{user}-pw")
    home = server.root / "mail" / user
    shutil.copytree(maildir, home)
    owner = "mail" if os.geteuid() == 0 else None
    for path in (home, *home.rglob("*")):
        if owner:
            shutil.chown(path, owner, owner)
