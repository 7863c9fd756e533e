"""Rotation: a new master key takes over while everything goes on; a run that is killed is gone on with."""

from __future__ import annotations

from dataclasses import dataclass

from postroom.errors import UsageError
from postroom.ops import master_key
from postroom.ops.key_files import new_key, write_keys
from postroom.settings import Settings
from postroom.store import audit, credentials, system
from postroom.store.database import Database

_AT_ONCE = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """The master keys, the current one first, and how many credentials each has sealed."""

    source: str
    key_ids: list[str]
    sealed: dict[str, int]

    @property
    def waiting(self) -> int:
        """Credentials that the current key has not sealed."""
        return sum(count for key_id, count in self.sealed.items() if key_id != self.key_ids[0])

    @property
    def missing(self) -> list[str]:
        """Keys that sealed something and are not there."""
        return sorted(self.sealed.keys() - set(self.key_ids))


async def status(db: Database, settings: Settings) -> Keys:
    """What the keys are, over all tenants."""
    found = master_key.master_key(settings)
    sealed: dict[str, int] = {}
    for tenant in await _tenants(db):
        async with db.tenant(tenant.id) as tx:
            for key_id, count in (await credentials.count_by_key(tx)).items():
                sealed[key_id] = sealed.get(key_id, 0) + count
    return Keys(source=master_key.source_of(settings), key_ids=found.key_ids, sealed=sealed)


async def rotate(db: Database, settings: Settings) -> int:
    """Seal everything with the current key, after making a new one where nothing waits; how many were sealed anew.

    The old key stays behind the new one: programs that run have it still, and learn of the new one as they meet it.
    """
    before = await status(db, settings)
    own = master_key.own_file(settings)
    if before.waiting == 0:
        if own is None:
            reason = (
                f"Everything is sealed with the current key, {before.key_ids[0]}, and {before.source} is yours to change. "
                "Put a new key (postroom keys new) before the old one, parted by a space or a line, and rotate again."
            )
            raise UsageError(reason=reason)
        write_keys(own, [new_key(), *master_key.read(settings)], master_key.WHAT)
    master = master_key.master_key(settings)
    total = 0
    for tenant in await _tenants(db):
        while True:
            async with db.tenant(tenant.id) as tx:
                count = await credentials.rewrap(tx, master, limit=_AT_ONCE)
                if count:
                    after = {"key_id": master.key_id, "credentials": count}
                    await audit.append(tx, "keys.rotate", "tenant", tenant.id, after=after)
            total += count
            if count < _AT_ONCE:
                break
    return total


async def forget(db: Database, settings: Settings) -> list[str]:
    """Drop the old keys from our own file; which. Raises UsageError while one of them is needed."""
    found = await status(db, settings)
    own = master_key.own_file(settings)
    if own is None:
        reason = f"{found.source} is yours to change: remove what stands behind the first key."
        raise UsageError(reason=reason)
    if found.waiting:
        reason = f"Credentials still sealed with an older key: {found.waiting}. First: postroom keys rotate."
        raise UsageError(reason=reason)
    write_keys(own, master_key.read(settings)[:1], master_key.WHAT)
    return found.key_ids[1:]


async def _tenants(db: Database) -> list[system.Tenant]:
    async with db.system() as tx:
        return await system.tenants(tx)
