"""The server: the app on a socket, until it is told to stop."""

from __future__ import annotations

import socket
from collections.abc import Callable
from types import FrameType

import uvicorn

from postroom.api.app import make_app
from postroom.api.hub import Hub
from postroom.api.opening import opened
from postroom.api.outer import start_logging
from postroom.settings import Settings
from postroom.store.credentials import MasterKey

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
    async with opened(settings, url, master=master, cursor_key=cursor_key) as context:
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
        await _Server(config, context.hub, listening).serve()
