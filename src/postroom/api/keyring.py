"""Keyring: whose key or token somebody shows, remembered for two seconds."""

from __future__ import annotations

import time

from postroom.api import tokens
from postroom.api.tokens import Tokens
from postroom.errors import TenantErasing, TenantSuspended
from postroom.ids import now_ms
from postroom.store import api_keys, tenants
from postroom.store.api_keys import Identity
from postroom.store.database import Database

KNOWN_FOR_SECONDS = 2.0
"""How long a key that was revoked may still be good."""
_MOST = 10_000


class Keyring:
    """Asks the database about a key, and the provider's keys about a token, once in two seconds."""

    def __init__(self, db: Database, of_provider: Tokens | None = None) -> None:
        self._db, self._tokens = db, of_provider
        self._known: dict[bytes, tuple[float, Identity | None]] = {}

    async def identity_of(self, text: str) -> Identity | None:
        """Whose it is; None for none, or one that is over. Raises Problem where the provider cannot be asked."""
        hashed, now = api_keys.hash_of(text), time.monotonic()
        asked_at, found = self._known.get(hashed, (0.0, None))
        if found is None or asked_at + KNOWN_FOR_SECONDS < now:
            found = await self._ask(text)
            if len(self._known) >= _MOST:
                self._known.clear()
            if found is not None:
                self._known[hashed] = (now, found)
            else:
                self._known.pop(hashed, None)
        if found is not None and found.expires_at is not None and found.expires_at <= now_ms():
            return None
        return found

    async def _ask(self, text: str) -> Identity | None:
        if text.startswith(f"{api_keys.OF_TENANT}_") and len(text) <= 200:
            async with self._db.system() as tx:
                return await api_keys.identity_of(tx, text)
        if self._tokens is None or not tokens.may_be(text):
            return None
        found = await self._tokens.identity_of(text)
        return found if found is not None and await self._is_there(found) else None

    async def _is_there(self, found: Identity) -> bool:
        try:
            async with self._db.tenant(found.tenant_id) as tx:
                return await tenants.is_there(tx)
        except (TenantSuspended, TenantErasing):
            return True  # which the request is told when it opens its transaction
