"""The outer layer: every request gets an id, a line in the log, a place in the figures, and a limit to its size."""

from __future__ import annotations

import json
import logging
import re
import sys
import time
import traceback
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from postroom.api.figures import Figures
from postroom.api.problems import Problem, answer

LOG = logging.getLogger("postroom.api")
_GIVEN_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_ALWAYS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-site"),
)


class TooLarge(Exception):
    """The body went on beyond the limit."""


class Outer:
    """Pure ASGI, around everything else."""

    def __init__(self, app: ASGIApp, *, figures: Figures, body_bytes: int) -> None:
        self._app, self._figures, self._body_bytes = app, figures, body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        await _Visit(self._app, scope, receive, send, self._figures, self._body_bytes).go()


class _Visit:
    """One request on its way through."""

    def __init__(
        self, app: ASGIApp, scope: Scope, receive: Receive, send: Send, figures: Figures, body_bytes: int
    ) -> None:
        self._app, self._scope, self._receive, self._send = app, scope, receive, send
        self._figures, self._most = figures, body_bytes
        self._began = time.perf_counter()
        self._status, self._read, self._is_over = 0, 0, False
        headers = dict(scope["headers"])
        given = headers.get(b"x-request-id", b"").decode("latin-1")
        self.id = given if _GIVEN_ID.fullmatch(given) else uuid4().hex
        self._length = headers.get(b"content-length", b"0").decode("latin-1")
        self._state: dict[str, Any] = scope.setdefault("state", {})
        self._state["request_id"] = self.id

    async def go(self) -> None:
        try:
            if b"%00" in self._scope.get("query_string", b"") or "\x00" in self._scope["path"]:
                await self._refuse(Problem(400, "invalid", "A NUL character has no place in an address."))
            elif self._length.isdigit() and int(self._length) > self._most:
                await self._refuse(self._too_large())
            else:
                await self._app(self._scope, self._measured, self._marked)
        except TooLarge:
            pass
        except Exception as error:
            self._state["error"] = "".join(traceback.format_exception(error))
            if not self._status:
                detail = "Something went wrong here; the log has it by the request id."
                await self._refuse(Problem(500, "unexpected", detail))
        finally:
            if self._is_over and not self._status:
                self._is_over = False
                await self._refuse(self._too_large())
            self._finish()

    async def _measured(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request":
            self._read += len(message.get("body", b""))
            if self._read > self._most:
                self._is_over = True
                raise TooLarge
        return message

    async def _marked(self, message: Message) -> None:
        if self._is_over and (not self._status or message["type"] == "http.response.start"):
            return  # whoever read the body takes it for one that is broken
        if message["type"] == "http.response.start":
            self._status = message["status"]
            message["headers"] = [
                *message.get("headers", ()),
                *_ALWAYS,
                (b"x-request-id", self.id.encode()),
            ]
        await self._send(message)

    def _too_large(self) -> Problem:
        detail = f"The body is larger than {self._most} bytes."
        return Problem(413, "too_large", detail, headers={"Connection": "close"})

    async def _refuse(self, problem: Problem) -> None:
        await answer(problem, self.id)(self._scope, self._receive, self._marked)

    def _finish(self) -> None:
        took = time.perf_counter() - self._began
        route = getattr(self._scope.get("route"), "path", None) or "other"
        self._figures.saw(self._scope["method"], route, self._status, took)
        error = self._state.get("error")
        level = logging.ERROR if error else logging.INFO
        if LOG.isEnabledFor(level):
            fields = {
                "request_id": self.id,
                "method": self._scope["method"],
                "route": route,
                "status": self._status,
                "ms": round(took * 1000, 2),
                "key": self._state.get("key"),
            }
            LOG.log(level, "request", extra={"fields": fields | ({"error": error} if error else {})})


class JsonLines(logging.Formatter):
    """One line of JSON for each event."""

    def format(self, record: logging.LogRecord) -> str:
        said = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            "logger": record.name,
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            said["error"] = self.formatException(record.exc_info)
        return json.dumps(said, default=str, ensure_ascii=False)


class PlainLines(logging.Formatter):
    """For people who develop."""

    def format(self, record: logging.LogRecord) -> str:
        fields = " ".join(f"{name}={value}" for name, value in getattr(record, "fields", {}).items())
        return f"{record.levelname:8} {record.getMessage()} {fields}".rstrip()


def start_logging(level: str, *, for_people: bool) -> None:
    """To standard error, as JSON lines unless it is `for_people`."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(PlainLines() if for_people else JsonLines())
    for name in ("postroom", "uvicorn.error"):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(level)
