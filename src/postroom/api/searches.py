"""Standing searches: asked of every message when it comes in; what matches is told by changes, events and webhooks."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response

from postroom.api import answers
from postroom.api import shapes_searches as shapes
from postroom.api.auth import Reader, Writer
from postroom.api.messages import Cursor, Limit
from postroom.api.problems import Problem, bad
from postroom.api.search import zone
from postroom.api.shapes import Page
from postroom.errors import QuerySyntaxError
from postroom.model import AccountId, UserId
from postroom.search.query import parse
from postroom.store import accounts, standing
from postroom.store.database import TenantTx
from postroom.store.standing import Wanted

router = APIRouter(tags=["search"])
_MOST = 100
_LAST = UUID(int=2**128 - 1)


@router.get("/v1/searches", response_model=shapes.StandingSearches)
async def list_searches(request: Request, caller: Reader) -> Response:
    """The standing searches of the tenant, the oldest first; with a key of one user, that user's."""
    async with caller.tx() as tx:
        rows = await standing.all_of(tx)
    return answers.json(request, {"items": [_shown(row) for row in rows]})


@router.post("/v1/searches", response_model=shapes.StandingSearch, status_code=201)
async def create_search(request: Request, caller: Writer, body: shapes.NewSearch) -> Response:
    """Ask this of what comes in from now on. For what is there already: GET /v1/search. 409 where there are 100 already."""
    wanted = Wanted(**body.model_dump())
    async with caller.tx() as tx:
        await _check(tx, wanted)
        if len(await standing.all_of(tx)) >= _MOST:
            raise Problem(409, "too_many", f"There are {_MOST} standing searches already: remove one first.")
        search_id = await standing.create(tx, wanted, user_id=caller.user_id and UserId(caller.user_id))
        made = _shown(await standing.get(tx, search_id))
    headers = {"Location": f"/v1/searches/{search_id}"}
    return answers.json(request, made, status=201, headers=headers)


@router.get("/v1/searches/{search_id}", response_model=shapes.StandingSearch)
async def get_search(request: Request, caller: Reader, search_id: UUID) -> Response:
    """One standing search."""
    async with caller.tx() as tx:
        return answers.json(request, _shown(await standing.get(tx, search_id)))


@router.patch("/v1/searches/{search_id}", response_model=shapes.StandingSearch)
async def change_search(
    request: Request, caller: Writer, search_id: UUID, body: shapes.SearchChange
) -> Response:
    """What it is called and asks, from now on. What matched before stays."""
    given = body.model_dump(exclude_unset=True)
    given = {name: value for name, value in given.items() if value is not None or name == "account_id"}
    async with caller.tx() as tx:
        row = await standing.get(tx, search_id)
        if given:
            kept: dict[str, Any] = {name: row[name] for name in ("name", "query", "timezone", "account_id")}
            wanted = replace(Wanted(**kept), **given)
            await _check(tx, wanted)
            await standing.change(tx, search_id, wanted)
        return answers.json(request, _shown(await standing.get(tx, search_id)))


@router.delete("/v1/searches/{search_id}", status_code=204, response_class=Response)
async def remove_search(request: Request, caller: Writer, search_id: UUID) -> Response:
    """With the list of what it matched. The messages stay."""
    async with caller.tx() as tx:
        await standing.remove(tx, search_id)
    return answers.nothing(request)


@router.get("/v1/searches/{search_id}/matches", response_model=Page[shapes.MatchOfSearch])
async def list_matches(
    request: Request, caller: Reader, search_id: UUID, limit: Limit = 50, cursor: Cursor = None
) -> Response:
    """What it matched, what came in last first. Each message once, as it was when it came in."""
    about, before = f"matches:{search_id}", _LAST
    if cursor is not None:
        before = UUID(str(caller.open(about, cursor)[0]))
    async with caller.tx() as tx:
        await standing.get(tx, search_id)
        rows = await standing.matches_of(tx, search_id, limit=limit + 1, before=before)
    more = caller.seal(about, [rows[limit - 1]["message_id"]]) if len(rows) > limit else None
    items = [row | {"matched_at": answers.time_of(row["matched_at"])} for row in rows[:limit]]
    return answers.json(request, {"items": items, "next": more})


async def _check(tx: TenantTx, wanted: Wanted) -> None:
    """Whether the query is understood, and the account there. Raises Problem, NotFound."""
    try:
        parse(wanted.query, now=datetime.now(UTC), timezone=zone(wanted.timezone, "timezone"))
    except QuerySyntaxError as error:
        reason = f"At character {error.fields['position']}: {error.fields['reason']}."
        raise bad(reason, "query", "query_syntax") from error
    if wanted.account_id is not None:
        await accounts.by_id(tx, AccountId(wanted.account_id))


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    return row | {name: answers.time_of(row[name]) for name in ("created_at", "updated_at")}
