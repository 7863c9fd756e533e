"""Signing: reports that this installation can be held to, by an Ed25519 key of its own (RFC 8032).

What is signed is the report as JSON without its member `signature`: keys sorted, no white space, UTF-8.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping
from typing import Any

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from postroom.errors import NotFound, SignatureRefused
from postroom.ops.key_files import make_key, read_key
from postroom.settings import Settings

_WHAT = "signing key"
_ALGORITHM = "Ed25519"


class SigningKey:
    """The key that signs the reports of this installation. It hides itself in logs and errors."""

    __slots__ = ("_key", "public_key")

    def __init__(self, seed: bytes) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self.public_key = base64.b64encode(self._key.public_key().public_bytes_raw()).decode()
        """32 bytes in base64: for whoever is to check the reports later."""

    def __repr__(self) -> str:
        return f"SigningKey({key_id(self.public_key)!r})"

    def sign(self, report: Mapping[str, Any]) -> dict[str, Any]:
        """The report with its signature. Values are what JSON knows, without fractions."""
        signature = {
            "algorithm": _ALGORITHM,
            "key_id": key_id(self.public_key),
            "public_key": self.public_key,
            "value": base64.b64encode(self._key.sign(_signed(report))).decode(),
        }
        return {**report, "signature": signature}


def signing_key(settings: Settings, *, make: bool = True) -> SigningKey:
    """The key of this installation, made at first use. Raises StoreError, or NotFound when it is not to be made."""
    path = settings.signing_key_file or settings.home / "signing.key"
    if settings.signing_key_file is None and not path.exists():
        if not make:
            raise NotFound(what="signing key", name=str(path), mend="Name the one that signed it: --key.")
        make_key(path, _WHAT)
    return SigningKey(read_key(path, _WHAT))


def verify(report: Mapping[str, Any], public_key: str) -> None:
    """Whether this key signed the report, and nobody changed it since. Raises SignatureRefused."""
    signature = report.get("signature")
    if not isinstance(signature, dict) or signature.get("algorithm") != _ALGORITHM:
        raise SignatureRefused(reason="it bears no signature of Ed25519")
    try:
        key = Ed25519PublicKey.from_public_bytes(base64.b64decode(public_key, validate=True))
        value = base64.b64decode(signature["value"], validate=True)
        key.verify(value, _signed(report))
    except (ValueError, TypeError, KeyError, binascii.Error):
        raise SignatureRefused(reason="the signature or the key is damaged") from None
    except InvalidSignature:
        if signature.get("public_key") != public_key:
            reason = f"it was signed by key {signature.get('key_id')}, not by {key_id(public_key)}"
            raise SignatureRefused(reason=reason) from None
        raise SignatureRefused(reason="it is not what was signed") from None


def key_id(public_key: str) -> str:
    """A short name of a public key, to compare by eye."""
    return hashlib.sha256(public_key.encode()).hexdigest()[:12]


def _signed(report: Mapping[str, Any]) -> bytes:
    bare = {name: value for name, value in report.items() if name != "signature"}
    return orjson.dumps(bare, option=orjson.OPT_SORT_KEYS)
