"""Objects that no backup has copied yet stay on their shelf, though no row needs them: a row can come back.

Whoever restores to a moment between two backups gets rows that were purged before the second one. So an object goes
only after a backup has taken it. `postroom backup` writes down until when it has.
"""

from __future__ import annotations

import time
from pathlib import Path

FILE = "blobs-copied"
_MARGIN_SECONDS = 600
"""The clock of a file server or a bucket may differ from ours."""


def copied_until(home: Path) -> int | None:
    """Every object written before this moment is in the backups: milliseconds. None where no backups are kept."""
    try:
        return int((home / FILE).read_text())
    except (FileNotFoundError, ValueError):
        return None


def least_age_seconds(copied_ms: int, *, now_ms: int | None = None) -> int:
    """How old an object must be, to be surely in the backups."""
    now = time.time_ns() // 1_000_000 if now_ms is None else now_ms
    return max(0, (now - copied_ms) // 1000) + _MARGIN_SECONDS
