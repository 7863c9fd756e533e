"""Standing searches: what every message is asked in the transaction that stores it, and what matched, each once.

A message matches as it is when it comes in: read or unread, in the folders where it lies then. What becomes of it later
makes no match and takes none away, until it is purged.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import orjson

from postroom.errors import NotFound, QuerySyntaxError
from postroom.ids import new_id, now_ms
from postroom.model import AccountId, MessageId, UserId
from postroom.search.compile import compiled
from postroom.search.query import parse
from postroom.sql import queries
from postroom.store import audit, changes
from postroom.store.database import TenantTx

QUERIES = queries("standing")
log = logging.getLogger("postroom.search")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a standing search is to be. The query must be one that is understood, the time zone one that is known."""

    name: str
    query: str
    timezone: str = "UTC"
    account_id: UUID | None = None


async def create(tx: TenantTx, wanted: Wanted, *, user_id: UserId | None) -> UUID:
    """Ask it of what comes in from now on, to the tenant or to what a user sees; its id."""
    search_id = new_id()
    await tx.run(QUERIES.insert, search_id=search_id, user_id=user_id, at=now_ms(), **_columns(wanted))
    await audit.append(tx, "search.create", "search", search_id, after={"name": wanted.name})
    return search_id


async def all_of(tx: TenantTx) -> list[dict[str, Any]]:
    """The standing searches that the transaction's user sees, the oldest first."""
    return await tx.rows(QUERIES.all_of)


async def get(tx: TenantTx, search_id: UUID) -> dict[str, Any]:
    """Raises NotFound."""
    rows = await tx.rows(QUERIES.get, search_id=search_id)
    if not rows:
        raise _nothing(search_id)
    return rows[0]


async def change(tx: TenantTx, search_id: UUID, wanted: Wanted) -> None:
    """Ask something else from now on; what matched stays. Raises NotFound."""
    if not await tx.run(QUERIES.change, search_id=search_id, at=now_ms(), **_columns(wanted)):
        raise _nothing(search_id)
    await audit.append(tx, "search.change", "search", search_id, after={"name": wanted.name})


async def remove(tx: TenantTx, search_id: UUID) -> None:
    """With what it matched. Raises NotFound."""
    if not await tx.run(QUERIES.remove, search_id=search_id):
        raise _nothing(search_id)
    await audit.append(tx, "search.remove", "search", search_id)


async def ask(tx: TenantTx, account_id: AccountId, modseq: int, message_ids: Sequence[MessageId]) -> int:
    """Ask what came in just now, when all of it is in its place; how many matches there are. The feed tells of them."""
    asked = await tx.rows(QUERIES.asked_of, account_id=account_id)
    standing = [(row["id"], query) for row in asked if (query := _compiled(row)) is not None]
    if not standing:
        return 0
    texts = orjson.dumps([query for _, query in standing]).decode()
    found = await tx.rows(QUERIES.find, queries=texts, message_ids=list(message_ids))
    kept = await _keep(tx, account_id, [(standing[row["place"] - 1][0], row["message_id"]) for row in found])
    await changes.append(tx, account_id, modseq, "created", "match", kept)
    return len(kept)


async def matches(tx: TenantTx, match_ids: Sequence[UUID]) -> dict[UUID, dict[str, Any]]:
    """`search_id` and `message_id` of these matches, as far as they are there for the transaction's user."""
    rows = await tx.rows(QUERIES.matches, match_ids=list(match_ids)) if match_ids else []
    return {row["id"]: row for row in rows}


async def matches_of(tx: TenantTx, search_id: UUID, *, limit: int, before: UUID) -> list[dict[str, Any]]:
    """What a search matched, from the message that came in last on."""
    return await tx.rows(QUERIES.matches_of, search_id=search_id, limit=limit, before_id=before)


async def _keep(tx: TenantTx, account_id: AccountId, found: Sequence[tuple[UUID, MessageId]]) -> list[UUID]:
    if not found:
        return []
    rows = await tx.rows(
        QUERIES.keep,
        account_id=account_id,
        ids=[new_id() for _ in found],
        search_ids=[search_id for search_id, _ in found],
        message_ids=[message_id for _, message_id in found],
        at=now_ms(),
    )
    return [row["id"] for row in rows]


def _compiled(row: dict[str, Any]) -> dict[str, Any] | None:
    """`after:7d` means seven days before the message came in."""
    try:
        return compiled(parse(row["query"], now=datetime.now(UTC), timezone=ZoneInfo(row["timezone"])))
    except (QuerySyntaxError, ValueError, OSError, KeyError) as error:
        log.warning("the standing search %s is not understood any more: %s", row["id"], error)
        return None


def _columns(wanted: Wanted) -> dict[str, Any]:
    return {
        "name": wanted.name,
        "query": wanted.query,
        "timezone": wanted.timezone,
        "account_id": wanted.account_id,
    }


def _nothing(search_id: UUID) -> NotFound:
    return NotFound(what="standing search", name=str(search_id), mend="See them: GET /v1/searches.")
