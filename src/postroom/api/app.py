"""The app: every noun on one board."""

from __future__ import annotations

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

from postroom.api import (
    accounts,
    attachments,
    audit,
    changes,
    documents,
    drafts,
    events,
    folders,
    health,
    me,
    message_changes,
    messages,
    problems,
    search,
    searches,
    sender,
    sends,
    tenants,
    threads,
    webhooks,
)
from postroom.api.context import Context
from postroom.api.outer import Outer

_NOUNS = (
    accounts,
    sender,
    folders,
    messages,
    message_changes,
    threads,
    attachments,
    search,
    searches,
    drafts,
    sends,
    changes,
    events,
    webhooks,
    audit,
    me,
    tenants,
    health,
)
_SHOWN = ["ETag", "Location", "X-Request-Id", "RateLimit", "RateLimit-Policy", "Retry-After", "Content-Range"]


def documented() -> FastAPI:
    """Everything that can be asked, and the document of it, without a store behind."""
    app = FastAPI(
        title="Postroom",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=lambda route: route.name,
    )
    for noun in _NOUNS:
        app.include_router(noun.router)
    documents.install(app)
    return app


def make_app(context: Context) -> ASGIApp:
    """The service over an open database."""
    app = documented()
    app.state.context = context
    problems.install(app)
    origins = [each.strip() for each in context.settings.service_origins.split(",") if each.strip()]
    inner: ASGIApp = app
    if origins:
        inner = CORSMiddleware(
            app,
            allow_origins=origins,
            allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
            allow_headers=["Authorization", "Content-Type", "If-Match", "If-None-Match", "Idempotency-Key"],
            expose_headers=_SHOWN,
        )
    return Outer(inner, figures=context.figures, body_bytes=context.settings.service_body_bytes)
