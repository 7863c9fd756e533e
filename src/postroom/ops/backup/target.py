"""Target: the moment that a restore goes to, and the backups that lead there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from postroom.errors import BackupError
from postroom.ops.backup.manifest import Manifest, chain_of, chosen


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """At most one of them; none: as far as the archive goes."""

    time: datetime | None = None
    point: str | None = None
    backup_id: str | None = None

    @property
    def settings(self) -> dict[str, str]:
        """PostgreSQL's names for it."""
        if self.time:
            return {"recovery_target_time": self.time.astimezone(UTC).isoformat(sep=" ")}
        if self.point:
            return {"recovery_target_name": self.point}
        return {"recovery_target": "immediate"} if self.backup_id else {}

    def __str__(self) -> str:
        if self.time:
            return self.time.isoformat(sep=" ", timespec="seconds")
        if self.point:
            return f"the point {self.point}"
        return f"the end of {self.backup_id}" if self.backup_id else "the end of the archive"


def chain_for(found: Sequence[Manifest], target: Target) -> list[Manifest]:
    """The chain to begin from. Raises NotFound, BackupError."""
    physical = [each for each in found if each.kind != "dump"]
    if not physical:
        raise BackupError(reason="There is no backup to restore from.", mend="Take one: postroom backup.")
    if target.backup_id:
        last = chosen(found, target.backup_id)
        if last.kind == "dump":
            raise BackupError(
                reason=f"{last.id} is a dump.",
                mend=f"Take it out and use pg_restore: postroom backup extract {last.id} DIR.",
            )
        return chain_of(found, last)
    if target.time is None:
        # A named point can lie anywhere: from the oldest backup on it is found wherever it is.
        return chain_of(found, physical[0] if target.point else physical[-1])
    before = [each for each in physical if each.finished <= target.time]
    if not before:
        oldest = physical[0].finished.astimezone(target.time.tzinfo)
        raise BackupError(
            reason=f"The oldest backup, {physical[0].id}, ended at {oldest.isoformat(sep=' ', timespec='seconds')}: "
            f"there is no way to {target}.",
            mend="Name a moment after it.",
        )
    return chain_of(found, before[-1])
