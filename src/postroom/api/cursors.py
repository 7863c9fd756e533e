"""Cursors: where a list goes on, authenticated so that nobody makes one up or uses another's.

The code covers tenant, user, list and filters: a cursor opens the list that it came from, and nothing else.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from uuid import UUID

import orjson

from postroom.api.problems import Problem, bad

_MAC_BYTES = 16
_MOST = 100_000


class Cursors:
    """All processes of an installation make the same cursors of the same key."""

    def __init__(self, key: bytes) -> None:
        self._key = hmac.digest(key, b"postroom cursors", "sha256")

    def seal(self, about: str, tenant_id: UUID, user_id: UUID | None, position: object) -> str:
        """`about` names the list and its filters."""
        payload = orjson.dumps(position)
        code = self._code(about, tenant_id, user_id, payload)
        return base64.urlsafe_b64encode(code + payload).decode().rstrip("=")

    def open(
        self, about: str, tenant_id: UUID, user_id: UUID | None, cursor: str, field: str
    ) -> list[int | str]:
        """The position. Raises Problem for what was not sealed for this list, tenant and user."""
        try:
            if len(cursor) > _MOST:
                raise ValueError(cursor)
            sealed = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
            code, payload = sealed[:_MAC_BYTES], sealed[_MAC_BYTES:]
            if not hmac.compare_digest(code, self._code(about, tenant_id, user_id, payload)):
                raise _no_cursor(field)
            return orjson.loads(payload)
        except (binascii.Error, ValueError) as error:
            raise _no_cursor(field) from error

    def _code(self, about: str, tenant_id: UUID, user_id: UUID | None, payload: bytes) -> bytes:
        bound = hashlib.blake2b(key=self._key, digest_size=_MAC_BYTES)
        bound.update(tenant_id.bytes + (user_id.bytes if user_id else b"-" * 16))
        bound.update(len(about).to_bytes(4, "big") + about.encode("utf-8", "surrogatepass") + payload)
        return bound.digest()


def _no_cursor(field: str) -> Problem:
    reason = "That is no cursor of this list. Use the 'next' of its last page, with the same filters."
    return bad(reason, field, "bad_cursor")
