"""Webhooks: whether what came in was sent by Postroom (Standard Webhooks 1.0.0).

event = verify_webhook(request.headers, request.body, secret)
"""

from __future__ import annotations

import base64
import binascii
import hmac
import time
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

TOLERANCE_SECONDS = 300
_PREFIX = "whsec_"


class WebhookRefused(Exception):
    """It was not sent by who has the secret, or not now."""


def verify_webhook(
    headers: Mapping[str, str],
    body: bytes | str,
    secret: str | Sequence[str],
    *,
    tolerance_seconds: float = TOLERANCE_SECONDS,
    now: float | None = None,
) -> dict[str, Any]:
    """What `body` says, if it is signed with the secret: `whsec_…`, or several while one takes the place of another.
    `body` are the bytes as they came. Answer an event whose `webhook-id` you know with 200 and do nothing: deliveries are
    repeated. Raises WebhookRefused."""
    raw = body.encode() if isinstance(body, str) else body
    found = {name.lower(): value for name, value in headers.items()}
    try:
        id_, stamp = found["webhook-id"], found["webhook-timestamp"]
        signatures = found["webhook-signature"].split()
    except KeyError as error:
        raise WebhookRefused(f"The header {error.args[0]} is missing.") from error
    _check_time(stamp, tolerance_seconds, time.time() if now is None else now)
    signed = f"{id_}.{stamp}.".encode("utf-8", "surrogateescape") + raw
    secrets = [secret] if isinstance(secret, str) else secret
    wanted = [hmac.digest(_key(each), signed, "sha256") for each in secrets]
    if not any(hmac.compare_digest(mac, _mac(given)) for mac in wanted for given in signatures):
        raise WebhookRefused("No signature is of this secret and this body.")
    try:
        said = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise WebhookRefused("The body is no JSON.") from error
    if not isinstance(said, dict):
        raise WebhookRefused("The body is no object.")
    return said


def _check_time(stamp: str, tolerance_seconds: float, now: float) -> None:
    if not (stamp.isascii() and stamp.isdigit()) or len(stamp) > 15:
        raise WebhookRefused("The header webhook-timestamp is no time.")
    if abs(now - int(stamp)) > tolerance_seconds:
        raise WebhookRefused("It was signed too long ago, or one of the two clocks is wrong.")


def _key(secret: str) -> bytes:
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError("A secret of a webhook is whsec_ and base64.") from error
    if not key:
        raise ValueError("The secret of the webhook is empty.")
    return key


def _mac(given: str) -> bytes:
    """The bytes of a signature of version 1; none of any other."""
    version, _, text = given.partition(",")
    try:
        return base64.b64decode(text, validate=True) if version == "v1" else b""
    except (binascii.Error, ValueError):
        return b""
