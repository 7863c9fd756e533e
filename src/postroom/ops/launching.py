"""Starts the server, and stays with it until it answers."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import psycopg

from postroom.errors import ClusterError
from postroom.ops.binaries import Binaries
from postroom.ops.configuration import FILE, configuration
from postroom.ops.home import Home, Marker, no_space, write_private
from postroom.ops.making import last_words
from postroom.ops.postmaster import Postmaster, find_postmaster, free_port, is_free, last_postmaster
from postroom.ops.server_user import ServerUser

HOST = "127.0.0.1"
_SOCKET_PATH_BYTES = 100
_ANSWER_SECONDS = 60
_AFTERMATH_SECONDS = 10
_RECOVERY_SECONDS = 600
_AFTERMATH = ("postmaster.pid", "pre-existing shared memory")
_SHORT = "postroom-"
_LONG_LOG_BYTES = 10 * 1024 * 1024


def launch(
    home: Home, binaries: Binaries, user: ServerUser, marker: Marker, *, port: int, forced: bool
) -> Postmaster:
    """Start the server on this port; if another program took it meanwhile, on another unless it is forced."""
    _set_long_log_aside(home.log)
    if killed := last_postmaster(home.data):
        remove_short_folder(killed.sockets)
    sockets = _socket_folder(home, user)
    deadline = time.monotonic() + _AFTERMATH_SECONDS
    while True:
        taken = not is_free(port)
        if running := find_postmaster(home.data):
            # A program that was killed had just begun to start it, so it is our own server that has the port.
            if running.sockets != sockets:
                remove_short_folder(sockets)
            return running
        if taken:
            port = usable_port(port, forced=forced)
        home.write_marker(replace(marker, version=binaries.version, port=port))
        write_private(home.data / FILE, configuration(binaries, port=port, sockets=sockets))
        said = _start(home, binaries, user)
        if running := find_postmaster(home.data):
            return running
        if not _worth_another_try(said) or time.monotonic() > deadline:
            remove_short_folder(sockets)
            raise _did_not_start(home, said)
        time.sleep(0.2)


def _set_long_log_aside(log: Path) -> None:
    """Begin a new log when it has grown long; the one before is kept."""
    if log.exists() and log.stat().st_size > _LONG_LOG_BYTES:
        log.replace(log.with_name(f"{log.name}.1"))


def usable_port(port: int, *, forced: bool) -> int:
    """The port itself while nobody listens there; otherwise another one, or the reason why not."""
    if is_free(port):
        return port
    if not forced:
        return free_port()
    raise ClusterError(
        reason=f"The port {port} is in use by another program, or may not be used.",
        mend="Choose another one with POSTROOM_PORT, or leave it out to have a free one chosen.",
    )


def _start(home: Home, binaries: Binaries, user: ServerUser) -> str:
    """Start it once and wait until it is ready, also when it has a crash to recover from; what it said."""
    known = home.log.stat().st_size if home.log.exists() else 0
    waiting = ["--wait", f"--timeout={_RECOVERY_SECONDS}", "--silent"]
    files = [f"--pgdata={home.data}", f"--log={home.log}"]
    done = user.run([binaries.program("pg_ctl"), "start", *waiting, *files])
    if not home.log.exists():
        return done.text
    with home.log.open("rb") as log:
        log.seek(known)
        return done.text + log.read().decode(errors="replace")


def _worth_another_try(said: str) -> bool:
    """After a kill -9 the old server's children need a moment to end; a port can be lost to a faster one."""
    return any(sign in said for sign in (*_AFTERMATH, "Address already in use"))


def _did_not_start(home: Home, said: str) -> ClusterError:
    if "No space left" in said or "Disk quota" in said:
        return no_space(home.path)
    return ClusterError(
        reason=f"The server in {home.path} did not start: {last_words(said)}.",
        mend=f"Its log is {home.log}; the data was left as it is.",
    )


def _socket_folder(home: Home, user: ServerUser) -> Path:
    """The name of a Unix socket fits into some hundred bytes; a deep home gets a short folder elsewhere."""
    if len(os.fsencode(home.run / ".s.PGSQL.65535")) <= _SOCKET_PATH_BYTES:
        return home.run
    short = Path(tempfile.mkdtemp(prefix=_SHORT, dir="/tmp"))
    user.own(short)
    return short


def remove_short_folder(sockets: Path) -> None:
    """Take the short folder away with the server that used it."""
    if sockets.parent == Path("/tmp") and sockets.name.startswith(_SHORT):
        shutil.rmtree(sockets, ignore_errors=True)


def wait_for_answer(running: Postmaster, password: str, home: Home) -> bool:
    """Whether the server has answered a question; False when it ended instead."""
    begun = time.monotonic()
    while reason := _silent_because(running.port, password):
        if "password authentication failed" in reason:
            raise ClusterError(
                reason=f"The server in {home.path} refuses the superuser's password of secrets.json.",
                mend="Restore that file from a backup.",
            )
        if find_postmaster(home.data) != running:
            return False
        # "The database system is starting up", or in recovery: that takes as long as there is log to replay.
        patience = _RECOVERY_SECONDS if "the database system is" in reason else _ANSWER_SECONDS
        if time.monotonic() - begun > patience:
            raise _did_not_start(home, reason)
        time.sleep(0.1)
    return True


def _silent_because(port: int, password: str) -> str:
    try:
        with psycopg.connect(
            host=HOST,
            port=port,
            user="postgres",
            password=password,
            dbname="postgres",
            sslmode="disable",
            gssencmode="disable",
            connect_timeout=5,
        ) as connection:
            connection.execute("SELECT 1")
    except psycopg.Error as error:
        return str(error) or type(error).__name__
    return ""
