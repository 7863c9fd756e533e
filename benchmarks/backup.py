"""What backups cost: `python -m benchmarks.backup`, against pg_basebackup and pg_dump alone, on a store of 20,000 messages.

Ours compress (zstd) and seal (AES-256-GCM), and know afterwards what they hold; the yardsticks write plain files to the same disk,
and pg_dump its custom format, which compresses by gzip. Each pair runs in turn; the median of the rounds counts.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import Cost, machine, measured, run
from benchmarks.places import EMAIL, BenchStore, bench_store, mailbox_maildir
from postroom.ops.backup.tools import find_tool
from postroom.ops.cluster import Cluster
from postroom.ops.home import size_on_disk
from postroom.ops.server_user import clean_environment


@dataclass(slots=True)
class Figure:
    """One row: seconds of both, and what ours left on the disk."""

    what: str
    ours: list[float]
    yardstick: list[float]
    note: str

    def row(self, megabytes: float) -> str:
        ours, other = statistics.median(self.ours), statistics.median(self.yardstick)
        rate = f"{megabytes / ours:.0f} MB/s" if megabytes else ""
        return f"| {self.what} | {ours:.1f} s, {rate} | {other:.1f} s | {ours / other:.2f} | {self.note} |"


def main() -> None:
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--messages", type=int, default=20_000)
    given = arguments.parse_args()
    with bench_store() as store, tempfile.TemporaryDirectory(dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        store.cli("tenant", "create", "acme")
        store.cli("import", "-t", "acme", "-a", EMAIL, str(mailbox_maildir(given.messages)))
        store.cli("backup", "enable", "--to", f"{folder}/backups", "--restart")
        with store.connect("postgres") as connection:
            connection.execute(b"vacuum (analyze)")
            connection.execute(b"checkpoint")
        figures = _Rounds(store, Path(folder), given.rounds)
        megabytes = size_on_disk(Cluster(store.home).status().data_dir) / 1_000_000
        print(f"{machine()}. {given.messages:,} messages, a data folder of {megabytes:,.0f} MB.\n")
        print("| | postroom | alone | ratio | |\n|---|---|---|---|---|")
        for figure in (figures.base(), figures.restore(), figures.dump(), figures.dump_restore()):
            print(figure.row(megabytes), flush=True)


class _Rounds:
    def __init__(self, store: BenchStore, folder: Path, rounds: int) -> None:
        self._store, self._folder, self._rounds = store, folder, rounds
        self._of_pg = {**clean_environment(), **store.site.environment("email_replication")}
        self._as_admin = {**clean_environment(), **store.site.environment("postgres")}
        self._backup = self._dump = ""

    def _tool(self, name: str) -> str:
        return str(find_tool(self._store.settings, name, 17))

    def _in_turn(
        self, ours: Callable[[], object], other: Callable[[], object]
    ) -> tuple[list[float], list[float]]:
        mine, theirs = list[float](), list[float]()
        for _ in range(self._rounds):
            for work, into in ((ours, mine), (other, theirs)):
                with measured() as cost:
                    work()
                into.append(_wall(cost))
        return mine, theirs

    def base(self) -> Figure:
        plain = self._folder / "plain"

        def ours() -> None:
            self._backup = self._store.json("backup")["id"]

        def other() -> None:
            shutil.rmtree(plain, ignore_errors=True)
            run([self._tool("pg_basebackup"), "-D", str(plain), "-c", "fast", "-X", "fetch"], **self._of_pg)

        mine, theirs = self._in_turn(ours, other)
        stored = size_on_disk(self._folder / "backups" / "backups" / self._backup) / 1_000_000
        note = f"{stored:,.0f} MB against {size_on_disk(plain) / 1_000_000:,.0f}"
        return Figure("base backup, against pg_basebackup", mine, theirs, note)

    def restore(self) -> Figure:
        """Ours to a server that has started, recovered and been compared; theirs is a copy of files that nobody looked at."""
        plain, into, copy = self._folder / "plain", self._folder / "into", self._folder / "copy"

        def ours() -> None:
            shutil.rmtree(into, ignore_errors=True)
            self._store.cli("restore", "--backup", self._backup, "--into", str(into))

        def other() -> None:
            shutil.rmtree(copy, ignore_errors=True)
            run(["cp", "-a", str(plain), str(copy)])
            run(["sync", "-f", str(copy)])

        mine, theirs = self._in_turn(ours, other)
        return Figure("restore, started and compared, against cp -a", mine, theirs, "")

    def dump(self) -> Figure:
        file = self._folder / "alone.dump"

        def ours() -> None:
            self._dump = self._store.json("backup", "--kind", "dump")["id"]

        def other() -> None:
            run([self._tool("pg_dump"), "-Fc", "-f", str(file), "email_service"], **self._as_admin)

        mine, theirs = self._in_turn(ours, other)
        stored = size_on_disk(self._folder / "backups" / "backups" / self._dump) / 1_000_000
        note = f"{stored:,.0f} MB against {size_on_disk(file) / 1_000_000:,.0f}"
        return Figure("dump, against pg_dump", mine, theirs, note)

    def dump_restore(self) -> Figure:
        file = self._folder / "alone.dump"

        def ours() -> None:
            self._store.cli("backup", "verify", self._dump)

        def other() -> None:
            with self._store.connect("postgres") as connection:
                connection.execute(b"drop database if exists alone")
                connection.execute(b"create database alone template template0")
            run([self._tool("pg_restore"), "-d", "alone", str(file)], **self._as_admin)

        mine, theirs = self._in_turn(ours, other)
        with self._store.connect("postgres") as connection:
            connection.execute(b"drop database alone")
        return Figure("a dump verified in a server of its own, against pg_restore", mine, theirs, "")


def _wall(cost: Cost) -> float:
    return cost.wall


if __name__ == "__main__":
    main()
