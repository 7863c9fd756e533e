"""Tuning of the embedded server: a file of its own, tried before it holds, and taken back when it does no good."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from postroom.errors import ClusterError
from postroom.ops.cluster import Cluster
from postroom.ops.configuration import TUNED
from postroom.ops.home import Home, write_private
from postroom.ops.making import last_words
from postroom.ops.postmaster import find_postmaster, programs_of
from postroom.ops.server_user import ServerUser, server_user
from postroom.ops.tuning.compare import Change
from postroom.ops.tuning.profiles import Profile
from postroom.settings import Settings

_FILES = ("postgresql.conf", "postroom.conf", "backup.conf", "extra.conf", "postgresql.auto.conf")


def tuned_file(settings: Settings) -> Path:
    return Home(settings.home).data / TUNED


def write_tuned(settings: Settings, profile: Profile, changes: Sequence[Change]) -> str | None:
    """Try the new file and put it in the place of the old one, whose text is given back. Raises ClusterError."""
    home = Home(settings.home)
    lines = [f"{each.name} = '{each.proposed}'" for each in changes]
    text = "\n".join([f"# Written by: postroom tune --profile {profile} --apply", *lines, ""])
    _refuse_what_does_not_start(home, text)
    path = home.data / TUNED
    before = path.read_text() if path.exists() else None
    write_private(path, text)
    return before


def put_back(settings: Settings, before: str | None) -> None:
    """The file as it was, or none where there was none."""
    path = tuned_file(settings)
    if before is None:
        path.unlink(missing_ok=True)
    else:
        write_private(path, before)


def restart(settings: Settings, before: str | None) -> None:
    """Start the server anew. One that does not come up gets its old file back, and is started with that."""
    cluster = Cluster(settings.home, postgres_bin=settings.postgres_bin, port=settings.port)
    cluster.stop()
    try:
        cluster.ensure_running()
    except ClusterError as error:
        put_back(settings, before)
        cluster.ensure_running()
        reason = f"With the new settings the server did not start: {error.fields['reason']}"
        raise ClusterError(
            reason=reason, mend="It runs again with the settings that it had before."
        ) from error


def _refuse_what_does_not_start(home: Home, text: str) -> None:
    """Let the server's own program read all files in a folder beside, and take the shared memory that they ask for."""
    running = find_postmaster(home.data)
    programs = programs_of(running) if running else None
    if programs is None:
        raise ClusterError(
            reason="The settings cannot be tried: the programs of the running server are not to be found.",
            mend="Nothing was changed.",
        )
    user = server_user(home.data)
    with _copy_of_the_files(home, user, text) as folder:
        done = user.run([programs / "postgres", "--check", "-D", folder])
    if done.returncode != 0:
        raise ClusterError(
            reason=f"The server would not start with these settings: {last_words(done.text)}.",
            mend="Nothing was changed.",
        )


@contextmanager
def _copy_of_the_files(home: Home, user: ServerUser, text: str) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="try-", dir=home.run))
    try:
        for name in _FILES:
            if (home.data / name).exists():
                shutil.copyfile(home.data / name, folder / name)
        shutil.copyfile(home.data / "PG_VERSION", folder / "PG_VERSION")
        (folder / TUNED).write_text(text)
        for each in home.data.iterdir():
            if each.is_dir():
                (folder / each.name).mkdir()  # empty, for the program to find what it looks for
        for path in (*folder.iterdir(), folder):
            user.own(path)
        yield folder
    finally:
        shutil.rmtree(folder)
