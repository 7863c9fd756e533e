"""P1 and P4: the first sync of 20,000 messages from Dovecot, and a sync that finds nothing new."""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.measure import Cost, Line, alternated, is_there, measured, median, run
from benchmarks.places import BenchStore, bench_store, mailbox_maildir, serve
from postroom.blobs import Blobs
from postroom.store import accounts
from postroom.store.database import Database
from postroom.sync.account import AccountSync
from postroom.wire.imap import ImapSource
from tests.support.dovecot import Dovecot, running_dovecot

SMALL = 1_000
"""What offlineimap gets: with the whole mailbox it would take a quarter of an hour."""
NOTHING_NEW_ROUNDS = 15


class Mbsync:
    """isync's mbsync into a Maildir of its own."""

    def __init__(self, server: Dovecot, user: str, folder: Path, *, fsync: bool) -> None:
        self.folder = folder
        self.folder.mkdir()
        (folder / "mail").mkdir()
        self._configuration = folder / "mbsyncrc"
        self._configuration.write_text(
            f"FSync {'yes' if fsync else 'no'}\n"
            f"IMAPStore remote\nHost {server.host}\nPort {server.imap_port}\nUser {user}\n"
            f"Pass {server.password(user)}\nSSLType None\nAuthMechs LOGIN\n\n"
            f"MaildirStore local\nSubFolders Verbatim\nPath {folder}/mail/\nInbox {folder}/mail/INBOX\n\n"
            f"Channel all\nFar :remote:\nNear :local:\nPatterns *\nCreate Near\nSync Pull\n"
            f"SyncState {folder}/mail/*/.state\n"
        )
        (folder / "mail").chmod(0o700)

    def sync(self) -> Cost:
        with measured() as cost:
            run(["mbsync", "-q", "-c", str(self._configuration), "all"])
        return cost

    def count(self) -> int:
        return sum(1 for path in self.folder.rglob("*") if path.parent.name in ("cur", "new"))


class Offlineimap:
    """offlineimap3 into a Maildir of its own."""

    def __init__(self, server: Dovecot, user: str, folder: Path) -> None:
        self.folder = folder
        self.folder.mkdir()
        self._configuration = folder / "offlineimaprc"
        self._configuration.write_text(
            f"[general]\naccounts = all\nmetadata = {folder}/state\nui = quiet\n"
            f"[Account all]\nlocalrepository = local\nremoterepository = remote\n"
            f"[Repository local]\ntype = Maildir\nlocalfolders = {folder}/mail\n"
            f"[Repository remote]\ntype = IMAP\nremotehost = {server.host}\nremoteport = {server.imap_port}\n"
            f"remoteuser = {user}\nremotepass = {server.password(user)}\nssl = no\nstarttls = no\nmaxconnections = 2\n"
        )

    def sync(self) -> Cost:
        with measured() as cost:
            run(["offlineimap", "-c", str(self._configuration), "-o"])
        return cost

    def count(self) -> int:
        return sum(1 for path in self.folder.rglob("*") if path.parent.name in ("cur", "new"))


class Ours:
    """A tenant of its own with an account on the server, synced by the program as a user types it."""

    def __init__(self, store: BenchStore, server: Dovecot, user: str) -> None:
        self.store, self.tenant, self.email = store, store.tenant(), f"{user}@example.test"
        store.cli(
            *("account", "add", "-t", self.tenant, "--email", self.email, "--host", server.host),
            *(
                "--port",
                str(server.imap_port),
                "--username",
                user,
                "--encryption",
                "none",
                "--password-stdin",
            ),
            stdin=server.password(user),
        )
        self.stored = 0

    def sync(self) -> Cost:
        with measured(self.store.server_pid) as cost:
            self.stored = self.store.json("sync", "-t", self.tenant, "-a", self.email)["stored"]
        return cost


def first_sync(rounds: int, count: int = 20_000) -> list[Line]:
    """P1. Rates are of whole commands, start and sign-in included."""
    with bench_store() as store, running_dovecot(tls=False) as server, _scratch() as scratch:
        serve(server, "all", mailbox_maildir(count))
        serve(server, "few", mailbox_maildir(SMALL))
        numbers = iter(range(1_000_000))
        costs: list[Cost] = []

        def ours() -> float:
            contestant = Ours(store, server, "all")
            costs.append(contestant.sync())
            assert contestant.stored > 0.99 * count, contestant.stored  # the same bytes twice are one message
            return count / costs[-1].wall

        def theirs(make: Callable[[Path], Mbsync | Offlineimap], expected: int) -> Callable[[], float]:
            def contest() -> float:
                contestant = make(scratch / str(next(numbers)))
                wall = contestant.sync().wall
                assert contestant.count() == expected, contestant.count()
                shutil.rmtree(contestant.folder)
                return expected / wall

            return contest

        rates = alternated(
            rounds,
            postroom=ours,
            mbsync=theirs(lambda folder: Mbsync(server, "all", folder, fsync=True), count),
            mbsync_without_fsync=theirs(lambda folder: Mbsync(server, "all", folder, fsync=False), count),
            **(
                {"offlineimap3": theirs(lambda folder: Offlineimap(server, "few", folder), SMALL)}
                if is_there("offlineimap")
                else {}
            ),
        )
    mine = median(rates.pop("postroom"))
    goals = {"mbsync": 2.0, "mbsync_without_fsync": 0.5, "offlineimap3": 20.0}
    cpu = f"{median([c.own_cpu for c in costs]):.1f} s CPU of the program, {median([c.server_cpu for c in costs]):.1f} s of PostgreSQL"
    return [
        Line(
            "P1",
            f"first sync, {count:,} messages, against {name.replace('_', ' ')}",
            f"{mine:,.0f}/s",
            f"{median(found):,.0f}/s",
            f"{mine / median(found):.2f}",
            f"≥ {goals[name]:g}",
            mine / median(found) >= goals[name],
            [cpu],
        )
        for name, found in rates.items()
    ]


def nothing_new(count: int = 20_000) -> list[Line]:
    """P4. From connect to done, less what a bare sign-in costs; mbsync as a command, less the same sign-in."""
    with bench_store() as store, running_dovecot(tls=False) as server, _scratch() as scratch:
        serve(server, "all", mailbox_maildir(count))
        ours = Ours(store, server, "all")
        ours.sync()
        theirs = Mbsync(server, "all", scratch / "mbsync", fsync=False)
        theirs.sync()
        sign_in, inside, commands, mbsync = [], [], [], []
        for _ in range(NOTHING_NEW_ROUNDS):
            sign_in.append(_sign_in(server))
            inside.append(asyncio.run(_inside(store, server, ours)))
            mbsync.append(theirs.sync().wall)
            commands.append(ours.sync().wall)
        start = [_start(store) for _ in range(NOTHING_NEW_ROUNDS)]
    bare = median(sign_in)
    mine, their = median(inside) - bare, median(mbsync) - bare
    return [
        Line(
            "P4",
            f"sync of {count:,} messages, nothing new",
            f"{mine * 1000:.0f} ms",
            f"mbsync {their * 1000:.0f} ms",
            f"{mine / their:.2f}",
            "≤ 0.25",
            mine / their <= 0.25,
            [
                f"a bare sign-in of {bare * 1000:.0f} ms is taken off both; the whole command: "
                f"{median(commands) * 1000:.0f} ms, mbsync {median(mbsync) * 1000:.0f} ms"
            ],
        ),
        Line(
            "P4",
            "start of the program: postroom status",
            f"{median(start) * 1000:.0f} ms",
            goal="< 500 ms",
            reached=median(start) < 0.5,
        ),
    ]


def _source(server: Dovecot) -> ImapSource:
    return ImapSource(
        host=server.host,
        port=server.imap_port,
        encryption="none",
        username="all",
        password=server.password("all"),
    )


def _sign_in(server: Dovecot) -> float:
    began = time.perf_counter()
    with server.imap("all"):
        return time.perf_counter() - began


async def _inside(store: BenchStore, server: Dovecot, ours: Ours) -> float:
    async with Database(store.site.url("email_worker")) as db:
        async with db.system() as tx:
            from postroom.store import system

            tenant_id = (await system.tenant_named(tx, ours.tenant)).id
        async with db.tenant(tenant_id) as tx:
            account = await accounts.by_email(tx, ours.email)
        source = _source(server)
        began = time.perf_counter()
        try:
            tally = await AccountSync(
                db, Blobs(store.settings), store.settings, tenant_id, account, source
            ).run()
            assert tally.stored == 0
            return time.perf_counter() - began
        finally:
            source.close()


def _start(store: BenchStore) -> float:
    began = time.perf_counter()
    store.cli("status")
    return time.perf_counter() - began


def _scratch() -> tempfile.TemporaryDirectory[str]:
    return _Scratch(prefix="postroom-bench-")


class _Scratch(tempfile.TemporaryDirectory[str]):
    def __enter__(self) -> Path:  # type: ignore[override]
        return Path(super().__enter__())


if __name__ == "__main__":
    for line in [*first_sync(int((sys.argv[1:] or ["1"])[0])), *nothing_new()]:
        print(line)
