"""Changes: what happened since, account by account, in the order of commits. Whoever follows them misses nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from postroom.api import answers, shapes
from postroom.api.auth import Caller, Reader
from postroom.api.problems import Problem, bad, not_found
from postroom.model import AccountId
from postroom.store import changes, feed
from postroom.store.database import TenantTx

router = APIRouter(tags=["changes"])
Position = dict[AccountId, int]
"""How far a listener has come in the feed of each account; 0 where it says nothing."""
MOST_ACCOUNTS = 500
_LONG = 60_000
Since = Annotated[
    str | None,
    Query(
        max_length=_LONG,
        description="The `next` of the last answer, or `now`; without it from the beginning.",
    ),
]


@router.get("/v1/changes", response_model=shapes.Changes)
async def list_changes(
    request: Request,
    caller: Reader,
    since: Since = None,
    account_id: UUID | None = None,
    limit: Annotated[int, Query(ge=20, le=1000)] = 200,
) -> Response:
    """What was created, updated and deleted. 410 where the cursor is not of this feed any more (a store that was restored
    from a backup): list again and go on from `since=now`, asked before the listing."""
    only = account_id and AccountId(account_id)
    async with caller.tx() as tx:
        heads = await visible_heads(tx, only)
        position = position_of(caller, since, heads, only, "since")
        found, position, has_more = await read(tx, position, heads, limit=limit)
    body = {"items": found, "next": sealed(caller, position, only), "has_more": has_more}
    return answers.json(request, body)


async def visible_heads(tx: TenantTx, only: AccountId | None) -> Position:
    """The ends of the feeds that the caller sees. Raises Problem."""
    heads = await changes.heads(tx)
    if only is not None:
        if only not in heads:
            raise not_found("account")
        heads = {only: heads[only]}
    if len(heads) > MOST_ACCOUNTS:
        raise bad(f"There are more than {MOST_ACCOUNTS} accounts: follow each by account_id.", "account_id")
    return heads


def position_of(
    caller: Caller, since: str | None, heads: Position, only: AccountId | None, field: str
) -> Position:
    """Where a cursor stands. Raises Problem: 410 for one that is ahead of its feed."""
    if since is None:
        return {}
    if since == "now":
        return dict(heads)
    pairs: list[Any] = caller.open(_about(only), since, field)
    position = {AccountId(UUID(account)): int(modseq) for account, modseq in pairs}
    if any(modseq > heads[account] for account, modseq in position.items() if account in heads):
        detail = "The feed does not go as far as this cursor: list again, and go on from since=now."
        raise Problem(410, "cursor_gone", detail, field=field)
    return position


def sealed(caller: Caller, position: Mapping[AccountId, int], only: AccountId | None) -> str:
    return caller.seal(_about(only), sorted((account.hex, modseq) for account, modseq in position.items()))


async def read(
    tx: TenantTx, position: Position, heads: Position, *, limit: int
) -> tuple[list[dict[str, Any]], Position, bool]:
    """The next changes, where they end, and whether there are more. A transaction's changes stay together."""
    found: list[tuple[AccountId, changes.Change]] = []
    now = {account: position.get(account, 0) for account in heads}
    for account, head in heads.items():
        room = limit - len(found)
        if now[account] >= head:
            continue
        if room < 20:
            return await feed.told_all(tx, found), now, True
        rows = await changes.since(tx, account, now[account], limit=room)
        if len(rows) == room:
            last = rows[-1].modseq
            rows = [each for each in rows if each.modseq < last]
            found += [(account, each) for each in rows]
            now[account] = last - 1
            return await feed.told_all(tx, found), now, True
        found += [(account, each) for each in rows]
        # A number may have been taken for nothing: then there is no row of it.
        now[account] = max([head, *(each.modseq for each in rows)])
    return await feed.told_all(tx, found), now, False


def _about(only: AccountId | None) -> str:
    return f"changes:{only}"
