"""Retrying: whether, and how long from now, a call is made again. No wire in here, and no clock."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx2
import orjson

from postroom.client.calls import Call
from postroom.client.problems import problem_of, seconds_of
from postroom.client.reading import read, written

LONGEST_PAUSE_SECONDS = 60.0
_NOT_EVEN_ASKED = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)


def after_silence(call: Call[Any], attempt: int, retries: int, error: Exception) -> float | None:
    """No answer came: unless nothing was asked yet, nobody knows whether it was done. None: give up."""
    is_safe = isinstance(error, _NOT_EVEN_ASKED) or call.is_repeatable
    return _growing(attempt) if is_safe and attempt < retries else None


def after_answer(
    call: Call[Any], attempt: int, retries: int, status: int, headers: Mapping[str, str]
) -> float | None:
    """429 says that nothing was done; a server that is in trouble does not. None: take the answer as it is."""
    is_worth_it = status == 429 or (status in (502, 503, 504) and call.is_repeatable)
    if not is_worth_it or attempt >= retries:
        return None
    said = seconds_of(headers)
    if said is not None and said > LONGEST_PAUSE_SECONDS:
        return None
    return _growing(attempt) if said is None else said


def request_of(call: Call[Any]) -> dict[str, Any]:
    """As the HTTP client takes it."""
    headers = {name: value for name, value in call.headers.items() if value is not None}
    content = None
    if call.body is not None:
        content = orjson.dumps(written(call.body))
        headers["Content-Type"] = "application/json"
    query = {name: _word(value) for name, value in call.query.items()}
    return {"method": call.method, "url": call.path, "params": query, "headers": headers, "content": content}


def answer_of(call: Call[Any], status: int, headers: Mapping[str, str], body: bytes) -> Any:
    """The value. Raises Problem."""
    if not 200 <= status < 300:
        raise problem_of(status, headers, body)
    if call.kind is None:
        return None
    if call.kind is bytes:
        return body
    if call.kind is str:
        return body.decode()
    try:
        said = orjson.loads(body)
        return read(said if call.within is None else said[call.within], call.kind, headers.get("etag"))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise problem_of(status, headers, b"") from error


def _growing(attempt: int) -> float:
    return min(8.0, 0.25 * 2**attempt)


def _word(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple)):
        return ",".join(str(each) for each in value)
    return str(written(value))
