"""OAuth providers: where their endpoints are, and how their answers and troubles are read (RFC 8414)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
from authlib.integrations.base_client import OAuthError

from postroom.errors import ConnectionFailed, SignInRefused, UsageError
from postroom.wire import tls

TIMEOUT_SECONDS = 20
_OUTLOOK = "https://outlook.office.com"
_MICROSOFT = "https://login.microsoftonline.com/common/oauth2/v2.0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """An authorization server and what to ask it for."""

    name: str
    """`google`, `microsoft`, or the URL of the issuer."""
    authorization_endpoint: str
    token_endpoint: str
    device_endpoint: str | None = None
    scope: str = ""
    more: Mapping[str, str] = field(default_factory=dict)
    """Further parameters of the authorization request."""
    redirect_host: str = "127.0.0.1"  # RFC 8252 8.3: not localhost, except where only that can be registered


GOOGLE = Provider(
    name="google",
    authorization_endpoint="https://accounts.google.com/o/oauth2/v2/auth",
    token_endpoint="https://oauth2.googleapis.com/token",  # noqa: S106
    scope="https://mail.google.com/",  # which Google does not give to devices (2026-11): only the browser is left
    more={"access_type": "offline", "prompt": "consent"},
)
MICROSOFT = Provider(
    name="microsoft",
    authorization_endpoint=f"{_MICROSOFT}/authorize",
    token_endpoint=f"{_MICROSOFT}/token",
    device_endpoint=f"{_MICROSOFT}/devicecode",
    scope=" ".join(
        (
            f"{_OUTLOOK}/IMAP.AccessAsUser.All",
            f"{_OUTLOOK}/POP.AccessAsUser.All",
            f"{_OUTLOOK}/SMTP.Send",
            "offline_access",
        )
    ),
    redirect_host="localhost",
)
KNOWN = {each.name: each for each in (GOOGLE, MICROSOFT)}


def provider_of(name: str, *, scope: str | None, ca_file: Path | None) -> Provider:
    """The provider of this name, or the one whose issuer this URL is, as it describes itself.

    RFC 8414, or the older OpenID Connect Discovery. Raises UsageError and ConnectionFailed.
    """
    if name in KNOWN:
        return KNOWN[name]
    issuer = name.rstrip("/")
    _must_be_safe(issuer, what="--oauth")
    found = _described(issuer, ca_file)
    if str(found.get("issuer", "")).rstrip("/") != issuer:  # RFC 8414 3.3
        raise UsageError(reason=f"{name} says that its issuer is {found.get('issuer')!r}; give that URL.")
    ends = {each: str(found.get(each) or "") for each in ("authorization_endpoint", "token_endpoint")}
    device = found.get("device_authorization_endpoint")
    for end in (*ends.values(), *([device] if device else [])):
        _must_be_safe(str(end), what=f"An endpoint of {name}")
    return Provider(
        name=issuer,
        authorization_endpoint=ends["authorization_endpoint"],
        token_endpoint=ends["token_endpoint"],
        device_endpoint=str(device) if device else None,
        scope=scope or "openid offline_access",
    )


def _described(issuer: str, ca_file: Path | None) -> dict[str, Any]:
    parts = urlsplit(issuer)
    places = (
        f"{parts.scheme}://{parts.netloc}/.well-known/oauth-authorization-server{parts.path}",
        f"{issuer}/.well-known/openid-configuration",
    )
    with client_errors(issuer), httpx2.Client(verify=tls.context(ca_file), timeout=TIMEOUT_SECONDS) as http:
        for place in places:
            answer = http.get(place)
            if answer.status_code == 200:
                found = answer.json()
                if isinstance(found, dict):
                    return found
    reason = f"{issuer} does not say where its endpoints are (RFC 8414). Is it the issuer's URL?"
    raise UsageError(reason=reason)


def _must_be_safe(url: str, *, what: str) -> None:
    """https, or this machine."""
    parts = urlsplit(url)
    is_here = parts.hostname in ("127.0.0.1", "::1", "localhost")
    if not parts.hostname or parts.scheme not in (("https", "http") if is_here else ("https",)):
        reason = f"{what} is {url!r}; it is google, microsoft, or a URL that begins with https://."
        raise UsageError(reason=reason)


@contextmanager
def client_errors(where: str) -> Iterator[None]:
    """Foreign errors stop here; what a provider says goes on without what we sent."""
    try:
        yield
    except OAuthError as error:
        answer = {"error": error.error, "error_description": error.description}
        raise SignInRefused(where=where, reason=said(answer)) from None
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        reason = str(error).rstrip(".") or type(error).__name__
        raise ConnectionFailed(where=where, reason=reason) from None
    except (ValueError, KeyError) as error:
        reason = f"its answer is not understood ({type(error).__name__})"
        raise ConnectionFailed(where=where, reason=reason) from None


def said(answer: Mapping[str, Any]) -> str:
    """What a provider says went wrong, on one line."""
    text = " ".join(
        str(answer.get("error_description") or answer.get("error") or "it gave no reason").split()
    )
    return text[:300].rstrip(".")
