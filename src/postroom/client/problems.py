"""Problems: what the service refuses and what keeps it from answering, as exceptions.

ClientError
├── Unreachable        no answer came
└── Problem            it said no (RFC 9457); by its status one of
    ├── Unauthorized   401
    ├── Forbidden      403
    ├── NotFound       404
    ├── Conflict       409
    ├── CursorGone     410
    ├── Meanwhile      412
    └── RateLimited    429
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson


class ClientError(Exception):
    """Whatever goes wrong between here and the service."""


class Unreachable(ClientError):
    """No answer came, and asking again did not help."""


class Problem(ClientError):
    """The service said no. `code` is for programs and stays, `detail` is a sentence, `field` what was wrong."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        field: str | None = None,
        request_id: str | None = None,
        retry_after_seconds: float | None = None,
    ) -> None:
        super().__init__(f"{status} {code}: {detail}")
        self.status, self.code, self.detail, self.field = status, code, detail, field
        self.request_id, self.retry_after_seconds = request_id, retry_after_seconds


class Unauthorized(Problem):
    """The key is none, over or revoked."""


class Forbidden(Problem):
    """The key may not do it, or the tenant is suspended."""


class NotFound(Problem):
    """It is not there, or it is somebody else's."""


class Conflict(Problem):
    """It cannot be done as things are."""


class CursorGone(Problem):
    """The feed does not reach the cursor any more: list again, and go on from `since="now"`, asked before the listing."""


class Meanwhile(Problem):
    """It is not what `if_match` says any more: somebody changed it."""


class RateLimited(Problem):
    """Too many requests; go on after `retry_after_seconds`."""


_KINDS: dict[int, type[Problem]] = {
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    410: CursorGone,
    412: Meanwhile,
    429: RateLimited,
}


def problem_of(status: int, headers: Mapping[str, str], body: bytes) -> Problem:
    """The exception of a refusal; also of one that somebody in between made, who knows nothing of problem details."""
    said = _said(body)
    return _KINDS.get(status, Problem)(
        status,
        str(said.get("code", "unknown")),
        str(said.get("detail", "The answer is not one of Postroom's; is the address right?")),
        field=said.get("field"),
        request_id=said.get("request_id") or headers.get("x-request-id"),
        retry_after_seconds=seconds_of(headers),
    )


def seconds_of(headers: Mapping[str, str]) -> float | None:
    """What Retry-After says, if it says a number."""
    text = headers.get("retry-after", "")
    return float(text) if text.isascii() and text.isdigit() else None


def _said(body: bytes) -> dict[str, Any]:
    try:
        said = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return said if isinstance(said, dict) else {}
