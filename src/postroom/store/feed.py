"""Feed: changes as everybody is told of them, by /v1/changes, events and webhooks alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from postroom.ids import time_of
from postroom.model import AccountId
from postroom.store import standing
from postroom.store.changes import Change
from postroom.store.database import TenantTx

Matches = Mapping[UUID, dict[str, Any]]


async def told_all(tx: TenantTx, found: Sequence[tuple[AccountId, Change]]) -> list[dict[str, Any]]:
    """These changes as JSON has them. Of matches those alone whose search the transaction's user has."""
    matches = await matches_in(tx, [change for _, change in found])
    said = []
    for account_id, change in found:
        ids = visible(change, matches)
        if ids:
            said.append(told(account_id, change, ids, matches))
    return said


async def matches_in(tx: TenantTx, found: Sequence[Change]) -> Matches:
    """What the matches in these changes are."""
    return await standing.matches(
        tx, [each for change in found if change.object_type == "match" for each in change.object_ids]
    )


def visible(change: Change, matches: Matches) -> list[UUID]:
    """The ids of a change that are to be told."""
    if change.object_type != "match":
        return list(change.object_ids)
    return [each for each in change.object_ids if each in matches]


def told(account_id: AccountId, change: Change, ids: Sequence[UUID], matches: Matches) -> dict[str, Any]:
    """One change, of some of its ids, as JSON has it."""
    return {
        "account_id": account_id,
        "modseq": change.modseq,
        "kind": change.kind,
        "object_type": change.object_type,
        "ids": ids,
        "at": time_of(change.at),
        "matches": [matches[each] for each in ids] if change.object_type == "match" else [],
    }
