"""Feed: changes as everybody is told of them, by /v1/changes, events and webhooks alike."""

from __future__ import annotations

from typing import Any

from postroom.ids import time_of
from postroom.model import AccountId
from postroom.store.changes import Change


def told(account_id: AccountId, change: Change) -> dict[str, Any]:
    """One change as JSON has it."""
    return {
        "account_id": account_id,
        "modseq": change.modseq,
        "kind": change.kind,
        "object_type": change.object_type,
        "ids": change.object_ids,
        "at": time_of(change.at),
    }
