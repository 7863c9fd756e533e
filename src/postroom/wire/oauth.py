"""OAuth 2.0 for mail: how consent is asked for, and how access tokens are renewed (RFC 6749)."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
from authlib.common.security import generate_token
from authlib.integrations.base_client import OAuthError
from authlib.integrations.httpx_client import OAuth2Client

from postroom.errors import SignInExpired, SignInRefused
from postroom.wire import tls
from postroom.wire.oauth_providers import KNOWN, TIMEOUT_SECONDS, Provider, client_errors, provider_of, said

__all__ = ["KNOWN", "Authorization", "Client", "DeviceCode", "Grant", "Provider", "provider_of"]

DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"  # RFC 8628 3.4
_LEEWAY_SECONDS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """Who we are to the provider: a registered application."""

    id: str
    secret: str | None = field(default=None, repr=False)
    ca_file: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What a person granted: kept sealed."""

    provider: str
    token_endpoint: str
    client_id: str
    scope: str
    refresh_token: str | None = field(repr=False)
    access_token: str = field(repr=False)
    expires_at: int
    """Seconds since 1970."""

    def is_fresh(self, now: float) -> bool:
        return now + _LEEWAY_SECONDS < self.expires_at

    def to_json(self) -> bytes:
        return json.dumps(asdict(self)).encode()

    @classmethod
    def from_json(cls, raw: bytes) -> Grant:
        return cls(**json.loads(raw))


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceCode:
    """What a person is to type where (RFC 8628 3.2)."""

    user_code: str
    verification_uri: str
    device_code: str = field(repr=False)
    interval_seconds: float
    expires_in_seconds: float


def ask_for_device(provider: Provider, client: Client) -> DeviceCode:
    """Begin the device flow (RFC 8628 3.1)."""
    assert provider.device_endpoint
    form = {"client_id": client.id, "scope": provider.scope}
    with (
        client_errors(provider.name),
        httpx2.Client(verify=tls.context(client.ca_file), timeout=TIMEOUT_SECONDS) as http,
    ):
        answer = http.post(provider.device_endpoint, data=form)
        found = answer.json()
    if answer.status_code != 200 or "device_code" not in found:
        raise SignInRefused(where=provider.name, reason=said(found))
    return DeviceCode(
        user_code=str(found["user_code"]),
        verification_uri=str(found.get("verification_uri") or found["verification_url"]),
        device_code=str(found["device_code"]),
        interval_seconds=float(found.get("interval", 5)),
        expires_in_seconds=float(found.get("expires_in", 900)),
    )


def wait_for_device(
    provider: Provider, client: Client, asked: DeviceCode, *, sleep: Callable[[float], None] = time.sleep
) -> Grant:
    """Ask again and again until the person has decided (RFC 8628 3.5). Raises SignInRefused."""
    interval, waited = asked.interval_seconds, 0.0
    with _session(provider, client) as session:
        while waited < asked.expires_in_seconds:
            sleep(interval)
            waited += interval
            try:
                token = session.fetch_token(
                    provider.token_endpoint,
                    grant_type=DEVICE_GRANT,
                    device_code=asked.device_code,
                    client_id=client.id,
                )
            except OAuthError as error:
                if error.error == "slow_down":
                    interval += 5
                elif error.error != "authorization_pending":
                    raise
            else:
                return _grant(provider, client, token)
    raise SignInRefused(where=provider.name, reason="nobody typed the code in time")


@dataclass(frozen=True, slots=True, kw_only=True)
class Authorization:
    """A request for consent in a browser, and what must come back (RFC 8252, RFC 7636)."""

    url: str
    state: str
    redirect_uri: str
    verifier: str = field(repr=False)


def ask_in_browser(provider: Provider, client: Client, redirect_uri: str, *, email: str) -> Authorization:
    """The URL to open. Nothing is sent yet."""
    verifier = generate_token(64)
    with _session(provider, client, redirect_uri=redirect_uri) as session:
        url, state = session.create_authorization_url(
            provider.authorization_endpoint, code_verifier=verifier, login_hint=email, **provider.more
        )
    return Authorization(url=url, state=state, redirect_uri=redirect_uri, verifier=verifier)


def redeem(provider: Provider, client: Client, asked: Authorization, came_back: str) -> Grant:
    """The grant for what the browser brought back. Raises SignInRefused, also for an answer to another request."""
    answer = {name: values[0] for name, values in parse_qs(urlsplit(came_back).query).items()}
    if answer.get("state") != asked.state:  # RFC 6749 10.12
        raise SignInRefused(where=provider.name, reason="the answer is not to our question")
    if "error" in answer:
        raise SignInRefused(where=provider.name, reason=said(answer))
    with _session(provider, client, redirect_uri=asked.redirect_uri, state=asked.state) as session:
        token = session.fetch_token(
            provider.token_endpoint, authorization_response=came_back, code_verifier=asked.verifier
        )
        return _grant(provider, client, token)


def renewed(grant: Grant, client: Client, *, email: str) -> Grant:
    """The grant with a new access token, and with the new refresh token where there is one (RFC 6749 6).

    Raises SignInExpired where a person must sign in again, ConnectionFailed where it may go better later.
    """
    again = f"postroom account add --email {email} --oauth {grant.provider}"
    if grant.refresh_token is None:
        reason = "the access token has run out, and the provider gave none to renew it with"
        raise SignInExpired(where=grant.provider, reason=reason, again=again)
    provider = Provider(
        name=grant.provider, authorization_endpoint="", token_endpoint=grant.token_endpoint, scope=grant.scope
    )
    try:
        with _session(provider, client) as session:
            token = session.refresh_token(grant.token_endpoint, refresh_token=grant.refresh_token)
    except SignInRefused as error:
        raise SignInExpired(where=grant.provider, reason=error.fields["reason"], again=again) from error
    return _grant(provider, client, {"refresh_token": grant.refresh_token} | dict(token))


def _grant(provider: Provider, client: Client, token: Mapping[str, Any]) -> Grant:
    if not token.get("access_token"):
        raise SignInRefused(where=provider.name, reason="it gave no access token")
    return Grant(
        provider=provider.name,
        token_endpoint=provider.token_endpoint,
        client_id=client.id,
        scope=provider.scope,
        refresh_token=token.get("refresh_token"),
        access_token=str(token["access_token"]),
        expires_at=int(time.time() + float(token.get("expires_in") or 3600)),
    )


@contextmanager
def _session(
    provider: Provider, client: Client, *, redirect_uri: str | None = None, state: str | None = None
) -> Iterator[Any]:
    session: Any = OAuth2Client(
        client_id=client.id,
        client_secret=client.secret,
        token_endpoint_auth_method="client_secret_post" if client.secret else "none",
        scope=provider.scope,
        redirect_uri=redirect_uri,
        state=state,
        code_challenge_method="S256",  # RFC 7636 4.2
        verify=tls.context(client.ca_file),
        timeout=TIMEOUT_SECONDS,
    )
    with client_errors(provider.name), closing(session):
        yield session
