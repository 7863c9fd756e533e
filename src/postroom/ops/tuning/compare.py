"""What the server has now beside what a profile proposes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from postroom import sql
from postroom.ops.doctor.patient import Row
from postroom.ops.tuning.profiles import HELD_BY_STANDBYS, Proposal

QUERIES = sql.queries("tune")

_UNITS = {"B": 1, "kB": 1024, "MB": 1024**2, "GB": 1024**3, "TB": 1024**4}
_TIMES = {"us": 0.001, "ms": 1, "s": 1000, "min": 60000, "h": 3600000, "d": 86400000}


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One line of the table."""

    name: str
    now: str
    proposed: str
    why: str
    needs_restart: bool
    differs: bool


def compare(proposals: Sequence[Proposal], now: Sequence[Row], *, has_standbys: bool) -> Iterator[Change]:
    """A line for each proposal that this version of the server knows."""
    known = {row["name"]: row for row in now}
    for each in proposals:
        row = known.get(each.name)
        if row is None:
            continue
        proposed, why = each.value, each.why
        if has_standbys and each.name in HELD_BY_STANDBYS:
            proposed, why = (
                row["now"],
                "stays: standbys must have as many; change them first, then this server by hand",
            )
        elif _may_stay(each, row["now"]):
            proposed = row["now"]
        yield Change(
            name=each.name,
            now=row["now"],
            proposed=proposed,
            why=why,
            needs_restart=row["context"] == "postmaster",
            differs=amount(proposed) != amount(row["now"]),
        )


def _may_stay(proposal: Proposal, now: str) -> bool:
    found = amount(now)
    return (
        proposal.also_fine is not None
        and isinstance(found, float)
        and proposal.also_fine[0] <= found <= proposal.also_fine[1]
    )


def amount(text: str) -> float | str:
    """A value that can be compared, whatever unit it was written in: bytes, milliseconds, or the number itself."""
    match = re.fullmatch(r"(-?\d+(?:\.\d+)?)\s*([A-Za-z]*)", text.strip())
    if not match or (match[2] and match[2] not in _UNITS | _TIMES):
        return text.strip().lower()
    return float(match[1]) * (_UNITS | _TIMES).get(match[2], 1)
