"""API keys: who may ask the service, and for what. Secrets in, hashes kept.

A key is `prk_<8>_<43>`: 48 bits that people know it by, and 256 that nobody guesses. A key of the installation begins
with `pra_`. What the database keeps of either opens nothing.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Literal, get_args
from uuid import UUID

from postroom.errors import NotFound, UsageError
from postroom.ids import new_id, now_ms
from postroom.model import AccountId, TenantId, UserId
from postroom.sql import queries
from postroom.store import audit, shares
from postroom.store.database import SystemTx, TenantTx

QUERIES = queries("api_keys")
SYSTEM = queries("system")
Scope = Literal["read", "write", "send", "admin"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
OF_TENANT, OF_INSTALLATION = "prk", "pra"
_SECRET_BYTES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Whose key it is, or whose token."""

    key_id: UUID | None
    """None: it is a token of the application's identity provider."""
    prefix: str
    tenant_id: TenantId
    user_id: UserId | None
    scopes: frozenset[Scope]
    expires_at: int | None

    @property
    def counted_as(self) -> UUID:
        """Whose requests are counted together: of a key, else of a user, else of the tenant."""
        return self.key_id or self.user_id or self.tenant_id


@dataclass(frozen=True, slots=True, kw_only=True)
class NewKey:
    """A key that was just made. `text` is shown once and kept nowhere."""

    id: UUID
    prefix: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a key is to be."""

    name: str
    scopes: Collection[Scope]
    user_id: UserId | None = None
    account_id: AccountId | None = None
    expires_at: int | None = None


def fresh(kind: str = OF_TENANT) -> NewKey:
    """A key that nobody has."""
    shown = base64.b32encode(secrets.token_bytes(5)).decode().lower()
    secret = base64.urlsafe_b64encode(secrets.token_bytes(_SECRET_BYTES)).decode().rstrip("=")
    return NewKey(id=new_id(), prefix=f"{kind}_{shown}", text=f"{kind}_{shown}_{secret}")


def hash_of(text: str) -> bytes:
    """What the database keeps of a key, and is asked with."""
    return hashlib.sha256(text.encode("utf-8", "replace")).digest()


async def create(tx: TenantTx, wanted: Wanted) -> NewKey:
    """A key of the tenant, of one user in it, or of one account. Raises UsageError, NotFound."""
    made = fresh()
    if not wanted.scopes:
        raise UsageError(reason=f"A key without a scope opens nothing; there are {', '.join(SCOPES)}.")
    if wanted.user_id and wanted.account_id:
        raise UsageError(reason="A key is for one user or for one account, not for both.")
    # Row security knows users, so an account's key is one that has nothing but a share in it.
    user_id = UserId(made.id) if wanted.account_id else wanted.user_id
    await tx.run(
        QUERIES.insert,
        id=made.id,
        name=wanted.name,
        prefix=made.prefix,
        secret_hash=hash_of(made.text),
        user_id=user_id,
        account_id=wanted.account_id,
        expires_at=wanted.expires_at,
        at=now_ms(),
        **{f"can_{scope}": scope in wanted.scopes for scope in SCOPES},
    )
    if wanted.account_id and user_id:
        access = "write" if {"write", "send"} & set(wanted.scopes) else "read"
        await shares.put(tx, wanted.account_id, user_id, access)
    after = {"prefix": made.prefix, "scopes": sorted(wanted.scopes), "expires_at": wanted.expires_at}
    await audit.append(tx, "api_key.create", "api_key", made.id, after=after)
    return made


async def all_keys(tx: TenantTx) -> list[dict[str, Any]]:
    """The keys of the tenant, revoked ones among them, with `scopes`; nothing of their secrets."""
    return [_shown(row) for row in await tx.rows(QUERIES.all_keys)]


async def revoke(tx: TenantTx, key_id: UUID) -> None:
    """The key opens nothing any more. Raises NotFound."""
    rows = await tx.rows(QUERIES.revoke, key_id=key_id, at=now_ms())
    if not rows:
        raise NotFound(what="key", name=str(key_id), mend="See them: postroom key list.")
    if rows[0]["account_id"]:
        await shares.remove(tx, rows[0]["account_id"], UserId(key_id))
    await audit.append(tx, "api_key.revoke", "api_key", key_id)


async def rotate(tx: TenantTx, key_id: UUID, *, old_until: int) -> NewKey:
    """Another key for the same; the old one is over at `old_until`. Raises NotFound, or UsageError for one that is over."""
    found = {row["id"]: row for row in await all_keys(tx)}
    if not await tx.rows(QUERIES.expire, key_id=key_id, expires_at=old_until, at=now_ms()):
        raise NotFound(what="key", name=str(key_id), mend="See them: postroom key list.")
    old = found[key_id]
    if old["expires_at"] is not None and old["expires_at"] <= now_ms():
        reason = f"The key {old['prefix']} is over, and so would be one in its place. Make one: postroom key create."
        raise UsageError(reason=reason)
    wanted = Wanted(
        name=old["name"],
        scopes=old["scopes"],
        user_id=None if old["account_id"] else old["user_id"],
        account_id=old["account_id"],
        expires_at=old["expires_at"],
    )
    return await create(tx, wanted)


async def identity_of(tx: SystemTx, text: str) -> Identity | None:
    """Whose key this is; None for one that is not there, over or revoked."""
    rows = await tx.rows(SYSTEM.api_key_of, secret_hash=hash_of(text))
    if not rows:
        return None
    row = rows[0]
    return Identity(
        key_id=row["id"],
        prefix=row["prefix"],
        tenant_id=TenantId(row["tenant_id"]),
        user_id=row["user_id"] and UserId(row["user_id"]),
        scopes=frozenset(_scopes(row)),
        expires_at=row["expires_at"],
    )


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    bare = {name: value for name, value in row.items() if not name.startswith("can_")}
    return bare | {"scopes": _scopes(row)}


def _scopes(row: dict[str, Any]) -> list[Scope]:
    return [scope for scope in SCOPES if row[f"can_{scope}"]]
