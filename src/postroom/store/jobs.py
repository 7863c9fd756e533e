"""Sync jobs: who may sync an account now, until when, and when it is due again.

A lease ends by itself, so that a dead process holds nothing. Each claim raises the account's token; `hold` tells in a
transaction whether ours is still the newest, and keeps it so until the commit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from postroom.errors import LeaseLost
from postroom.model import AccountId, TenantId
from postroom.sql import queries
from postroom.store.database import TenantTx

QUERIES = queries("jobs")
Trouble = Literal["refused", "throttled", "unreachable", "server", "store", "unexpected"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """The right of one process to sync one account."""

    tenant_id: TenantId
    account_id: AccountId
    worker_id: UUID
    token: int
    is_woken: bool = False
    """There was news of it, or somebody asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Advance:
    """How far a sync has come since it began."""

    done: int = 0
    expected: int | None = None
    left_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobState:
    """What `status` says of an account."""

    account_id: AccountId
    due_in_ms: int | None
    is_running: bool
    is_watched: bool
    failures: int
    trouble: Trouble | None
    done: int
    expected: int | None
    left_ms: int | None


async def acquire(tx: TenantTx, account_id: AccountId, worker_id: UUID, *, lease_ms: int) -> Lease | None:
    """The account for this process, or None while another has it."""
    rows = await tx.rows(QUERIES.acquire, account_id=account_id, worker_id=worker_id, lease_ms=lease_ms)
    if not rows:
        return None
    return Lease(
        tenant_id=tx.tenant_id,
        account_id=account_id,
        worker_id=worker_id,
        token=rows[0]["token"],
        is_woken=True,
    )


async def hold(tx: TenantTx, lease: Lease) -> None:
    """The last statement of every transaction that writes for the account. Raises LeaseLost."""
    if not await tx.rows(QUERIES.hold, **_of(lease)):
        raise LeaseLost(account=str(lease.account_id))


async def extend(tx: TenantTx, lease: Lease, *, lease_ms: int, advance: Advance) -> bool:
    """A sign of life; False where another process has the account by now."""
    touched = await tx.run(
        QUERIES.extend,
        lease_ms=lease_ms,
        done=advance.done,
        expected=advance.expected,
        left_ms=advance.left_ms,
        **_of(lease),
    )
    return bool(touched)


async def release(
    tx: TenantTx, lease: Lease, *, due_in_ms: int, failures: int = 0, trouble: Trouble | None = None
) -> None:
    """The account is free for all. Nothing happens where it is another's."""
    await tx.run(QUERIES.release, due_in_ms=due_in_ms, failures=failures, trouble=trouble, **_of(lease))


async def failures(tx: TenantTx, account_id: AccountId) -> int:
    """How often in a row its sync has failed."""
    rows = await tx.rows(QUERIES.failures, account_id=account_id)
    return rows[0]["failures"] if rows else 0


async def wake(tx: TenantTx, account_id: AccountId) -> bool:
    """There is news: the account comes before all others of its tenant. False where it is not to be synced at all."""
    return bool(await tx.run(QUERIES.wake, account_id=account_id))


async def hasten(tx: TenantTx, account_id: AccountId, *, due_in_ms: int) -> None:
    """To be looked at soon: nobody waits for its news any more."""
    await tx.run(QUERIES.hasten, account_id=account_id, due_in_ms=due_in_ms)


async def watch(tx: TenantTx, account_id: AccountId, worker_id: UUID) -> bool:
    """This worker waits for news of the account from now on; False where another does."""
    return bool(await tx.run(QUERIES.watch, account_id=account_id, worker_id=worker_id))


async def unwatch(tx: TenantTx, account_ids: Sequence[AccountId], worker_id: UUID) -> None:
    """This worker no longer waits for news of these."""
    await tx.run(QUERIES.unwatch, account_ids=list(account_ids), worker_id=worker_id)


async def unwanted(tx: TenantTx, account_ids: Sequence[AccountId]) -> set[AccountId]:
    """Of these accounts those that are no more to be synced: disabled, or deleted."""
    rows = await tx.rows(QUERIES.unwanted, account_ids=list(account_ids))
    return {AccountId(row["account_id"]) for row in rows}


async def sends_next(tx: TenantTx, account_id: AccountId, *, lost_after_ms: int, look_again_at: int) -> None:
    """What is to be sent has been looked through: say when there is something to do again."""
    await tx.rows(QUERIES.hold_sends, account_id=account_id)
    await tx.run(
        QUERIES.sends_next, account_id=account_id, lost_after_ms=lost_after_ms, look_again_at=look_again_at
    )


async def of_tenant(tx: TenantTx) -> dict[AccountId, JobState]:
    """Every account of the tenant."""
    rows = await tx.rows(QUERIES.of_tenant)
    return {AccountId(row["account_id"]): JobState(**row) for row in rows}


def _of(lease: Lease) -> dict[str, object]:
    return {"account_id": lease.account_id, "worker_id": lease.worker_id, "token": lease.token}
