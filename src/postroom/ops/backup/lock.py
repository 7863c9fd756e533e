"""One backup at a time: a second one would copy the same and let go of what the first still needs."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from postroom.errors import BackupError

FILE = "backup.lock"


@contextmanager
def one_at_a_time(home: Path) -> Iterator[None]:
    """Raises BackupError while another process of this store takes a backup or lets one go."""
    with (home / FILE).open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise BackupError(
                reason=f"Another backup of this store is at work (process {file.read().strip() or 'unknown'}).",
                mend="Wait for it, or end it.",
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield
        file.truncate(0)
