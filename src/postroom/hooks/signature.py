"""Signature: Standard Webhooks 1.0 (https://www.standardwebhooks.com): whoever has the secret can tell that a call is ours."""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets
from collections.abc import Sequence

from postroom.errors import UsageError

_PREFIX = "whsec_"
_SECRET_BYTES = 32


def new_secret() -> str:
    """`whsec_` and 256 bits."""
    return _PREFIX + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def headers(secret_texts: Sequence[str], id_: str, at_seconds: int, body: bytes) -> dict[str, str]:
    """What a call bears: its id, when it was made, and a signature by each secret. Raises UsageError."""
    signed = f"{id_}.{at_seconds}.".encode() + body
    signatures = [
        base64.b64encode(hmac.digest(_key(each), signed, "sha256")).decode() for each in secret_texts
    ]
    return {
        "webhook-id": id_,
        "webhook-timestamp": str(at_seconds),
        "webhook-signature": " ".join(f"v1,{each}" for each in signatures),
    }


def _key(secret: str) -> bytes:
    try:
        return base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except binascii.Error as error:
        raise UsageError(reason="That is no secret of a webhook: it begins with whsec_.") from error
