"""Answers: rows as JSON, with times as RFC 3339, an ETag, and only the fields that were asked for."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from typing import Any

import orjson
from fastapi import Request, Response

from postroom.api.problems import Problem, bad
from postroom.ids import time_of as time_of

IF_MATCH: dict[str, Any] = {
    "parameters": [
        {
            "name": "If-Match",
            "in": "header",
            "required": False,
            "description": "The ETag of what the caller looked at: 412 where it is another by now.",
            "schema": {"type": "string", "maxLength": 1000},
        }
    ]
}
"""For the document, of an operation that asks `must_match`."""


def json(
    request: Request,
    body: Any,
    *,
    status: int = 200,
    etag: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """The answer, or 304 where the caller has it already. Without `etag` it is made of the bytes."""
    data = orjson.dumps(body, default=str)
    sent = {"Cache-Control": "private, no-cache", **getattr(request.state, "limits", {}), **(headers or {})}
    if request.method == "GET" and status == 200:
        tag = etag or f'"{hashlib.blake2b(data, digest_size=9).hexdigest()}"'
        sent["ETag"] = tag
        if matches(request.headers.get("if-none-match"), tag):
            return Response(status_code=304, headers=sent)
    elif etag:
        sent["ETag"] = etag
    return Response(data, status, media_type="application/json", headers=sent)


def tag_of(text: str) -> str:
    """An ETag of whatever tells two states of a thing apart."""
    return f'"{hashlib.blake2b(text.encode(), digest_size=9).hexdigest()}"'


def unchanged(request: Request, etag: str) -> Response:
    """The caller has it already."""
    return Response(status_code=304, headers={"ETag": etag, **getattr(request.state, "limits", {})})


def nothing(request: Request) -> Response:
    return Response(status_code=204, headers=getattr(request.state, "limits", {}))


def matches(header: str | None, etag: str) -> bool:
    """If-None-Match by RFC 9110 13.1.2: weak comparison."""
    if header is None:
        return False
    given = [each.strip().removeprefix("W/") for each in header.split(",")]
    return "*" in given or etag.removeprefix("W/") in given


def must_match(request: Request, etag: str) -> None:
    """If-Match by RFC 9110 13.1.1. Raises Problem where the thing is another by now."""
    header = request.headers.get("if-match")
    if header is None:
        return
    given = [each.strip() for each in header.split(",")]
    if "*" not in given and etag not in given:
        raise Problem(412, "changed", "It was changed meanwhile; look at it again.", headers={"ETag": etag})


def chosen(fields: str | None, known: Collection[str]) -> frozenset[str] | None:
    """Which fields `fields=id,subject` names; None for all. Raises Problem for one that is not there."""
    if fields is None:
        return None
    names = frozenset(each.strip() for each in fields.split(",") if each.strip())
    if unknown := sorted(names - set(known)):
        raise bad(f"There is no field {unknown[0]!r}; there are {', '.join(sorted(known))}.", "fields")
    return names | {"id"}


def only(item: dict[str, Any], names: frozenset[str] | None) -> dict[str, Any]:
    return item if names is None else {name: value for name, value in item.items() if name in names}
