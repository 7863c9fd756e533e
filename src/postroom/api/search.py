"""Search: the query language of the command line, over HTTP."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from html import escape
from typing import Annotated, Any
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query, Request, Response

from postroom.api import answers, shapes
from postroom.api.auth import Reader
from postroom.api.messages import SUMMARY, Cursor, Fields, Limit, summary
from postroom.api.problems import bad
from postroom.mime.bodies import html_to_text
from postroom.search.compile import compiled, in_text, ranked_by
from postroom.search.highlight import snippet
from postroom.search.query import parse
from postroom.store import search

router = APIRouter(tags=["search"])
_ALL_YEARS = range(1970, 2100)


@router.get("/v1/search", response_model=shapes.FoundPage)
async def search_messages(
    request: Request,
    caller: Reader,
    q: Annotated[
        str, Query(max_length=2000, description="As `postroom search`.", examples=["from:ann invoice"])
    ] = "",
    account_id: UUID | None = None,
    ranked: Annotated[bool, Query(description="Best first, of the newest 1,000; has no next page.")] = False,
    tz: Annotated[
        str, Query(max_length=60, description="The time zone of days in `q`.", examples=["Europe/Berlin"])
    ] = "UTC",
    facets: Annotated[
        str | None,
        Query(
            max_length=100,
            description="What is to be counted of all that is found: `folder,sender,year`.",
            examples=["folder,year"],
        ),
    ] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
    fields: Fields = None,
) -> Response:
    """What a search finds, newest first, each with the piece of its text that shows why; counted by folder, sender and year
    where that is asked for."""
    names = answers.chosen(fields, [*SUMMARY, "snippet"])
    counted = _facets(facets)
    tree = parse(q, now=datetime.now(UTC), timezone=zone(tz, "tz"))
    query = compiled(tree)
    if account_id is not None:
        # Flat, so that the words stay where the index answers for them.
        parts = query.get("and", [query])
        query = {"and": [*parts, {"account": str(account_id)}]}
    about = f"search:{account_id}:{ranked}:{q}"
    inner = str(caller.open(about, cursor)[0]) if cursor is not None else None
    async with caller.tx() as tx:
        rank = ranked_by(tree) if ranked else None
        page = await search.matches(tx, query, limit=limit, cursor=inner, ranked_by=rank)
        wants = names is None or "snippet" in names
        texts = await search.texts(tx, [row["id"] for row in page.items]) if wants else {}
        found = await search.facets(tx, query, counted, _years(zone(tz, "tz"))) if counted else None
    items = []
    for row in page.items:
        item = summary(row, names)
        if wants:
            item["snippet"] = _snippet(row, texts.get(row["id"]), tree)
        items.append(item)
    following = page.next and caller.seal(about, [page.next])
    return answers.json(request, {"items": items, "next": following, "facets": found})


def _facets(text: str | None) -> list[str]:
    names = [each.strip() for each in (text or "").split(",") if each.strip()]
    if unknown := [each for each in names if each not in search.FACETS]:
        reason = f"There is no facet {unknown[0]!r}; there are {', '.join(search.FACETS)}."
        raise bad(reason, "facets")
    return names


def _years(timezone: tzinfo) -> dict[int, int]:
    """When each year begins there, in milliseconds."""
    return {year: int(datetime(year, 1, 1, tzinfo=timezone).timestamp() * 1000) for year in _ALL_YEARS}


def _snippet(row: dict[str, Any], found: dict[str, Any] | None, tree: Any) -> str:
    text = row["preview"]
    if found is not None:
        text = found["text"] or (html_to_text(found["html"]) if found["html"] else text)
    cut = snippet(text, in_text(tree))
    return escape(cut).replace("\x02", "<mark>").replace("\x03", "</mark>")


def zone(name: str, field: str) -> tzinfo:
    """A time zone by its name. Raises Problem."""
    try:
        return UTC if name == "UTC" else ZoneInfo(name)
    except (ValueError, OSError, KeyError) as error:
        raise bad(f"There is no time zone {name!r}; write it as Europe/Berlin.", field) from error
