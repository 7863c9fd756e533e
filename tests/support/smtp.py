"""A real SMTP server for tests: aiosmtpd on a free port of 127.0.0.1, with the faults that servers have.

with running_smtp() as server:
    server.fault = "drop after data"
    server.received        # what it took, each message with its envelope, in order
"""

from __future__ import annotations

import asyncio
import base64
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from postroom.mime.parse import parse
from tests.support.dovecot import free_ports


@dataclass(frozen=True, slots=True)
class Taken:
    sender: str
    recipients: list[str]
    raw: bytes
    options: list[str]

    @property
    def message_id(self) -> str:
        return parse(self.raw).message_id or ""


@dataclass
class SmtpServer:
    """What a test sets, and what it finds."""

    port: int
    fault: str = ""
    """drop before data, drop in data, drop after data, defer data, refuse data, slow, defer sender, refuse sender."""
    refused: set[str] = field(default_factory=set)
    deferred: set[str] = field(default_factory=set)
    users: dict[str, str] = field(default_factory=dict)
    received: list[Taken] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)
    """Shown to it, in this order."""
    refused_tokens: int = 0
    """So many of the next are refused."""
    connections: int = 0
    host: str = "127.0.0.1"

    def counts(self) -> Counter[str]:
        """How often each Message-ID came."""
        return Counter(each.message_id for each in self.received)


class _Handler:
    def __init__(self, server: SmtpServer) -> None:
        self._server = server
        self._served: list[Session] = []

    async def handle_MAIL(
        self, smtp: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self._server.fault == "one message a connection" and session in self._served:
            smtp.transport.abort()
        if self._server.fault == "refuse sender":
            return "553 5.7.1 You are not who you say"
        if self._server.fault == "defer sender":
            return "451 4.3.0 Come back later"
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_RCPT(
        self, smtp: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address in self._server.refused:
            return "550 5.1.1 No such user here"
        if address in self._server.deferred:
            return "450 4.2.0 Greylisted"
        envelope.rcpt_tos.append(address)
        if self._server.fault == "drop before data":
            smtp.transport.abort()
        return "250 OK"

    async def handle_DATA(self, smtp: SMTP, session: Session, envelope: Envelope) -> str:
        server = self._server
        if server.fault == "defer data":
            return "451 4.7.1 Try again later"
        if server.fault == "refuse data":
            return "554 5.7.1 Spam"
        if server.fault == "drop, not taken":
            smtp.transport.abort()
            return "250 OK"
        taken = Taken(
            str(envelope.mail_from),
            list(envelope.rcpt_tos),
            bytes(envelope.original_content or b""),
            list(envelope.mail_options),
        )
        server.received.append(taken)
        self._served.append(session)
        if server.fault == "drop after data":
            smtp.transport.abort()
        elif server.fault.startswith("answer "):
            return server.fault.removeprefix("answer ")
        elif server.fault.startswith("slow"):
            await asyncio.sleep(float(server.fault.removeprefix("slow ")))
        return "250 2.0.0 Taken as 4711"

    async def auth_XOAUTH2(self, _smtp: SMTP, arguments: list[str]) -> AuthResult:
        """The token is noted, and taken where the server knows it."""
        said = base64.b64decode(arguments[1]).split(b"\1")
        token = said[1].decode().removeprefix("auth=Bearer ")
        self._server.tokens.append(token)
        is_refused = self._server.refused_tokens > 0
        self._server.refused_tokens -= is_refused
        return AuthResult(success=not is_refused, handled=False)


class _Smtp(SMTP):
    def connection_made(self, transport: Any) -> None:
        self.event_handler._server.connections += 1
        super().connection_made(transport)

    async def smtp_DATA(self, arg: str) -> None:
        if self.event_handler._server.fault == "drop in data":
            await self.push("354 End data with <CR><LF>.<CR><LF>")
            await asyncio.sleep(0.05)
            self.transport.abort()
            return
        await super().smtp_DATA(arg)


@contextmanager
def running_smtp(
    *, ssl_context: Any = None, size_limit: int = 30_000_000, **more: Any
) -> Iterator[SmtpServer]:
    """A server in a thread of its own; `ssl_context` for TLS from the first byte."""
    server = SmtpServer(port=free_ports(1)[0])

    def authenticate(
        _smtp: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, data: Any
    ) -> AuthResult:
        assert isinstance(data, LoginPassword)
        known = server.users.get(data.login.decode())
        return AuthResult(success=known is not None and known.encode() == data.password, handled=False)

    def factory() -> SMTP:
        return _Smtp(
            _Handler(server),
            data_size_limit=size_limit,
            enable_SMTPUTF8=True,
            hostname="smtp.test",
            authenticator=authenticate,
            auth_require_tls=False,
            loop=loop,
            **more,
        )

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def listen() -> asyncio.Server:
        return await loop.create_server(factory, server.host, server.port, ssl=ssl_context)

    async def end() -> None:
        listening.close()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        await asyncio.sleep(0.01)

    listening = asyncio.run_coroutine_threadsafe(listen(), loop).result(10)
    try:
        yield server
    finally:
        asyncio.run_coroutine_threadsafe(end(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


@pytest.fixture
def smtp() -> Iterator[SmtpServer]:
    with running_smtp() as server:
        yield server
