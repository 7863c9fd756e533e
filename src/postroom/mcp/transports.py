"""Transports: the server on standard input and output for one key, or over HTTP for whoever shows one."""

from __future__ import annotations

import logging
from collections.abc import Callable
from types import FrameType
from typing import Any

import httpx2
import uvicorn
from mcp.server.context import ServerRequestContext
from mcp.server.stdio import stdio_server
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from postroom.api.auth import unknown
from postroom.api.problems import Problem as Refusal
from postroom.api.problems import answer
from postroom.client import AsyncClient, Problem, Unreachable
from postroom.mcp.server import server_of

PATH = "/mcp"
_INSIDE = "http://postroom.invalid"
"""An address that nobody asks: requests go to the app in this process."""


class Mail:
    """Where the operations are: in this process, or at the address of a service."""

    def __init__(self, *, app: ASGIApp | None = None, url: str | None = None) -> None:
        self._url = url or _INSIDE
        self._transport: httpx2.AsyncBaseTransport = (
            httpx2.AsyncHTTPTransport(retries=1)
            if app is None
            else httpx2.ASGITransport(app=app, raise_app_exceptions=False)
        )

    def by(self, key: str) -> AsyncClient:
        """A client of that key. The connections are everybody's: it is not to be closed."""
        return AsyncClient(self._url, key, transport=self._transport)

    async def close(self) -> None:
        await self._transport.aclose()


async def over_stdio(mail: Mail, key: str) -> None:
    """Until standard input ends. Raises Problem, Unreachable for a key that is none and a service that is not there."""
    client = mail.by(key)
    await client.who_am_i()
    server = server_of(lambda _: client)
    async with stdio_server() as (received, sent):
        await server.run(received, sent, server.create_initialization_options())


async def over_http(mail: Mail, host: str, port: int, *, listening: Callable[[], None]) -> None:
    """Until SIGTERM or Ctrl-C."""

    def client_of(asked: ServerRequestContext[Any]) -> AsyncClient:
        assert isinstance(asked.request, Request)
        return mail.by(asked.request.state.key)

    app = server_of(client_of).streamable_http_app(
        streamable_http_path=PATH, json_response=True, stateless_http=True, host=host
    )
    config = uvicorn.Config(
        Door(app, mail),
        host=host,
        port=port,
        loop="uvloop",
        lifespan="on",
        access_log=False,
        log_config=None,
        server_header=False,
        ws="none",
    )
    logging.getLogger("mcp").setLevel(logging.WARNING)
    await _Server(config, listening).serve()


class Door:
    """Nobody gets to the tools without a key that is good."""

    def __init__(self, app: ASGIApp, mail: Mail) -> None:
        self._app, self._mail = app, mail

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        kind, _, key = Request(scope).headers.get("authorization", "").partition(" ")
        try:
            if kind.lower() != "bearer" or not key.strip():
                raise unknown()
            await self._mail.by(key.strip()).who_am_i()
        except Refusal as refusal:
            await answer(refusal, None)(scope, receive, send)
        except Problem as problem:
            headers = unknown().headers if problem.status == 401 else {}
            refusal = Refusal(problem.status, problem.code, problem.detail, headers=headers)
            await answer(refusal, problem.request_id)(scope, receive, send)
        except Unreachable as error:
            await answer(Refusal(503, "busy", str(error)), None)(scope, receive, send)
        else:
            scope.setdefault("state", {})["key"] = key.strip()
            await self._app(scope, receive, send)


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, listening: Callable[[], None]) -> None:
        super().__init__(config)
        self._listening = listening

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        # Not by the super class, which would send the signal on when all is done: to be stopped is no failure.
        self.force_exit = self.should_exit
        self.should_exit = True

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._listening()
