"""Opening: everything that requests need, made of the settings, for as long as somebody serves."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from postroom.api.context import Context
from postroom.api.cursors import Cursors
from postroom.api.figures import Figures
from postroom.api.hub import Hub
from postroom.api.keyring import Keyring
from postroom.api.limits import Limits
from postroom.api.tokens import tokens_of
from postroom.blobs import Blobs
from postroom.hooks.address import networks
from postroom.settings import Settings
from postroom.store.credentials import MasterKey
from postroom.store.database import Database


@asynccontextmanager
async def opened(
    settings: Settings, url: str, *, master: MasterKey, cursor_key: bytes, program: str = "postroom serve"
) -> AsyncIterator[Context]:
    """`url` is of the login email_service. Raises SettingError, UsageError."""
    tokens = tokens_of(settings)
    networks(settings.webhook_networks)  # a mistake in it is said now, and not to who makes a webhook
    limits = Limits(
        key_rate=settings.service_rate,
        tenant_rate=settings.service_tenant_rate,
        redis_url=settings.redis_url,
    )
    database = Database(
        url,
        max_connections=settings.service_connections,
        statement_timeout_seconds=min(30, settings.statement_timeout_seconds),
        program=program,
    )
    try:
        async with database as db:
            yield Context(
                settings=settings,
                db=db,
                blobs=Blobs(settings),
                cursors=Cursors(cursor_key),
                keyring=Keyring(db, tokens),
                limits=limits,
                figures=Figures(),
                hub=Hub(db),
                master=master,
            )
    finally:
        await limits.close()
