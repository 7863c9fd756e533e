"""Audit: who did what, in the transaction that did it. Never the text of a mail."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import orjson

from postroom.ids import new_id, now_ms
from postroom.sql import queries
from postroom.store.database import TenantTx

QUERIES = queries("audit")


async def append(
    tx: TenantTx,
    action: str,
    object_type: str,
    object_id: UUID | None = None,
    *,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
) -> None:
    """`append(tx, "account.connect", "account", account_id, after={"hostname": …})`"""
    await tx.run(
        QUERIES.append,
        id=new_id(),
        at=now_ms(),
        action=action,
        object_type=object_type,
        object_id=object_id,
        before=_json(before),
        after=_json(after),
    )


def _json(value: dict[str, Any] | None) -> str | None:
    return None if value is None else orjson.dumps(value).decode()
