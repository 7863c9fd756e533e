"""What a test needs from the machine: it is skipped where that is missing, and fails under CI."""

from __future__ import annotations

import os

import pytest


def require(present: bool, reason: str) -> None:
    """Skip the test, or fail it when the environment variable CI is set."""
    if present:
        return
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)
