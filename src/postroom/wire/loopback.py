"""The loopback redirect (RFC 8252 7.3): a browser brings the answer to a port of this machine, once."""

from __future__ import annotations

import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import TracebackType
from typing import Self
from urllib.parse import parse_qs, urlsplit

from postroom.errors import SignInRefused

_PAGE = (
    b"<!doctype html><meta charset=utf-8><title>Postroom</title><p>That was all. You may close this window."
)


class Loopback:
    """`with Loopback() as door: open(url with door.uri); answer = door.wait(state, seconds)`."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self.uri = f"http://{host}:{self._server.server_port}/"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.server_close()

    def wait(self, state: str, *, seconds: float) -> str:
        """The URL that the browser was sent to. Requests without our `state` are somebody else's, and ignored."""
        deadline = time.monotonic() + seconds
        self._server.state = state
        while self._server.found is None:
            left = deadline - time.monotonic()
            if left <= 0:
                raise SignInRefused(where="the browser", reason=f"nothing came back for {seconds:g} seconds")
            self._server.timeout = min(left, 1)
            self._server.handle_request()
        return self._server.found


class _Server(HTTPServer):
    state = ""
    found: str | None = None


class _Handler(BaseHTTPRequestHandler):
    server: _Server  # pyright: ignore[reportIncompatibleVariableOverride]
    timeout = 5
    """Seconds for one request: a browser's idle second connection must not hold up the first."""

    def do_GET(self) -> None:
        query = parse_qs(urlsplit(self.path).query)
        is_ours = query.get("state") == [self.server.state] and ("code" in query or "error" in query)
        self.send_response(200 if is_ours else 404)
        self.send_header("Content-Type", "text/html")
        self.send_header("Referrer-Policy", "no-referrer")
        self.end_headers()
        self.wfile.write(_PAGE if is_ours else b"")
        if is_ours:
            self.server.found = f"http://127.0.0.1{self.path}"

    def log_message(self, format: str, *args: object) -> None:
        """The request holds the code: nothing is logged."""
