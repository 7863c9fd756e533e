"""Who is asking: a key or token in the header becomes a caller, with its tenant and no other."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request

from postroom.api.context import Context
from postroom.api.problems import Problem
from postroom.store.api_keys import OF_INSTALLATION, Identity, Scope
from postroom.store.database import TenantTx


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Whoever showed the key."""

    context: Context
    identity: Identity
    key: str

    @property
    def tenant_id(self) -> UUID:
        return self.identity.tenant_id

    @property
    def user_id(self) -> UUID | None:
        return self.identity.user_id

    def tx(self) -> AbstractAsyncContextManager[TenantTx]:
        """A transaction in which there is what the caller may see."""
        who = self.identity
        return self.context.db.tenant(who.tenant_id, who.user_id, api_key_id=who.key_id)

    def tenant_tx(self) -> AbstractAsyncContextManager[TenantTx]:
        """One of the whole tenant, for what no user may write: bytes. What the user may do was asked before."""
        who = self.identity
        return self.context.db.tenant(who.tenant_id, api_key_id=who.key_id, acting_user_id=who.user_id)

    def seal(self, about: str, position: object) -> str:
        return self.context.cursors.seal(about, self.tenant_id, self.user_id, position)

    def open(self, about: str, cursor: str, field: str = "cursor") -> list[int | str]:
        return self.context.cursors.open(about, self.tenant_id, self.user_id, cursor, field)


def context_of(request: Request) -> Context:
    return request.app.state.context


def _shown(request: Request) -> str:
    kind, _, text = request.headers.get("authorization", "").partition(" ")
    return text.strip() if kind.lower() == "bearer" else ""


def unknown() -> Problem:
    detail = "Show a key that is good: Authorization: Bearer prk_… (postroom key create)."
    return Problem(401, "unauthorized", detail, headers={"WWW-Authenticate": 'Bearer realm="postroom"'})


def _needs(scope: Scope | None) -> Callable[[Request], Awaitable[Caller]]:
    async def caller(request: Request) -> Caller:
        context, text = context_of(request), _shown(request)
        identity = await context.keyring.identity_of(text) if text else None
        if identity is None:
            raise unknown()
        request.state.key = identity.prefix
        standing = await context.limits.count(identity.counted_as, identity.tenant_id)
        if standing is not None:
            request.state.limits = standing.headers()
            if not standing.allowed:
                context.figures.refused.inc()
                detail = f"Too many requests; go on in {standing.reset_seconds} seconds."
                raise Problem(429, "rate_limited", detail, headers=standing.headers())
        if scope is not None and scope not in identity.scopes:
            raise Problem(403, "forbidden", f"This key has not the scope {scope!r}.")
        return Caller(context=context, identity=identity, key=text)

    return caller


async def _installation(request: Request) -> str:
    """The text of a key of the installation; the database says whether it is one."""
    text = _shown(request)
    if not text.startswith(f"{OF_INSTALLATION}_") or len(text) > 200:
        raise unknown()
    request.state.key = text[:12]
    return text


Anybody = Annotated[Caller, Depends(_needs(None))]
Reader = Annotated[Caller, Depends(_needs("read"))]
Writer = Annotated[Caller, Depends(_needs("write"))]
Sender = Annotated[Caller, Depends(_needs("send"))]
Admin = Annotated[Caller, Depends(_needs("admin"))]
InstallationKey = Annotated[str, Depends(_installation)]
