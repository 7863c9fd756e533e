"""Search: words in, ids out, a page at a time."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson

from postroom.errors import UsageError
from postroom.model import AccountId, MessageId, Page
from postroom.sql import queries
from postroom.store.database import TenantTx

QUERIES = queries("search")
MESSAGES = queries("messages")
FACETS = ("folder", "sender", "year")
_MOST = 10_000
"""A page that the database gives is never larger."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """The words of a message, as a tsvector literal."""

    message_id: MessageId
    received_at: int
    size_bytes: int
    words: str
    is_capped: bool


async def insert(tx: TenantTx, account_id: AccountId, entries: Sequence[Entry]) -> None:
    """Make the messages findable, in the transaction that stores them."""
    await tx.run(
        QUERIES.insert_entries,
        account_id=account_id,
        message_ids=[each.message_id for each in entries],
        received_ats=[each.received_at for each in entries],
        sizes=[each.size_bytes for each in entries],
        capped=[each.is_capped for each in entries],
        words=[each.words for each in entries],
    )


async def matches(
    tx: TenantTx,
    query: dict[str, Any],
    *,
    limit: int = 50,
    cursor: str | None = None,
    ranked_by: str | None = None,
) -> Page[dict[str, Any]]:
    """The matches of a compiled query as rows for a list, newest first, or by rank among the newest 1,000.

    Raises UsageError for a cursor that we did not make.
    """
    before_at, before_id = (None, None) if cursor is None else _position(cursor)
    found = await tx.rows(
        QUERIES.matches,
        query=orjson.dumps(query).decode(),
        ranked_by=ranked_by,
        limit=limit + (ranked_by is None),
        before_at=before_at,
        before_id=before_id,
    )
    page = found[:limit]
    rows = await tx.rows(MESSAGES.summaries, message_ids=[row["message_id"] for row in page]) if page else []
    by_id = {row["id"]: row for row in rows}
    more = _cursor(page[-1]) if len(found) > limit else None
    return Page(items=[by_id[row["message_id"]] for row in page if row["message_id"] in by_id], next=more)


async def ids(tx: TenantTx, query: dict[str, Any], *, with_deleted: bool = False) -> list[MessageId]:
    """Every match of a compiled query, newest first; `with_deleted` also what is deleted and not purged yet."""
    asked = orjson.dumps({"with_deleted": query} if with_deleted else query).decode()
    found: list[MessageId] = []
    before: tuple[int | None, UUID | None] = (None, None)
    while True:
        page = await tx.rows(
            QUERIES.matches,
            query=asked,
            ranked_by=None,
            limit=_MOST,
            before_at=before[0],
            before_id=before[1],
        )
        found += [row["message_id"] for row in page]
        if len(page) < _MOST:
            return found
        before = (page[-1]["received_at"], page[-1]["message_id"])


async def facets(
    tx: TenantTx, query: dict[str, Any], wanted: Sequence[str], years: Mapping[int, int]
) -> dict[str, Any]:
    """What is found of a compiled query, counted: by folder, sender and year, of the newest 10,000. `years` are the
    beginnings of the years in their order, in milliseconds; what is older than the first counts as that."""
    rows = await tx.rows(
        QUERIES.facets,
        query=orjson.dumps(query).decode(),
        facets=list(wanted),
        years=list(years.values()),
    )
    counted = next(row["count"] for row in rows if row["facet"] == "total")
    found: dict[str, Any] = {"counted": counted, "is_whole": counted < _MOST, **{each: [] for each in FACETS}}
    numbers = list(years)
    for each in wanted:
        of = [row for row in rows if row["facet"] == each]
        match each:
            case "folder":
                names = ("id", "account_id", "name", "count")
                found[each] = [{name: row[name] for name in names} for row in of]
            case "sender":
                found[each] = [{"address": row["name"], "count": row["count"]} for row in of]
            case _:
                found[each] = [
                    {"year": numbers[max(row["place"], 1) - 1], "count": row["count"]} for row in of
                ]
    return found


async def texts(tx: TenantTx, message_ids: Sequence[MessageId]) -> dict[MessageId, dict[str, Any]]:
    """The `text` of messages by id, or the `html` of one without, for snippets: 200,000 characters of each."""
    rows = await tx.rows(MESSAGES.texts, message_ids=list(message_ids)) if message_ids else []
    return {row["id"]: row for row in rows}


def _cursor(row: dict[str, Any]) -> str:
    position = row["received_at"].to_bytes(8, "big", signed=True) + row["message_id"].bytes
    return base64.urlsafe_b64encode(position).decode()


def _position(cursor: str) -> tuple[int, UUID]:
    try:
        position = base64.b64decode(cursor, altchars=b"-_", validate=True)
        return int.from_bytes(position[:8], "big", signed=True), UUID(bytes=position[8:])
    except (binascii.Error, ValueError) as error:
        raise UsageError(
            reason="That is not a cursor of this search. Use the 'next' of its last page."
        ) from error
