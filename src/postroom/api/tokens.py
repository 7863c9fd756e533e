"""Tokens: who somebody is by the word of the application's own identity provider (JWT, RFC 7519)."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from joserfc import jws, jwt
from joserfc.errors import JoseError, SecurityWarning

from postroom.api.jwks import Keys, reader
from postroom.errors import SettingError
from postroom.model import TenantId, UserId
from postroom.settings import Settings
from postroom.store.api_keys import SCOPES, Identity, Scope

ALGORITHMS = tuple("RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 EdDSA Ed25519".split())
"""Signed with one key and checked with another: what checks is public, and signs nothing."""
# RFC 9864 has other names for it, which few providers write yet.
warnings.filterwarnings("ignore", "EdDSA is deprecated", SecurityWarning)
SKEW_SECONDS = 60
MOST_CHARACTERS = 8000
_OURS = "127.0.0.1", "localhost", "::1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """What is believed of whom."""

    jwks: str
    issuer: str
    audience: str
    algorithms: tuple[str, ...]
    tenant_claim: str
    user_claim: str | None
    """None: a token is of the whole tenant."""
    scope_claim: str
    scope_prefix: str


class Tokens:
    """Checks tokens with the provider's keys."""

    def __init__(self, provider: Provider, keys: Keys, *, now: Callable[[], float] = time.time) -> None:
        self._provider, self._keys, self._now = provider, keys, now

    async def identity_of(self, text: str) -> Identity | None:
        """Who it is, in a tenant of which nothing is known yet; None for whatever is wrong. Raises Problem where the
        provider cannot be asked."""
        try:
            header = jws.extract_compact(text.encode("ascii")).headers()
            kid = header.get("kid")
            if header.get("alg") not in self._provider.algorithms or not isinstance(kid, str | None):
                return None
            key = await self._keys.find(kid)
            if key is None:
                return None
            said = jwt.decode(text, key, algorithms=self._provider.algorithms).claims
            self._validate(said)
            return _identity(self._provider, said)
        except (JoseError, ValueError, TypeError, KeyError, OverflowError):
            return None

    def _validate(self, claims: dict[str, Any]) -> None:
        jwt.JWTClaimsRegistry(
            now=int(self._now()),
            leeway=SKEW_SECONDS,
            iss={"essential": True, "value": self._provider.issuer},
            aud={"essential": True, "value": self._provider.audience},
            exp={"essential": True},
        ).validate(claims)


def may_be(text: str) -> bool:
    """Three parts with points between them: signed, not sealed."""
    return text.count(".") == 2 and text.isascii() and len(text) <= MOST_CHARACTERS


def tokens_of(settings: Settings) -> Tokens | None:
    """What the settings say; None where they say nothing of a provider. Raises SettingError."""
    provider = provider_of(settings)
    return provider and Tokens(provider, Keys(reader(provider.jwks)))


def provider_of(settings: Settings) -> Provider | None:
    if not settings.jwt_jwks:
        return None
    for name in ("issuer", "audience"):
        if not getattr(settings, f"jwt_{name}"):
            expected = f"the {name} that tokens must name, since POSTROOM_JWT_JWKS is set"
            raise SettingError(name=f"POSTROOM_JWT_{name.upper()}", value="", expected=expected)
    parts = urlsplit(settings.jwt_jwks)
    is_safe = parts.scheme in ("", "https") or (parts.scheme == "http" and parts.hostname in _OURS)
    if not is_safe:
        raise SettingError(
            name="POSTROOM_JWT_JWKS",
            value=settings.jwt_jwks,
            expected="an https address, an http address of this machine, or a file",
        )
    algorithms = tuple(settings.jwt_algorithms.replace(",", " ").split())
    if not algorithms or set(algorithms) - set(ALGORITHMS):
        expected = f"some of {', '.join(ALGORITHMS)}"
        raise SettingError(name="POSTROOM_JWT_ALGORITHMS", value=settings.jwt_algorithms, expected=expected)
    return Provider(
        jwks=settings.jwt_jwks,
        issuer=str(settings.jwt_issuer),
        audience=str(settings.jwt_audience),
        algorithms=algorithms,
        tenant_claim=settings.jwt_tenant_claim,
        user_claim=None if settings.jwt_user_claim == "none" else settings.jwt_user_claim,
        scope_claim=settings.jwt_scope_claim,
        scope_prefix=settings.jwt_scope_prefix,
    )


def _identity(provider: Provider, claims: dict[str, Any]) -> Identity:
    """Raises ValueError, TypeError, KeyError for a token that does not say of whom it is."""
    user = None if provider.user_claim is None else UserId(UUID(_text(claims[provider.user_claim])))
    said = claims.get(provider.scope_claim, "")
    words = said if isinstance(said, list) else _text(said).split()
    scopes = frozenset[Scope](each for each in SCOPES if f"{provider.scope_prefix}{each}" in words)
    if not math.isfinite(claims["exp"]):
        raise ValueError("exp")
    return Identity(
        key_id=None,
        prefix="jwt",
        tenant_id=TenantId(UUID(_text(claims[provider.tenant_claim]))),
        user_id=user,
        scopes=scopes,
        expires_at=int(claims["exp"] + SKEW_SECONDS) * 1000,
    )


def _text(said: Any) -> str:
    if not isinstance(said, str):
        raise TypeError("a claim is no text")
    return said
