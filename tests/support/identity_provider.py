"""An identity provider on a free port of 127.0.0.1: its public keys over HTTP, and tokens that it signs.

with IdentityProvider() as provider:
    running_service(store, folder, **provider.settings())
    provider.token(tenant=…, sub=…)
"""

from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from joserfc import jws, jwt
from joserfc.jwk import ECKey, OKPKey, RSAKey
from joserfc.registry import HeaderParameter

AUDIENCE = "postroom"
Key = RSAKey | ECKey | OKPKey


class IdentityProvider:
    def __init__(self) -> None:
        self.keys: dict[str, Key] = {"first": ECKey.generate_key("P-256")}
        """By their ids; the last one signs."""
        self.more: list[dict[str, Any]] = []
        """Listed besides them, whatever it is."""
        self.is_down = False
        self.asked = 0
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

    @property
    def address(self) -> str:
        return f"{self.issuer}/jwks.json"

    def settings(self) -> dict[str, str]:
        return {
            "POSTROOM_JWT_JWKS": self.address,
            "POSTROOM_JWT_ISSUER": self.issuer,
            "POSTROOM_JWT_AUDIENCE": AUDIENCE,
        }

    def document(self) -> dict[str, Any]:
        public = [{**key.as_dict(private=False), "kid": kid, "use": "sig"} for kid, key in self.keys.items()]
        return {"keys": [*self.more, *public]}

    def claims(self, **claims: Any) -> dict[str, Any]:
        """Good ones, but for what is given; None takes one away."""
        now = int(time.time())
        good = {"iss": self.issuer, "aud": AUDIENCE, "iat": now, "exp": now + 300, "scope": "read write"}
        return {name: value for name, value in (good | claims).items() if value is not None}

    def token(
        self, *, kid: str | None = None, key: Any = None, head: dict[str, Any] | None = None, **claims: Any
    ) -> str:
        kid = kid or list(self.keys)[-1]
        key = key or self.keys[kid]
        algorithm = {"EC": "ES256", "OKP": "EdDSA", "RSA": "RS256", "oct": "HS256"}[key.key_type]
        header = {"alg": algorithm, "kid": kid} | (head or {})
        header = {name: value for name, value in header.items() if value is not None}
        critical = {name: HeaderParameter(name, "int") for name in header.get("crit", [])}
        registry = jws.JWSRegistry(header_registry=critical, algorithms=[header["alg"]])
        return jwt.encode(header, self.claims(**claims), key, registry=registry)


def _handler(provider: IdentityProvider) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            provider.asked += 1
            body = json.dumps(provider.document()).encode()
            self.send_response(503 if provider.is_down else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    return Handler
