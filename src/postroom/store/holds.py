"""Holds: mail that nobody may remove: of a whole tenant, of an account, or found by a search."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from postroom.errors import NotFound, TenantErasing, UsageError
from postroom.ids import new_id, now_ms
from postroom.model import AccountId, MessageId
from postroom.sql import queries
from postroom.store import audit, tenants
from postroom.store.database import TenantTx
from postroom.store.system import refuse_bad_name

QUERIES = queries("holds")
Scope = Literal["tenant", "account", "messages"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """One that is not released."""

    id: UUID
    name: str
    scope: Scope
    account_id: AccountId | None
    email_address: str | None
    query: str | None
    """The search whose result is held, as it was typed."""
    reason: str | None
    created_at: int
    messages: int
    """Those that a search found; 0 where the scope says it all."""


async def holds_of(tx: TenantTx) -> list[Hold]:
    """Every hold on mail of the tenant, the oldest first. While there is one, the tenant may not be erased."""
    return [Hold(**row) for row in await tx.rows(QUERIES.open)]


async def held_wholly(tx: TenantTx) -> set[AccountId | None]:
    """The accounts that are held with all their mail; None among them: the tenant is."""
    return {row["account_id"] for row in await tx.rows(QUERIES.held_wholly)}


async def held_of(tx: TenantTx, message_ids: Sequence[MessageId]) -> set[MessageId]:
    """Those of the messages that are held one by one."""
    rows = await tx.rows(QUERIES.held_of, message_ids=list(message_ids))
    return {MessageId(row["message_id"]) for row in rows}


async def alone(tx: TenantTx) -> None:
    """Until the transaction ends nobody else makes a hold on the tenant's mail, and no erasure of it begins."""
    await tx.rows(QUERIES.alone)


async def add(
    tx: TenantTx,
    name: str,
    *,
    account_id: AccountId | None = None,
    query: str | None = None,
    message_ids: Sequence[MessageId] | None = None,
    reason: str | None = None,
) -> int:
    """Hold an account, or messages, or without either the whole tenant. How many messages it names.

    Whatever removes mail waits until it is held, or it has been removed before. Raises UsageError for a name that is
    taken, TenantErasing.
    """
    refuse_bad_name(name, "a hold's name")
    await alone(tx)
    await tx.rows(queries("accounts").hold_all)
    tenant = await tenants.mine(tx)
    if tenant.erasing_at:
        raise TenantErasing(name=tenant.name)
    hold_id = new_id()
    scope: Scope = "account" if account_id else "messages" if message_ids is not None else "tenant"
    made = await tx.rows(
        QUERIES.add,
        id=hold_id,
        name=name,
        scope=scope,
        account_id=account_id,
        query=query,
        reason=reason,
        at=now_ms(),
    )
    if not made:
        raise UsageError(reason=f"There is a hold named {name!r} already. Choose another name.")
    count = 0
    if message_ids:
        count = await tx.run(QUERIES.hold_messages, hold_id=hold_id, message_ids=list(message_ids))
    about = {"name": name, "scope": scope, "account_id": account_id, "reason": reason}
    await audit.append(tx, "hold.add", "hold", hold_id, after=about | {"messages": count})
    return count


async def release(tx: TenantTx, name: str) -> None:
    """Let go of what is held. Raises NotFound."""
    found = await tx.rows(QUERIES.named, name=name)
    if not found:
        raise NotFound(what="open hold", name=name, mend="See them: postroom hold list.")
    hold_id = found[0]["id"]
    await tx.run(QUERIES.release, hold_id=hold_id, at=now_ms())
    messages = await tx.run(QUERIES.release_messages, hold_id=hold_id)
    await audit.append(tx, "hold.release", "hold", hold_id, before={"name": name, "messages": messages})
