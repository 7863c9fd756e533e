"""Report files: what was signed, as a file of JSON that people can read, and read back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from postroom.errors import SignatureRefused, UsageError


def as_time(milliseconds: int) -> str:
    """A moment as reports write it: ISO 8601, UTC."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="milliseconds")


def as_text(report: Mapping[str, Any]) -> str:
    return orjson.dumps(report, option=orjson.OPT_INDENT_2).decode() + "\n"


def read_report(path: Path) -> dict[str, Any]:
    """Raises UsageError for a file that cannot be read, SignatureRefused for one that is no report."""
    try:
        found = orjson.loads(path.read_bytes())
    except OSError as error:
        raise UsageError(reason=f"The report {path} cannot be read: {error.strerror}.") from error
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        raise SignatureRefused(reason=f"{path} is no report")
    return found
