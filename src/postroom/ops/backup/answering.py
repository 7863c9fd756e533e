"""The restore command: the server asks for files of the log by name, and the program that restores answers.

So the key stays with the program, and what is wrong with the archive is said by it and not in a server's log.
"""

from __future__ import annotations

import os
import shlex
from pathlib import Path

from postroom.errors import BackupError
from postroom.ops.backup import wal
from postroom.ops.backup.rebuild import Source
from postroom.ops.server_user import ServerUser

_SCRIPT = """#!/bin/sh
# restore_command %f %p: ask the program that restores, and wait for its answer. Above 125 the server gives up.
: > {ask}/"$1.ask" || exit 200
while [ -d /proc/{pid} ] || [ ! -d /proc/self ]; do
  if [ -f {ask}/"$1.got" ]; then mv {ask}/"$1.got" "$2" && exit 0; exit 201; fi
  if [ -f {ask}/"$1.none" ]; then rm -f {ask}/"$1.none"; exit 1; fi
  if [ -f {ask}/stop ]; then exit 202; fi
  sleep 0.02
done
exit 203
"""


class Answering:
    """Answers what a recovering server asks for. `failure` is what went wrong, for the program to say."""

    def __init__(self, source: Source, folder: Path, data: Path, user: ServerUser) -> None:
        self._source, self._data, self._user = source, data, user
        self._ask = folder / "ask"
        self._script = folder / "fetch.sh"
        self._there: list[str] | None = None
        self.failure: BackupError | None = None
        self.fetched: list[str] = []
        self._ask.mkdir(mode=0o700)
        self._script.write_text(_SCRIPT.format(ask=shlex.quote(str(self._ask)), pid=os.getpid()))
        self._script.chmod(0o700)
        for path in (self._ask, self._script):
            user.own(path)

    @property
    def command(self) -> str:
        """The value of restore_command."""
        return f"sh {shlex.quote(str(self._script)).replace('%', '%%')} %f %p"

    @property
    def there(self) -> list[str]:
        """The segments of the archive."""
        if self._there is None:
            self._there = wal.segments(self._source.archive)
        return self._there

    def answer(self) -> None:
        """Answer what was asked since the last time."""
        for question in sorted(self._ask.glob("*.ask")):
            name = question.name.removesuffix(".ask")
            question.unlink()
            try:
                self._give(name, wal.fetched(self._source.archive, self._source.key, name))
                self.fetched.append(name)
            except FileNotFoundError:
                self._miss(name)
            except BackupError as error:
                self._stop(error)

    def _give(self, name: str, content: bytes) -> None:
        part = self._ask / f".{name}"
        part.write_bytes(content)
        self._user.own(part)
        part.rename(self._ask / f"{name}.got")

    def _miss(self, name: str) -> None:
        later = [each for each in self.there if each[:8] == name[:8] and each > name]
        if len(name) == 24 and later and not (self._data / "pg_wal" / name).exists():
            self._stop(
                BackupError(
                    reason=f"The archive {self._source.archive.root} lacks {name}, though it has {later[0]}: "
                    "what was done after it cannot be restored.",
                    mend="Bring that file back, or restore to an earlier moment or to a later backup.",
                )
            )
            return
        (self._ask / f"{name}.none").touch()

    def _stop(self, error: BackupError) -> None:
        self.failure = self.failure or error
        (self._ask / "stop").touch()
