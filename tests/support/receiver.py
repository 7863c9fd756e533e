"""A receiver of webhooks: a real HTTP server that keeps what it is told, and misbehaves when told to.

with receiver() as there:
    there.faults += ["500", "slow"]      # one for each call, then it behaves
    there.url, there.calls
"""

from __future__ import annotations

import base64
import hmac
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call, as it came."""

    headers: dict[str, str]
    body: bytes
    path: str

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def said(self) -> dict[str, Any]:
        return json.loads(self.body)

    def is_signed(self, secret: str) -> bool:
        """As a receiver checks it (Standard Webhooks 1.0), by the standard library alone."""
        key = base64.b64decode(secret.removeprefix("whsec_"))
        signed = b".".join([self.id.encode(), self.headers["webhook-timestamp"].encode(), self.body])
        expected = "v1," + base64.b64encode(hmac.digest(key, signed, "sha256")).decode()
        is_now = abs(time.time() - int(self.headers["webhook-timestamp"])) < 300
        return is_now and expected in self.headers["webhook-signature"].split(" ")


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Whoever calls may go away in the middle."""


class Receiver:
    def __init__(self) -> None:
        self.calls: list[Call] = []
        """Those that were answered with 200."""
        self.attempts: list[Call] = []
        self.faults: list[str] = []
        self.always: str | None = None
        """What it does to every call, once `faults` are used up."""
        self.fault_of: dict[str, str] = {}
        """By the type of the event."""
        self.closing = threading.Event()
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        self.port: int = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/hook"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    def ids(self) -> set[str]:
        return {each.id for each in self.calls}

    def fault(self, call: Call) -> str:
        if self.faults:
            return self.faults.pop(0)
        return self.always or self.fault_of.get(call.said["type"], "")


@contextmanager
def receiver() -> Iterator[Receiver]:
    found = Receiver()
    try:
        yield found
    finally:
        found.close()


def _handler(receiver: Receiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            call = Call(headers=headers, body=body, path=self.path)
            receiver.attempts.append(call)
            fault, _, value = receiver.fault(call).partition(" ")
            match fault:
                case "":
                    receiver.calls.append(call)
                    self._answer(200, b"thanks")
                case "slow":
                    receiver.closing.wait(float(value or 30))
                    self.close_connection = True
                case "drip":
                    self.send_response(200)
                    self.end_headers()
                    while not receiver.closing.wait(0.1):
                        try:
                            self.wfile.write(b".")
                        except OSError:
                            break
                    self.close_connection = True
                case "drop":
                    self.close_connection = True
                case "redirect":
                    self.send_response(302)
                    self.send_header("Location", value)
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                case "big":
                    receiver.calls.append(call)
                    self._endless()
                case "late":
                    receiver.calls.append(call)
                    receiver.closing.wait(float(value))
                    self._answer(200, b"")
                case status:
                    self._answer(int(status), b"no", **({"Retry-After": value} if value else {}))

        def _answer(self, status: int, body: bytes, **headers: str) -> None:
            self.send_response(status)
            for name, text in headers.items():
                self.send_header(name.replace("_", "-"), text)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def _endless(self) -> None:
            """An answer that does not end while anybody reads it."""
            self.send_response(200)
            self.end_headers()
            piece = b"x" * 65536
            try:
                while not receiver.closing.is_set():
                    self.wfile.write(piece)
            except OSError:
                pass
            self.close_connection = True

        def log_message(self, format: str, *args: Any) -> None:
            pass

    return Handler
