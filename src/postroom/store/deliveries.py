"""Deliveries: what webhooks are to be told, made of the feed, each under an id that stays."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal
from uuid import UUID, uuid5

import orjson

from postroom.ids import new_id, now_ms, time_of
from postroom.model import AccountId
from postroom.sql import queries
from postroom.store import changes, feed, webhooks
from postroom.store.changes import Change
from postroom.store.database import TenantTx
from postroom.store.webhooks import TEST, Held, WebhookId

QUERIES = queries("deliveries")
State = Literal["pending", "dead"]
MOST_WAITING: Final = 1000
"""More is not taken from the feed: it waits there."""
_MOST_IDS: Final = 1000
_ACCOUNTS: Final = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One call that is due."""

    id: UUID
    account_id: AccountId | None
    event: str
    body: str
    attempts: int
    created_at: int

    @property
    def is_test(self) -> bool:
        return self.event == TEST


async def take(tx: TenantTx, held: Held) -> tuple[int, bool]:
    """Make deliveries of what the feeds say that the webhook has not heard; how many, and whether there is more.

    In one transaction with the cursors: nothing is left out, and nothing is made twice.
    """
    room = MOST_WAITING - (await waiting(tx, held.id))[0]
    if room <= 0:
        return 0, False
    made = 0
    accounts = await webhooks.behind(tx, held, limit=_ACCOUNTS)
    for account_id, modseq, head in accounts:
        if room <= made:
            return made, True
        limit = max(20, room - made)
        rows = await changes.since(tx, account_id, modseq, limit=limit)
        end = max([head, *(each.modseq for each in rows)])
        if len(rows) == limit:
            # A transaction's changes stay together: the last one may go on.
            end = rows[-1].modseq - 1
            rows = [each for each in rows if each.modseq <= end]
        made += await _put(tx, held, account_id, rows)
        await webhooks.move_cursor(tx, held.id, account_id, end)
    return made, bool(accounts)


async def _put(tx: TenantTx, held: Held, account_id: AccountId, rows: Sequence[Change]) -> int:
    found: list[tuple[UUID, str, str]] = []
    matches = await feed.matches_in(tx, rows)
    for change in rows:
        event = f"{change.object_type}.{change.kind}"
        if held.events and event not in held.events:
            continue
        ids = await _meant(tx, held, change, matches)
        for part, some in enumerate(_parts(ids)):
            item = feed.told(account_id, change, some, matches)
            id_ = uuid5(held.id, f"{account_id}/{change.modseq}/{event}/{part}")
            found.append((id_, event, _body(event, change.at, item)))
    await _insert(tx, held.id, [(id_, account_id, event, body) for id_, event, body in found])
    return len(found)


async def _meant(tx: TenantTx, held: Held, change: Change, matches: feed.Matches) -> list[UUID]:
    """Of what changed that which the webhook wants to hear of."""
    ids = feed.visible(change, matches)
    if held.search_id is not None:
        is_match = change.object_type == "match"
        ids = [each for each in ids if is_match and matches[each]["search_id"] == held.search_id]
    if held.folder_id is None:
        return ids
    if change.object_type == "message":
        those = await webhooks.lie_in(tx, held.folder_id, ids)
        return [each for each in ids if each in those]
    if change.object_type == "match":
        messages = [matches[each]["message_id"] for each in ids]
        those = await webhooks.lie_in(tx, held.folder_id, messages)
        return [each for each in ids if matches[each]["message_id"] in those]
    return [each for each in ids if change.object_type == "folder" and each == held.folder_id]


async def put_test(tx: TenantTx, webhook_id: UUID) -> UUID:
    """A call that says nothing, to see whether it arrives; its id."""
    id_ = new_id()
    body = _body(TEST, now_ms(), {"webhook_id": webhook_id})
    await _insert(tx, webhook_id, [(id_, None, TEST, body)])
    await webhooks.hasten(tx, webhook_id)
    return id_


async def due(tx: TenantTx, webhook_id: WebhookId, *, limit: int) -> list[Delivery]:
    """What is to be told now, in the order of the feed."""
    rows = await tx.rows(QUERIES.due, webhook_id=webhook_id, at=now_ms(), limit=limit)
    return [Delivery(**row) for row in rows]


async def waiting(tx: TenantTx, webhook_id: UUID) -> tuple[int, int | None]:
    """How much waits, and when the first of it is due."""
    row = (await tx.rows(QUERIES.waiting, webhook_id=webhook_id))[0]
    return row["waiting"], row["not_before"]


async def arrived(tx: TenantTx, webhook_id: WebhookId, delivery_id: UUID) -> None:
    await tx.run(QUERIES.arrived, webhook_id=webhook_id, delivery_id=delivery_id)


async def failed(
    tx: TenantTx, webhook_id: WebhookId, delivery_id: UUID, *, state: State, not_before: int, error: str
) -> None:
    """It is tried again then, or given up."""
    await tx.run(
        QUERIES.failed,
        webhook_id=webhook_id,
        delivery_id=delivery_id,
        state=state,
        not_before=not_before,
        error=error,
    )


async def list_of(
    tx: TenantTx, webhook_id: UUID, state: State, *, limit: int, after: int = -1
) -> list[dict[str, Any]]:
    """A page of what waits, or was given up, in its order."""
    return await tx.rows(
        QUERIES.list_of, webhook_id=webhook_id, state=state, limit=limit, after_position=after
    )


async def counts(tx: TenantTx, webhook_ids: Sequence[UUID]) -> dict[UUID, tuple[int, int]]:
    """How much waits and how much was given up, of each webhook that has any."""
    rows = await tx.rows(QUERIES.counts, webhook_ids=list(webhook_ids))
    return {row["webhook_id"]: (row["pending"], row["dead"]) for row in rows}


async def renew(tx: TenantTx, webhook_id: UUID, *states: State) -> int:
    """Try these anew from now on; how many."""
    count = await tx.run(QUERIES.renew, webhook_id=webhook_id, states=list(states), at=now_ms())
    await webhooks.hasten(tx, webhook_id)
    return count


async def expire(tx: TenantTx, webhook_id: WebhookId, *, before: int) -> None:
    """Forget what was given up before then."""
    await tx.run(QUERIES.expire, webhook_id=webhook_id, before=before)


async def _insert(
    tx: TenantTx, webhook_id: UUID, found: Sequence[tuple[UUID, AccountId | None, str, str]]
) -> None:
    if not found:
        return
    now, begin = now_ms(), time.time_ns()
    await tx.run(
        QUERIES.insert,
        webhook_id=webhook_id,
        ids=[each[0] for each in found],
        positions=[begin + place for place, _ in enumerate(found)],
        account_ids=[each[1] for each in found],
        events=[each[2] for each in found],
        bodies=[each[3] for each in found],
        at=now,
    )


def _parts(ids: Sequence[UUID]) -> Iterator[list[UUID]]:
    for begin in range(0, len(ids), _MOST_IDS):
        yield list(ids[begin : begin + _MOST_IDS])


def _body(event: str, at: int, data: dict[str, Any]) -> str:
    return orjson.dumps({"type": event, "timestamp": time_of(at), "data": data}, default=str).decode()
