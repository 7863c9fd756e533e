"""Recognise: which messages that a server shows are here already, told without their bodies."""

from __future__ import annotations

from collections.abc import Mapping

from postroom.mime.parse import parse
from postroom.model import Account, MessageId, Sighting
from postroom.store import messages, placements
from postroom.store.database import TenantTx

_AT_ONCE = 2000


async def recognise(
    tx: TenantTx, account: Account, sightings: Mapping[int, Sighting]
) -> dict[int, MessageId]:
    """UID to message: by the server's own id for it, else by Message-ID, Date, size and internal date together.

    The size must agree either way. What is not sure is fetched, and known by the hash of its bytes then.
    """
    found: dict[int, MessageId] = {}
    seen = list(sightings.values())
    for start in range(0, len(seen), _AT_ONCE):
        several = seen[start : start + _AT_ONCE]
        found |= await _by_id(tx, account, several)
        found |= await _by_header(tx, account, [each for each in several if each.uid not in found])
    return found


async def _by_id(tx: TenantTx, account: Account, seen: list[Sighting]) -> dict[int, MessageId]:
    wanted = {each.object_id for each in seen if each.object_id is not None}
    if not wanted:
        return {}
    known = await placements.by_object(tx, account.id, wanted)
    found: dict[int, MessageId] = {}
    for each in seen:
        message_id, size = known.get(each.object_id or "", (None, None))
        if message_id is not None and size == each.size_bytes:
            found[each.uid] = message_id
    return found


async def _by_header(tx: TenantTx, account: Account, seen: list[Sighting]) -> dict[int, MessageId]:
    fingerprints = {each.uid: print_ for each in seen if (print_ := _fingerprint(each)) is not None}
    if not fingerprints:
        return {}
    rows = await messages.look_alikes(tx, account.id, {print_[0] for print_ in fingerprints.values()})
    known = {
        (row["message_id"], row["date_header"], row["size_bytes"], row["internal_date"]): MessageId(row["id"])
        for row in rows
    }
    return {uid: known[print_] for uid, print_ in fingerprints.items() if print_ in known}


def _fingerprint(seen: Sighting) -> tuple[str, str | None, int, int] | None:
    if seen.header is None or seen.size_bytes is None or seen.internal_date is None:
        return None
    parsed = parse(seen.header)
    if parsed.message_id is None:
        return None
    arrived = int(seen.internal_date.timestamp() * 1000)
    return parsed.message_id, parsed.date_header, seen.size_bytes, arrived
