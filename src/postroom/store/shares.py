"""Shares: who may see an account of somebody else, and who may write in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from postroom.ids import now_ms
from postroom.model import AccountId, UserId
from postroom.sql import queries
from postroom.store.database import TenantTx

QUERIES = queries("shares")
Access = Literal["read", "write", "owner"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    user_id: UserId
    access: Access
    created_at: int
    updated_at: int


async def put(tx: TenantTx, account_id: AccountId, user_id: UserId, access: Access) -> bool:
    """Share an account, or change what was shared. False for its owner, who has it already."""
    values: dict[str, Any] = {"account_id": account_id, "user_id": user_id, "access": access}
    return bool(await tx.rows(QUERIES.put, at=now_ms(), **values))


async def remove(tx: TenantTx, account_id: AccountId, user_id: UserId) -> bool:
    """Share it no longer. False when it was not shared; an owner stays one."""
    return bool(await tx.rows(QUERIES.remove, account_id=account_id, user_id=user_id))


async def of_account(tx: TenantTx, account_id: AccountId) -> list[Share]:
    """The owner first, then everybody that it is shared with. A user who is not the owner sees the own share only."""
    return [Share(**row) for row in await tx.rows(QUERIES.of_account, account_id=account_id)]


async def access_of(tx: TenantTx, account_id: AccountId, user_id: UserId) -> Access | None:
    """What a user may do in an account; None for nothing."""
    rows = await tx.rows(QUERIES.access, account_id=account_id, user_id=user_id)
    return rows[0]["access"] if rows else None
