"""Limits: how many requests a key, and all keys of a tenant, may make. In Redis for several processes together.

Without Redis, and while it is away or silent, each process counts its own: requests are served all the same.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from limits import RateLimitItem, parse
from limits.aio.storage import MemoryStorage, Storage
from limits.aio.strategies import FixedWindowRateLimiter
from limits.errors import StorageError

from postroom.errors import SettingError, UsageError

_ANSWER_SECONDS = 0.5
"""How long Redis may take; a request waits no longer for a number."""
_LEFT_ALONE_SECONDS = 5.0
"""How long it is not asked again when it did not answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How a key stands after a request: what the headers say (draft-ietf-httpapi-ratelimit-headers)."""

    allowed: bool
    limit: int
    window_seconds: int
    remaining: int
    reset_seconds: int

    def headers(self) -> dict[str, str]:
        found = {
            "RateLimit-Policy": f'"key";q={self.limit};w={self.window_seconds}',
            "RateLimit": f'"key";r={self.remaining};t={self.reset_seconds}',
        }
        return found if self.allowed else found | {"Retry-After": str(self.reset_seconds)}


class Limits:
    """Counts requests in fixed windows."""

    def __init__(self, *, key_rate: str, tenant_rate: str, redis_url: str | None) -> None:
        self._of_key = _rate("POSTROOM_SERVICE_RATE", key_rate)
        self._of_tenant = _rate("POSTROOM_SERVICE_TENANT_RATE", tenant_rate)
        self._alone = FixedWindowRateLimiter(MemoryStorage())
        self._pool, storage = _redis(redis_url) if redis_url else (None, None)
        self._together = FixedWindowRateLimiter(storage) if storage else None
        self._asked_again_at = 0.0

    async def count(self, key_id: UUID, tenant_id: UUID) -> Standing | None:
        """One request more. None where there is no limit."""
        if self._together and time.monotonic() >= self._asked_again_at:
            try:
                return await self._count(self._together, key_id, tenant_id)
            except StorageError:
                self._asked_again_at = time.monotonic() + _LEFT_ALONE_SECONDS
        return await self._count(self._alone, key_id, tenant_id)

    async def close(self) -> None:
        """End the connections to Redis."""
        if self._pool:
            await self._pool.aclose()

    async def _count(self, counter: FixedWindowRateLimiter, key_id: UUID, tenant_id: UUID) -> Standing | None:
        standing = await _hit(counter, self._of_key, "key", key_id)
        if standing is not None and not standing.allowed:
            return standing
        whole = await _hit(counter, self._of_tenant, "tenant", tenant_id)
        return whole if whole is not None and not whole.allowed else standing


async def _hit(
    counter: FixedWindowRateLimiter, rate: RateLimitItem | None, kind: str, whose: UUID
) -> Standing | None:
    if rate is None:
        return None
    name = (kind, whose.hex)
    allowed = await counter.hit(rate, *name)
    window = await counter.get_window_stats(rate, *name)
    return Standing(
        allowed=allowed,
        limit=rate.amount,
        window_seconds=rate.get_expiry(),
        remaining=max(0, window.remaining),
        reset_seconds=max(1, round(window.reset_time - time.time())),
    )


def _rate(name: str, text: str) -> RateLimitItem | None:
    if text.strip() == "0":
        return None
    try:
        return parse(text)
    except ValueError as error:
        raise SettingError(name=name, value=text, expected="a rate such as 600/minute, or 0") from error


def _redis(url: str) -> tuple[Any, Storage]:
    """The connections, and what counts through them."""
    try:
        from limits.aio.storage import RedisStorage
        from redis.asyncio import ConnectionPool
        from redis.asyncio.retry import Retry
        from redis.backoff import NoBackoff

        pool = ConnectionPool.from_url(
            url,
            socket_connect_timeout=_ANSWER_SECONDS,
            socket_timeout=_ANSWER_SECONDS,
            retry=Retry(NoBackoff(), 0),
        )
        # The library's stub knows plain values only, and passes this on to Redis.
        more: dict[str, Any] = {"connection_pool": pool}
        return pool, RedisStorage(f"async+{url}", wrap_exceptions=True, implementation="redispy", **more)
    except Exception as error:
        raise UsageError(
            reason=f"POSTROOM_REDIS_URL is set and cannot be used ({error}). Install the extra: pip install 'postroom[redis]'."
        ) from error
