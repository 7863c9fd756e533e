"""A small OAuth 2.0 server with real HTTP, on a free port of 127.0.0.1: metadata, consent, device codes, tokens.

with OAuthServer(key) as server:
    store.cli("account", "add", …, "--oauth", server.issuer)

It checks what a provider checks: client, secret, redirect, PKCE, one use of each code. Access tokens are JWTs that
Dovecot takes (`running_dovecot(token_key=key)`). Everything that was asked is in `requests`.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlencode, urlsplit

CLIENT_ID, CLIENT_SECRET = "postroom-test", "client-hush-hush"


class OAuthServer:
    def __init__(self, key: bytes, *, email: str = "alice") -> None:
        self.key, self.email = key, email
        self.token_seconds = 3600
        self.rotates = True
        self.pending_polls = 1
        """So often a device is told to wait."""
        self.denies = False
        self.is_down = False
        self.has_devices = True
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.refresh_tokens: set[str] = set()
        self.renewals = 0
        self._codes: dict[str, dict[str, str]] = {}
        self._devices: dict[str, int] = {}
        self._lock = threading.Lock()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.issuer = f"http://127.0.0.1:{self._http.server_port}"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join(5)

    def access_token(self, *, seconds: int | None = None) -> str:
        now = int(time.time())
        claims = {"email": self.email, "sub": self.email, "iss": "https://issuer.test", "iat": now - 5}
        claims |= {
            "exp": now + (self.token_seconds if seconds is None else seconds),
            "jti": secrets.token_hex(8),
        }
        head = _b64(json.dumps({"alg": "HS256", "typ": "JWT", "kid": "default"}).encode())
        signed = f"{head}.{_b64(json.dumps(claims).encode())}"
        return f"{signed}.{_b64(hmac.new(self.key, signed.encode(), hashlib.sha256).digest())}"

    def get(self, path: str, query: dict[str, str]) -> tuple[int, dict[str, str] | str]:
        """The answer to a GET: JSON, or where to redirect to."""
        if path == "/.well-known/oauth-authorization-server":
            ends = {"issuer": self.issuer, "authorization_endpoint": f"{self.issuer}/authorize"}
            ends |= {"token_endpoint": f"{self.issuer}/token"}
            if self.has_devices:
                ends["device_authorization_endpoint"] = f"{self.issuer}/device"
            return 200, ends
        if path != "/authorize":
            return 404, {}
        assert query["client_id"] == CLIENT_ID
        assert query["response_type"] == "code"
        assert query["code_challenge_method"] == "S256"
        if self.denies:
            return (
                302,
                f"{query['redirect_uri']}?{urlencode({'error': 'access_denied', 'state': query['state']})}",
            )
        code = secrets.token_urlsafe(16)
        self._codes[code] = query
        return 302, f"{query['redirect_uri']}?{urlencode({'code': code, 'state': query['state']})}"

    def post(self, path: str, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        if self.is_down:
            return 503, {}
        if form.get("client_id") != CLIENT_ID:
            return 401, {"error": "invalid_client"}
        if path == "/device":
            device = secrets.token_urlsafe(16)
            self._devices[device] = self.pending_polls
            return 200, {
                "device_code": device,
                "user_code": "WDJB-MJHT",
                "verification_uri": f"{self.issuer}/activate",
                "interval": 0.05,
                "expires_in": 60,
            }
        if form.get("client_secret") != CLIENT_SECRET:
            return 401, {"error": "invalid_client"}
        with self._lock:
            return {
                "authorization_code": self._redeem,
                "refresh_token": self._renew,
                "urn:ietf:params:oauth:grant-type:device_code": self._poll,
            }[form["grant_type"]](form)

    def _redeem(self, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        asked = self._codes.pop(form["code"], None)
        challenge = _b64(hashlib.sha256(form.get("code_verifier", "").encode()).digest())
        if not asked or asked["code_challenge"] != challenge or asked["redirect_uri"] != form["redirect_uri"]:
            return 400, {"error": "invalid_grant"}
        return self._tokens()

    def _poll(self, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        left = self._devices.get(form["device_code"])
        if left is None or self.denies:
            return 400, {"error": "access_denied", "error_description": "The person said no."}
        self._devices[form["device_code"]] = left - 1
        if left > 0:
            return 400, {"error": "authorization_pending"}
        del self._devices[form["device_code"]]
        return self._tokens()

    def _renew(self, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        if form["refresh_token"] not in self.refresh_tokens:
            return 400, {"error": "invalid_grant", "error_description": "Token has been expired or revoked."}
        self.renewals += 1
        if not self.rotates:
            return 200, {"access_token": self.access_token(), "token_type": "Bearer", "expires_in": 3600}
        self.refresh_tokens.discard(form["refresh_token"])
        return self._tokens()

    def _tokens(self) -> tuple[int, dict[str, Any]]:
        refresh_token = f"refresh-{secrets.token_urlsafe(16)}"
        self.refresh_tokens.add(refresh_token)
        return 200, {
            "access_token": self.access_token(),
            "refresh_token": refresh_token,
            "token_type": "Bearer",
            "expires_in": max(self.token_seconds, 3600),  # the provider may end it before: only use tells
        }


def _handler(owner: OAuthServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            owner.requests.append((parts.path, query))
            self._say(*owner.get(parts.path, query))

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            form = {name: values[0] for name, values in parse_qs(body).items()}
            owner.requests.append((self.path, form))
            self._say(*owner.post(self.path, form))

        def _say(self, status: int, answer: dict[str, Any] | str) -> None:
            self.send_response(status)
            if isinstance(answer, str):
                self.send_header("Location", answer)
                self.end_headers()
                return
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps(answer).encode())

        def log_message(self, format: str, *args: object) -> None:
            pass

    return Handler


def _b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
