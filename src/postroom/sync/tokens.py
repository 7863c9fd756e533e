"""Access tokens: given out while they hold, renewed when they do not, by one program at a time."""

from __future__ import annotations

import asyncio
import time
from functools import partial

from postroom.errors import UsageError
from postroom.model import AccountId, CredentialId, TenantId
from postroom.settings import Settings
from postroom.store import credentials
from postroom.store.credentials import MasterKey
from postroom.store.database import Database
from postroom.sync.aside import aside
from postroom.wire import oauth


class AccessTokens:
    """The `sasl.Tokens` of one credential: called in a thread of the wire while the loop of the database runs."""

    def __init__(
        self,
        db: Database,
        settings: Settings,
        tenant_id: TenantId,
        account_id: AccountId,
        credential_id: CredentialId,
        email_address: str,
        master: MasterKey,
    ) -> None:
        self._db = db
        self._settings = settings
        self._tenant_id = tenant_id
        self._account_id = account_id
        self._credential_id = credential_id
        self._email_address = email_address
        self._master = master
        self._loop = asyncio.get_running_loop()

    def __call__(self, refused: str | None) -> str:
        """A token that should be taken; never the one that was refused."""
        return asyncio.run_coroutine_threadsafe(self.token(refused), self._loop).result()

    async def token(self, refused: str | None = None) -> str:
        """The same for whoever is on the loop. Raises SignInExpired."""
        async with self._db.tenant(self._tenant_id) as tx:
            # Under the lock from here: what the provider rotates is stored in the same transaction.
            secret = await credentials.get(tx, self._credential_id, self._master, for_update=True)
            grant = oauth.Grant.from_json(secret.value)
            if grant.access_token != refused and grant.is_fresh(time.time()):
                return grant.access_token
            client = client_of(self._settings, grant.provider, known_id=grant.client_id)
            fresh = await aside(partial(oauth.renewed, grant, client, email=self._email_address))
            await credentials.replace(
                tx, self._account_id, self._credential_id, "oauth2", fresh.to_json(), self._master
            )
        return fresh.access_token


def client_of(settings: Settings, provider: str, *, known_id: str | None = None) -> oauth.Client:
    """Who we are to this provider. Raises UsageError where nobody registered us there."""
    found = {
        "google": (settings.oauth_google_client_id, settings.oauth_google_client_secret),
        "microsoft": (settings.oauth_microsoft_client_id, settings.oauth_microsoft_client_secret),
    }.get(provider, (settings.oauth_client_id, settings.oauth_client_secret))
    client_id = known_id or found[0]
    if client_id is None:
        infix = f"{provider.upper()}_" if provider in oauth.KNOWN else ""
        reason = (
            f"Postroom is not registered with {provider}: set POSTROOM_OAUTH_{infix}CLIENT_ID. How to get one: "
            "docs/howto/register-an-oauth-app.md."
        )
        raise UsageError(reason=reason)
    return oauth.Client(id=client_id, secret=found[1], ca_file=settings.ca_file)
