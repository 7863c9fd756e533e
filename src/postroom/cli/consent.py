"""Consent: a person lets Postroom into a mailbox, by a code typed elsewhere or in a browser on this machine."""

from __future__ import annotations

import threading
import webbrowser

from postroom.cli.frame import chosen, say
from postroom.errors import UsageError
from postroom.wire import oauth
from postroom.wire.loopback import Loopback

FLOWS = ("device", "browser")
_PATIENCE_SECONDS = 600


def consent(name: str, email: str, flow: str | None) -> oauth.Grant:
    """The grant of whoever owns the address. Raises UsageError, SignInRefused and ConnectionFailed."""
    from postroom.sync.tokens import client_of

    settings = chosen()
    provider = oauth.provider_of(name, scope=settings.oauth_scope, ca_file=settings.ca_file)
    client = client_of(settings, provider.name)
    if flow not in (None, *FLOWS):
        raise UsageError(reason=f"--oauth-flow is {flow!r}; there are device and browser.")
    if flow == "device" and provider.device_endpoint is None:
        reason = (
            f"{provider.name} gives no mail to devices; use --oauth-flow browser on a machine with a browser."
        )
        raise UsageError(reason=reason)
    if flow != "browser" and provider.device_endpoint is not None:
        return _by_device(provider, client)
    return _by_browser(provider, client, email)


def _by_device(provider: oauth.Provider, client: oauth.Client) -> oauth.Grant:
    asked = oauth.ask_for_device(provider, client)
    say(f"Open {asked.verification_uri} in any browser, and type the code {asked.user_code}")
    return oauth.wait_for_device(provider, client, asked)


def _by_browser(provider: oauth.Provider, client: oauth.Client, email: str) -> oauth.Grant:
    with Loopback(provider.redirect_host) as door:
        asked = oauth.ask_in_browser(provider, client, door.uri, email=email)
        say(
            f"Sign in as {email} in the browser. If none opens, open this yourself, on this machine: {asked.url}"
        )
        # Beside us: some browsers end only when the page has come, and it comes through us.
        threading.Thread(target=webbrowser.open, args=(asked.url,), daemon=True).start()
        came_back = door.wait(asked.state, seconds=_PATIENCE_SECONDS)
    return oauth.redeem(provider, client, asked, came_back)
