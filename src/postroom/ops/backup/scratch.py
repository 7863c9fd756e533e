"""A server that recovers from a backup in a folder of its own: on a socket nobody else reaches, archiving nothing."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from postroom.errors import BackupError
from postroom.ops.backup.answering import Answering
from postroom.ops.backup.manifest import Manifest
from postroom.ops.backup.rebuild import Source, rebuild
from postroom.ops.backup.target import Target
from postroom.ops.binaries import Binaries, find_binaries
from postroom.ops.configuration import BACKUP, FILE
from postroom.ops.making import last_words
from postroom.ops.postmaster import find_postmaster, free_port, wait_for_end
from postroom.ops.reach import within_reach
from postroom.ops.server_user import ServerUser, server_user

_APPEAR_SECONDS = 15
_STOP_SECONDS = 120
_HBA = "local all all trust\n"
Report = Callable[[int, int, str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovered:
    """A server that has reached its target and takes part in nothing else."""

    data: Path
    sockets: Path
    port: int
    log: Path
    user: ServerUser
    binaries: Binaries
    segments: list[str] = field(default_factory=list)
    """What it took from the archive."""

    def url(self, role: str = "postgres", database: str = "email_service") -> str:
        return f"postgresql://{role}@/{database}?host={self.sockets}&port={self.port}"

    def stop(self) -> None:
        """Shut it down cleanly."""
        _end(self.data, signal.SIGINT)


def new_folder(parent: Path, user: ServerUser) -> Path:
    """A folder for a scratch server, which the server's user can enter."""
    try:
        folder = Path(tempfile.mkdtemp(prefix="scratch-", dir=parent))
    except OSError as error:
        raise BackupError(
            reason=f"{parent} cannot be used: {error.strerror}.", mend="Choose another folder."
        ) from error
    folder.chmod(0o711)
    if not user.can_enter(folder):
        folder.rmdir()
        raise BackupError(
            reason=f"The user {user.name}, as whom the server runs, cannot reach {folder.parent}.",
            mend="Choose a folder that everybody can enter.",
        )
    return folder


@contextmanager
def scratch(
    source: Source, chain: Sequence[Manifest], target: Target, report: Report, *, parent: Path
) -> Iterator[Recovered]:
    """A server at the target, in a folder that goes with it. Raises BackupError."""
    user = server_user(source.settings.home / "postgres")
    folder = new_folder(parent, user)
    try:
        with recovered(source, chain, target, report, folder=folder, user=user, durable=False) as server:
            yield server
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def recovered(
    source: Source,
    chain: Sequence[Manifest],
    target: Target,
    report: Report,
    *,
    folder: Path,
    user: ServerUser,
    durable: bool,
) -> Iterator[Recovered]:
    """A server in `folder/data` that has reached the target; stopped at the end. Raises BackupError."""
    found = find_binaries(source.settings.postgres_bin, major=chain[-1].major)
    binaries = within_reach(found, user, source.settings.home if not durable else folder)
    data = rebuild(source, chain, folder, user, report)
    sockets = Path(tempfile.mkdtemp(prefix="postroom-", dir="/tmp"))
    log = sockets / "postgres.log"
    user.own(sockets)
    answering = Answering(source, folder, data, user)
    try:
        port = free_port()
        _write_settings(data, sockets, port, binaries, answering.command, target, durable=durable)
        for path in (data / FILE, data / "recovery.signal", sockets / "hba.conf"):
            user.own(path)
        forced = "-c archive_mode=off -c hot_standby=off -c listen_addresses=''"
        start = ["start", "--no-wait", "--silent", f"--pgdata={data}", f"--log={log}", "-o", forced]
        done = user.run([binaries.program("pg_ctl"), *start])
        if done.returncode != 0:
            raise _failed(chain, target, done.text, answering)
        _wait(data, log, answering, chain, target, report)
        server = Recovered(
            data=data,
            sockets=sockets,
            port=port,
            log=log,
            user=user,
            binaries=binaries,
            segments=[each for each in answering.fetched if len(each) == 24],
        )
        _prove_answer(server, chain, target, answering)
        yield server
        server.stop()
    finally:
        _end(data, signal.SIGQUIT)
        shutil.rmtree(sockets, ignore_errors=True)
        shutil.rmtree(folder / "ask", ignore_errors=True)
        (folder / "fetch.sh").unlink(missing_ok=True)


def _write_settings(
    data: Path, sockets: Path, port: int, binaries: Binaries, command: str, target: Target, *, durable: bool
) -> None:
    """One file that comes last; what the old server was told about archives, standbys and memory is left out."""
    for name in (BACKUP, "standby.signal", "postmaster.pid", "postmaster.opts"):
        (data / name).unlink(missing_ok=True)
    (sockets / "hba.conf").write_text(_HBA)
    zone = "UTC" if binaries.has_zones else "GMT"
    values = {
        "port": str(port),
        "unix_socket_directories": f'"{sockets}"',
        "unix_socket_permissions": "0700",
        "hba_file": str(sockets / "hba.conf"),
        "ssl": "off",
        "shared_buffers": "64MB",
        "max_connections": "40",
        "shared_preload_libraries": "",
        "archive_command": "",
        "primary_conninfo": "",
        "synchronous_standby_names": "",
        "autovacuum": "off",
        "jit": "off",
        "lc_messages": "C",
        "timezone": zone,
        "log_timezone": zone,
        "log_destination": "stderr",
        "logging_collector": "off",
        "fsync": "on" if durable else "off",
        "restore_command": command,
        "recovery_target_action": "promote",
        "recovery_target_timeline": "latest",
        **dict.fromkeys(("recovery_target", "recovery_target_time", "recovery_target_name"), ""),
        **target.settings,
    }
    text = "".join(
        f"{name} = '{_quoted(value)}'\n" for name, value in values.items() if value or "target" not in name
    )
    (data / FILE).write_text(f"# For a server that recovers.\n{text}")
    (data / FILE).chmod(0o600)
    (data / "recovery.signal").touch(0o600)


def _wait(
    data: Path, log: Path, answering: Answering, chain: Sequence[Manifest], target: Target, report: Report
) -> None:
    """Until recovery has ended: not until pg_ctl is content, which is before it has failed."""
    appear_until = time.monotonic() + _APPEAR_SECONDS
    seen = False
    while True:
        answering.answer()
        report(len(answering.fetched), 0, "log")
        running = find_postmaster(data)
        seen = seen or running is not None
        if running and _is_ready(data):
            return
        if not running and (seen or time.monotonic() > appear_until or "FATAL" in _text(log)):
            raise _failed(chain, target, _text(log), answering)
        time.sleep(0.02)


def _is_ready(data: Path) -> bool:
    """The last line of its pid file; with hot_standby off it says so only when recovery is over."""
    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return False
    return len(lines) > 7 and lines[7].strip() == "ready"


def _prove_answer(server: Recovered, chain: Sequence[Manifest], target: Target, answering: Answering) -> None:
    try:
        with psycopg.connect(server.url(database="postgres"), autocommit=True) as connection:
            row = connection.execute("select pg_is_in_recovery()").fetchone()
    except psycopg.Error as error:
        raise _failed(chain, target, f"FATAL: {error}", answering) from error
    if row is None or row[0]:
        raise _failed(chain, target, "FATAL: it is still in recovery", answering)


def _failed(chain: Sequence[Manifest], target: Target, said: str, answering: Answering) -> BackupError:
    if answering.failure:
        return answering.failure
    if "recovery ended before configured recovery target was reached" in said:
        last = answering.there[-1] if answering.there else "nothing"
        return BackupError(
            reason=f"The archive ends (with {last}) before {target} is reached.",
            mend="Name an earlier moment, or leave it out to go as far as the archive does.",
        )
    return BackupError(
        reason=f"The server that was restored from {chain[-1].id} did not come up: {last_words(said)}.",
        mend="Nothing is left of it; try another backup: postroom backup verify.",
    )


def _end(data: Path, how: signal.Signals) -> None:
    running = find_postmaster(data)
    if running is None:
        return
    try:
        os.kill(running.pid, how)
    except ProcessLookupError:
        return
    wait_for_end(data, seconds=_STOP_SECONDS)


def _text(log: Path) -> str:
    try:
        return log.read_text(errors="replace")
    except FileNotFoundError:
        return ""


def _quoted(value: str) -> str:
    return value.replace("\\", "\\\\").replace("'", "''")
