"""The server: the app on a socket, until it is told to stop."""

from __future__ import annotations

import socket
from collections.abc import Callable
from types import FrameType

import uvicorn

from postroom.api.app import make_app
from postroom.api.context import Context
from postroom.api.cursors import Cursors
from postroom.api.figures import Figures
from postroom.api.hub import Hub
from postroom.api.keyring import Keyring
from postroom.api.limits import Limits
from postroom.api.outer import start_logging
from postroom.api.tokens import tokens_of
from postroom.blobs import Blobs
from postroom.settings import Settings
from postroom.store.credentials import MasterKey
from postroom.store.database import Database

GRACE_SECONDS = 8
"""How long requests that are under way may go on when the service stops: containers are killed after ten."""


class _Server(uvicorn.Server):
    """Streams of events end when the service is told to stop, or it would wait for them."""

    def __init__(self, config: uvicorn.Config, hub: Hub, listening: Callable[[], None]) -> None:
        super().__init__(config)
        self._hub, self._listening = hub, listening

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._listening()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        # Not by the super class, which would send the signal on when all is done: to be stopped is no failure.
        self._hub.close()
        self.force_exit = self.should_exit
        self.should_exit = True


async def serve(
    settings: Settings,
    url: str,
    *,
    master: MasterKey,
    cursor_key: bytes,
    listening: Callable[[], None] = lambda: None,
) -> None:
    """Serve until SIGTERM or Ctrl-C. `url` is of the login email_service."""
    start_logging(settings.log_level.upper(), for_people=settings.run_mode == "development")
    tokens = tokens_of(settings)
    limits = Limits(
        key_rate=settings.service_rate,
        tenant_rate=settings.service_tenant_rate,
        redis_url=settings.redis_url,
    )
    database = Database(
        url,
        max_connections=settings.service_connections,
        statement_timeout_seconds=min(30, settings.statement_timeout_seconds),
        program="postroom serve",
    )
    async with database as db:
        hub, figures = Hub(db), Figures()
        context = Context(
            settings=settings,
            db=db,
            blobs=Blobs(settings),
            cursors=Cursors(cursor_key),
            keyring=Keyring(db, tokens),
            limits=limits,
            figures=figures,
            hub=hub,
            master=master,
        )
        config = uvicorn.Config(
            make_app(context),
            host=settings.service_host,
            port=settings.service_port,
            loop="uvloop",
            http="httptools",
            ws="none",
            lifespan="off",
            access_log=False,
            log_config=None,
            server_header=False,
            timeout_graceful_shutdown=GRACE_SECONDS,
            timeout_keep_alive=30,
        )
        await _Server(config, hub, listening).serve()
    await limits.close()
