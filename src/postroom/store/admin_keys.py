"""Keys of the installation: they make tenants and their first keys, and open nobody's mail."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from typing import Any
from uuid import UUID

from postroom.errors import NotFound, UsageError
from postroom.ids import new_id, now_ms
from postroom.model import TenantId
from postroom.sql import queries
from postroom.store.api_keys import OF_INSTALLATION, NewKey, Scope, fresh, hash_of
from postroom.store.database import SystemTx
from postroom.store.system import Tenant, refuse_bad_name

QUERIES = queries("system")


async def create(tx: SystemTx, name: str, *, expires_at: int | None = None) -> NewKey:
    """A new key, as the owner."""
    made = fresh(OF_INSTALLATION)
    await tx.rows(
        QUERIES.admin_key_insert,
        id=made.id,
        name=name,
        prefix=made.prefix,
        proof_hash=hashlib.sha256(hash_of(made.text)).digest(),
        expires_at=expires_at,
        at=now_ms(),
    )
    return made


async def all_keys(tx: SystemTx) -> list[dict[str, Any]]:
    """Every key, revoked ones among them, as the owner."""
    return await tx.rows(QUERIES.admin_keys)


async def revoke(tx: SystemTx, key_id: UUID) -> None:
    """The key opens nothing any more. Raises NotFound."""
    if not await tx.rows(QUERIES.admin_key_revoke, id=key_id, at=now_ms()):
        mend = "See them: postroom key list --installation."
        raise NotFound(what="key of the installation", name=str(key_id), mend=mend)


async def tenants(tx: SystemTx, text: str) -> list[dict[str, Any]]:
    """Every tenant by name, for who shows a key. Raises Denied."""
    return await tx.rows(QUERIES.admin_tenant_list, proof=hash_of(text))


async def create_tenant(tx: SystemTx, text: str, name: str) -> Tenant:
    """A new tenant. Raises Denied, or UsageError for a name that cannot be one or is taken."""
    refuse_bad_name(name)
    rows = await tx.rows(
        QUERIES.admin_tenant_create,
        proof=hash_of(text),
        new_tenant_id=new_id(),
        name=name,
        default_user_id=new_id(),
        at=now_ms(),
    )
    if not rows:
        raise UsageError(reason=f"A tenant named {name!r} is there already. Choose another name.")
    return Tenant(id=TenantId(rows[0]["tenant_id"]), name=rows[0]["name"])


async def create_key(
    tx: SystemTx,
    text: str,
    tenant_id: TenantId,
    *,
    name: str,
    scopes: Collection[Scope],
    expires_at: int | None,
) -> NewKey | None:
    """A key for the whole of a tenant; None where there is no such tenant. Raises Denied."""
    made = fresh()
    rows = await tx.rows(
        QUERIES.admin_key_create,
        proof=hash_of(text),
        of_tenant_id=tenant_id,
        id=made.id,
        name=name,
        prefix=made.prefix,
        secret_hash=hash_of(made.text),
        scopes=list(scopes),
        expires_at=expires_at,
        at=now_ms(),
    )
    return made if rows else None
