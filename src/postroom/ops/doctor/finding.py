"""What a check gives: findings, or the reason why it cannot be made."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from postroom.ops.doctor.patient import Patient


class Severity(IntEnum):
    """How bad it is."""

    NOTE = 1
    """Worth knowing; nothing is in danger."""
    WARNING = 2
    """It will hurt one day."""
    FAULT = 3
    """Mail is in danger, or open to others, now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is wrong."""

    severity: Severity
    what: str
    """What is wrong, and with what: a sentence without its full stop."""
    why: str
    mend: str
    """A line for the shell; comments in it say what no command can do."""


class NotPossibleError(Exception):
    """A check that this user, or this machine, cannot make; the words say what is missing."""


@dataclass(frozen=True, slots=True)
class Check:
    """One question to the server."""

    name: str
    find: Callable[[Patient], Iterator[Finding]]
