"""Documents: OpenAPI 3.1 with every refusal, and a page that shows it without a line from anywhere else."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.openapi.utils import get_openapi

from postroom import __version__
from postroom.api import documents_page, shapes
from postroom.api.problems import MEDIA_TYPE

router = APIRouter(include_in_schema=False)
_REFUSALS = {
    "400": "Something in the request is wrong: `field` says what.",
    "401": "No key, or one that is not good.",
    "403": "The key may not do it, or the tenant is suspended.",
    "404": "It is not there, or it is not yours.",
    "409": "It cannot be done as things are.",
    "410": "The cursor is not of this feed any more.",
    "412": "It was changed meanwhile.",
    "413": "The body is too large.",
    "416": "It has no such range.",
    "429": "Too many requests; `Retry-After` says when to go on.",
    "500": "Something went wrong here.",
    "503": "The store did not get to it; try again.",
    "507": "There is no space left.",
}
_OPEN = ("/healthz", "/readyz", "/metrics")
_ABOUT = """Mail in your own PostgreSQL, over HTTP. A request reads and writes rows and never waits for a mail server: what is
to happen there is pending until a worker has done it.

Every request shows a key: `Authorization: Bearer prk_…`, or a token of your identity provider. The tenant is the key's. Times are RFC 3339; lists are read
page by page with the `next` of the last one. A refusal is `application/problem+json`."""


def install(app: FastAPI) -> None:
    """Make the document once, when it is first asked for."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _made(app)
        return app.openapi_schema

    app.openapi = openapi
    app.include_router(router)


def _made(app: FastAPI) -> dict[str, Any]:
    document = get_openapi(
        title="Postroom", version=__version__, openapi_version="3.1.0", description=_ABOUT, routes=app.routes
    )
    components = document.setdefault("components", {})
    listed = components.setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        listed.pop(name, None)
    listed["Problem"] = shapes.Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    components["securitySchemes"] = {
        "key": {"type": "http", "scheme": "bearer", "description": "A key of a tenant (`prk_…`)."},
        "token": {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": "A token of the application's identity provider, where the service believes one.",
        },
        "installation": {
            "type": "http",
            "scheme": "bearer",
            "description": "A key of the installation (`pra_…`): makes tenants and their keys, opens no mail.",
        },
    }
    refusals = {
        status: {
            "description": text,
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status, text in _REFUSALS.items()
    }
    for path, operations in document["paths"].items():
        for operation in operations.values():
            operation["responses"].pop("422", None)
            operation["responses"] |= refusals
            schemes = ["installation"] if path.startswith("/v1/tenants") else ["key", "token"]
            operation["security"] = [] if path in _OPEN else [{scheme: []} for scheme in schemes]
            if "304" not in operation["responses"]:
                operation["responses"]["304"] = {"description": "The caller has it already."}
    return document


@router.get("/docs")
async def docs(request: Request) -> Response:
    """One page of HTML, made of the document."""
    headers = {"Content-Security-Policy": documents_page.POLICY}
    return Response(documents_page.page(request.app.openapi()), media_type="text/html", headers=headers)
