"""Keyring: whose key somebody shows, remembered for two seconds."""

from __future__ import annotations

import time

from postroom.ids import now_ms
from postroom.store import api_keys
from postroom.store.api_keys import Identity
from postroom.store.database import Database

KNOWN_FOR_SECONDS = 2.0
"""How long a key that was revoked may still be good."""
_MOST = 10_000


class Keyring:
    """Asks the database about a key once in two seconds."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._known: dict[bytes, tuple[float, Identity | None]] = {}

    async def identity_of(self, text: str) -> Identity | None:
        """Whose key it is; None for none, or one that is over."""
        if not text.startswith(f"{api_keys.OF_TENANT}_") or len(text) > 200:
            return None
        hashed, now = api_keys.hash_of(text), time.monotonic()
        asked_at, found = self._known.get(hashed, (0.0, None))
        if found is None or asked_at + KNOWN_FOR_SECONDS < now:
            async with self._db.system() as tx:
                found = await api_keys.identity_of(tx, text)
            if len(self._known) >= _MOST:
                self._known.clear()
            if found is not None:
                self._known[hashed] = (now, found)
            else:
                self._known.pop(hashed, None)
        if found is not None and found.expires_at is not None and found.expires_at <= now_ms():
            return None
        return found
