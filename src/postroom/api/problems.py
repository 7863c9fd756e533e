"""Problems: one shape for every refusal (RFC 9457), with a code for programs and a sentence for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from postroom import errors

MEDIA_TYPE = "application/problem+json"
_TITLES = {
    400: "Bad request",
    401: "Not signed in",
    403: "Not allowed",
    404: "Not found",
    405: "Method not allowed",
    409: "Conflict",
    410: "Gone",
    412: "Changed meanwhile",
    413: "Too large",
    416: "No such range",
    429: "Too many requests",
    500: "Unexpected",
    503: "Not available",
    507: "No space left",
}
_PARTS = ("body", "query", "path", "header")


class Problem(Exception):
    """Raised by a handler: `Problem(404, "not_found", "There is no such message.")`"""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        field: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status, self.code, self.detail, self.field = status, code, detail, field
        self.headers = dict(headers or {})


def not_found(what: str) -> Problem:
    """The same for what is not there and for what is somebody else's."""
    return Problem(404, "not_found", f"There is no such {what}.")


def bad(detail: str, field: str | None = None, code: str = "invalid") -> Problem:
    return Problem(400, code, detail, field=field)


def answer(problem: Problem, request_id: str | None) -> Response:
    """The problem as it goes out."""
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": _TITLES.get(problem.status, "Refused"),
        "status": problem.status,
        "code": problem.code,
        "detail": problem.detail,
        "request_id": request_id,
    }
    if problem.field is not None:
        body["field"] = problem.field
    return Response(
        orjson.dumps(body),
        problem.status,
        media_type=MEDIA_TYPE,
        headers={"Cache-Control": "no-store", **problem.headers},
    )


def of_error(error: errors.PostroomError) -> Problem:
    """What the store says, for somebody who asked over HTTP."""
    match error:
        case errors.QuerySyntaxError():
            reason = f"At character {error.fields['position']}: {error.fields['reason']}."
            return bad(reason, "q", "query_syntax")
        case errors.DraftChanged():
            return Problem(412, "changed", "It was changed meanwhile; look at it again.")
        case errors.UsageError():
            return bad(error.fields.get("reason", str(error)))
        case errors.NotFound():
            return not_found(error.fields["what"].partition(" with the id")[0])
        case errors.Held():
            return Problem(409, "held", f"{error.fields['what']} is held: nothing of it may be removed.")
        case errors.TenantSuspended():
            return Problem(403, "tenant_suspended", "The tenant is suspended.")
        case errors.TenantErasing():
            return Problem(403, "tenant_erasing", "The tenant is being erased.")
        case errors.Denied():
            return Problem(403, "forbidden", "This key may only read here.")
        case errors.DatabaseFull() | errors.BlobStoreFull():
            return Problem(507, "no_space", "There is no space left.")
        case errors.DatabaseBusy() | errors.DatabaseUnreachable() | errors.BlobStoreUnreachable():
            return Problem(
                503, "busy", "The store did not get to it. Try it again.", headers={"Retry-After": "1"}
            )
        case _:
            return Problem(500, "unexpected", "Something went wrong here; the log has it by the request id.")


def of_validation(error: RequestValidationError) -> Problem:
    """The first thing that is wrong, by the name of the parameter or field."""
    first = error.errors()[0] if error.errors() else {"loc": (), "msg": "it is not what it should be"}
    # The first says where: a field of a body may be called query.
    names = [str(each) for at, each in enumerate(first["loc"]) if at or each not in _PARTS]
    field = ".".join(names) or None
    said = str(first["msg"]).removeprefix("Value error, ")
    where = f"{field}: " if field else ""
    return bad(f"{where}{said}."[:500], field)


def install(app: FastAPI) -> None:
    """Every error of the app in one shape."""

    async def ours(request: Request, error: Exception) -> Response:
        assert isinstance(error, Problem)
        return answer(error, _id(request))

    async def of_store(request: Request, error: Exception) -> Response:
        assert isinstance(error, errors.PostroomError)
        problem = of_error(error)
        if problem.status >= 500:
            request.state.error = str(error)
        return answer(problem, _id(request))

    async def of_request(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        return answer(of_validation(error), _id(request))

    async def of_http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        codes = {404: "not_found", 405: "method_not_allowed"}
        code = codes.get(error.status_code, "invalid")
        detail = "There is nothing here." if error.status_code == 404 else f"{error.detail}."
        headers = dict(error.headers or {})
        return answer(Problem(error.status_code, code, detail, headers=headers), _id(request))

    async def of_ours(request: Request, _: Exception) -> Response:
        detail = "Something went wrong here; the log has it by the request id."
        return answer(Problem(500, "unexpected", detail), _id(request))

    app.add_exception_handler(Exception, of_ours)
    app.add_exception_handler(Problem, ours)
    app.add_exception_handler(errors.PostroomError, of_store)
    app.add_exception_handler(RequestValidationError, of_request)
    app.add_exception_handler(HTTPException, of_http)


def _id(request: Request) -> str | None:
    return getattr(request.state, "request_id", None)
