"""A value for every parameter of every query, as a caller would ask about one message of the crowd."""

from __future__ import annotations

import re
from datetime import date
from typing import Any
from uuid import UUID

from postroom.model import Query

_MIDDLE = 1_650_000_000_000
_VALUES: dict[str, Any] = {
    "address": "p2993@company53.example",
    "attachment_id": UUID(int=7),
    "after": UUID(int=0),
    "after_at": 0,
    "after_id": UUID(int=0),
    "after_sha256": b"\xf0",
    "after_place": 100,
    "addresses": ["p1@example.com"],
    "after_uid": 0,
    "after_position": -1,
    "at": 1_700_000_000_000,
    "attempts": 1,
    "before": _MIDDLE + 100_000_000,
    "before_at": _MIDDLE,
    "begun_at": 1_700_000_000_000,
    "before_id": UUID(int=2**128 - 1),
    "content_hash": "0" * 64,
    "delivery_id": UUID(int=7),
    "domain": "company53.example",
    "hold_id": UUID(int=0),
    "kind": "erase",
    "intent_id": UUID(int=12),
    "old_uid": 12,
    "old_uidvalidity": 1,
    "idempotency_key": "key-12",
    "is_deleted": False,
    "is_hidden": True,
    "is_only": False,
    "kept": None,
    "key_id": "k",
    "limit": 50,
    "list_id": "list-5",
    "look_again_at": 1_700_000_000_000,
    "modseq": 100,
    "month": date(2022, 4, 1),
    "name": "Folder 0",
    "object_type": "account",
    "origin": "20",
    "piece": 1,
    "role": "from",
    "since": _MIDDLE,
    "state": "dead",
    "storage_path": "parts/5",
    "token": 1,
    "type": "inbox",
    "version": 1,
    "uid": 12,
    "uidvalidity": 1,
    "worker_id": UUID(int=7),
}
_OF_ONE_QUERY: dict[str, dict[str, Any]] = {
    "api_keys.revoke": {"key_id": UUID(int=7)},
    "api_keys.expire": {"key_id": UUID(int=7)},
    "messages.by_message_id": {"message_id": "12@example.com"},
    "drafts.lies": {"message_id": "12@example.com"},
    "holds.named": {"name": "hold-12"},
    "messages.count_purgeable": {"before": 1_600_100_000_000},
    "sends.by_message_id": {"message_ids": ["12@example.com"]},
    "messages.purgeable": {"before": 1_600_100_000_000},
    "messages.deleted": {"since": 1_699_900_000_000},
    "tenants.rename": {"name": "crowd-none"},
    "tenants.suspend": {"suspended_at": 1},
}
_PARAMETER = re.compile(r"%\((\w+)\)[sb](::\w+\[\])?")
_CONDITION = re.compile(r"^ *(?:where|and|limit) .*$", re.MULTILINE)


def examples(query: Query, message: dict[str, Any]) -> dict[str, Any]:
    """Values for one query about one message of the crowd. Raises KeyError for one that is missing here."""
    more = dict.fromkeys(("lowest", "highest", "link"), message["message_id"])
    known = _VALUES | message | more
    known |= {f"{name}s": [value] for name, value in known.items()} | {"hashes": [message["hash"]]}
    known |= _OF_ONE_QUERY.get(query.name, {})
    asked = {name for line in _CONDITION.findall(query.text) for name, _ in _PARAMETER.findall(line)}
    if unknown := asked - set(known):
        raise KeyError(f"{query.name} asks for {unknown}: give an example")
    # What is only stored does not matter to the plan.
    stored = {name: [None] if array else None for name, array in _PARAMETER.findall(query.text)}
    return stored | {name: known[name] for name in asked}
