"""JWKS: the public keys of an identity provider (RFC 7517), kept, and asked for again when one is missing.

A key that is known answers at once; the set is looked at again in the background every ten minutes. Tokens with made-up
key ids cannot make us ask more often than once in ten seconds.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx2
import orjson
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, JWKRegistry, OctKey, OKPKey, RSAKey

from postroom.api.problems import Problem

LOG = logging.getLogger("postroom.api")
Key = RSAKey | ECKey | OKPKey
FRESH_SECONDS, STALE_SECONDS, PAUSE_SECONDS = 600.0, 86_400.0, 10.0
_TIMEOUT_SECONDS = 5.0
_MOST_BYTES = 1024 * 1024
_RSA_BITS = 2048


class Keys:
    """`read` gives the document, `clock` counts seconds."""

    def __init__(
        self, read: Callable[[], Awaitable[bytes]], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._read, self._clock = read, clock
        self._known: dict[str, Key] = {}
        self._known_since: float | None = None
        self._tried_at: float | None = None
        self._lock = asyncio.Lock()
        self.looking: asyncio.Task[None] | None = None
        """A look at the set that nobody waits for."""

    async def find(self, kid: str | None) -> Key | None:
        """The key of this id; without one, the only key that there is. None for one that the provider does not have.
        Raises Problem where the provider's keys cannot be had."""
        key = self._of(kid)
        if key is None:
            await self._refresh()
            key = self._of(kid)
        elif self._age() > FRESH_SECONDS and (self.looking is None or self.looking.done()):
            self.looking = asyncio.create_task(self._refresh())
        if key is None and not self._known:
            detail = "The keys of the identity provider cannot be had just now. Try it again."
            raise Problem(503, "busy", detail, headers={"Retry-After": "10"})
        return key

    def _of(self, kid: str | None) -> Key | None:
        if self._age() > STALE_SECONDS:
            self._known = {}
        if kid is None:
            return next(iter(self._known.values())) if len(self._known) == 1 else None
        return self._known.get(kid)

    def _age(self) -> float:
        return 0.0 if self._known_since is None else self._clock() - self._known_since

    async def _refresh(self) -> None:
        async with self._lock:
            now = self._clock()
            if self._tried_at is not None and now - self._tried_at < PAUSE_SECONDS:
                return
            self._tried_at = now
            try:
                self._known = keys_in(await self._read())
                self._known_since = now
            except (OSError, ValueError, httpx2.HTTPError) as error:
                fields = {"reason": str(error) or type(error).__name__}
                LOG.warning("the keys of the identity provider could not be read", extra={"fields": fields})


def keys_in(document: bytes) -> dict[str, Key]:
    """The public keys that may sign, by their ids. Raises ValueError for what is no JWKS."""
    try:
        listed = orjson.loads(document)["keys"]
        items = [each for each in listed if isinstance(each, dict)]
    except (orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise ValueError("it is no JSON Web Key Set") from error
    found: dict[str, Key] = {}
    for each in items:
        key = _usable(each)
        if key is not None:
            found[str(each.get("kid", ""))] = key
    if not found:
        raise ValueError("it has no public key that can sign (RSA from 2048 bits, EC, OKP)")
    return found


def _usable(item: dict[str, Any]) -> Key | None:
    """A secret that signs and checks alike is none: whoever can read it could sign."""
    operations = item.get("key_ops")
    if item.get("use", "sig") != "sig" or (isinstance(operations, list) and "verify" not in operations):
        return None
    if item.get("kty") not in ("RSA", "EC", "OKP"):
        return None
    try:
        if item["kty"] == "RSA" and len(item["n"]) * 6 < _RSA_BITS:
            return None
        key = JWKRegistry.import_key(item)
    except (JoseError, ValueError, KeyError, TypeError):
        return None
    return None if isinstance(key, OctKey) else key


def reader(where: str) -> Callable[[], Awaitable[bytes]]:
    """Of a file, or of an address."""

    async def of_file() -> bytes:
        return await asyncio.to_thread(Path(where).read_bytes)

    async def of_address() -> bytes:
        async with (
            httpx2.AsyncClient(timeout=_TIMEOUT_SECONDS, follow_redirects=False) as http,
            http.stream("GET", where) as response,
        ):
            if response.status_code != 200:
                raise ValueError(f"{where} answered {response.status_code}")
            document = b""
            async for piece in response.aiter_bytes():
                document += piece
                if len(document) > _MOST_BYTES:
                    raise ValueError(f"{where} answered more than {_MOST_BYTES} bytes")
            return document

    return of_address if "://" in where else of_file
