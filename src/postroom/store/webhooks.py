"""Webhooks: addresses that are told what happens, what each wants to hear of, and how far it has heard."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, NewType
from uuid import UUID

from postroom.errors import NotFound
from postroom.hooks import signature
from postroom.ids import new_id, now_ms
from postroom.model import AccountId, CredentialId, FolderId, MessageId, TenantId, UserId
from postroom.sql import queries
from postroom.store import audit, changes, credentials
from postroom.store.credentials import MasterKey
from postroom.store.database import SystemTx, TenantTx

QUERIES = queries("webhooks")
SYSTEM = queries("system")
WebhookId = NewType("WebhookId", UUID)
TEST: Final = "test"
EVENTS: Final = (
    *(
        f"{each}.{kind}"
        for each in ("message", "folder", "account")
        for kind in ("created", "updated", "deleted")
    ),
    "thread.updated",
    "match.created",
    "webhook.updated",
)
"""What can be heard of: kind and type of a change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a webhook is to be."""

    url: str
    description: str = ""
    events: Sequence[str] = ()
    """None: all."""
    account_id: UUID | None = None
    folder_id: UUID | None = None
    search_id: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """The right of one worker to tell one webhook."""

    tenant_id: TenantId
    webhook_id: WebhookId
    user_id: UserId | None
    token: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A webhook in the hands of a worker."""

    id: WebhookId
    user_id: UserId | None
    url: str
    events: list[str]
    account_id: AccountId | None
    folder_id: FolderId | None
    search_id: UUID | None
    failures: int
    failing_since: int | None
    previous_until: int | None


async def create(
    tx: TenantTx, wanted: Wanted, master: MasterKey, *, user_id: UserId | None
) -> tuple[WebhookId, str]:
    """Make a webhook of the tenant, or of a user; its id, and its secret, which is shown this once.

    It hears of what happens from now on. The transaction must be of the whole tenant: a user may seal no secret for it.
    """
    webhook_id, secret = WebhookId(new_id()), signature.new_secret()
    await tx.run(QUERIES.insert, webhook_id=webhook_id, user_id=user_id, at=now_ms(), **_columns(wanted))
    await go_on_from(tx, webhook_id, await changes.heads(tx))
    await _put_secret(tx, webhook_id, secret, master)
    await audit.append(tx, "webhook.create", "webhook", webhook_id, after=_told(wanted))
    return webhook_id, secret


async def all_of(tx: TenantTx) -> list[dict[str, Any]]:
    """The webhooks that the transaction's user sees, the oldest first."""
    return await tx.rows(QUERIES.all_of)


def state_of(row: Mapping[str, Any]) -> Literal["ok", "failing", "off", "disabled"]:
    """How it is, in one word."""
    if not row["is_enabled"]:
        return "disabled" if row["disabled_reason"] else "off"
    return "failing" if row["failing_since"] is not None else "ok"


async def get(tx: TenantTx, webhook_id: UUID) -> dict[str, Any]:
    """Raises NotFound."""
    rows = await tx.rows(QUERIES.get, webhook_id=webhook_id)
    if not rows:
        raise NotFound(what="webhook", name=str(webhook_id), mend="See them: postroom webhook list.")
    return rows[0]


async def change(tx: TenantTx, webhook_id: UUID, wanted: Wanted) -> None:
    """What it is called and wants to hear of is another from now on. Raises NotFound."""
    before = await get(tx, webhook_id)
    await tx.run(QUERIES.change, webhook_id=webhook_id, at=now_ms(), **_columns(wanted))
    was = {name: str(before[name]) for name in _told(wanted)}
    await audit.append(tx, "webhook.change", "webhook", webhook_id, before=was, after=_told(wanted))


async def enable(tx: TenantTx, webhook_id: UUID) -> None:
    """It goes on where it was. Nothing happens where it is enabled already."""
    if await tx.run(QUERIES.enable, webhook_id=webhook_id, at=now_ms()):
        await audit.append(tx, "webhook.enable", "webhook", webhook_id)


async def disable(tx: TenantTx, webhook_id: UUID, reason: str | None = None) -> bool:
    """It is told nothing, and keeps its place. A reason where nobody asked for it. False where it was disabled already."""
    if not await tx.run(QUERIES.disable, webhook_id=webhook_id, reason=reason, at=now_ms()):
        return False
    await audit.append(tx, "webhook.disable", "webhook", webhook_id, after={"reason": reason})
    return True


async def remove(tx: TenantTx, webhook_id: UUID) -> None:
    """With its secrets and what it was still to be told. Raises NotFound."""
    if not await tx.run(QUERIES.remove, webhook_id=webhook_id):
        raise NotFound(what="webhook", name=str(webhook_id), mend="See them: postroom webhook list.")
    await audit.append(tx, "webhook.remove", "webhook", webhook_id)


async def rotate(tx: TenantTx, webhook_id: UUID, master: MasterKey, *, overlap_ms: int) -> str:
    """Another secret, shown this once; the one before signs as well for so long. As for `create`, of the whole tenant."""
    secret, now = signature.new_secret(), now_ms()
    await _put_secret(tx, webhook_id, secret, master)
    await tx.run(QUERIES.rotated, webhook_id=webhook_id, previous_until=now + overlap_ms, at=now)
    await audit.append(tx, "webhook.rotate", "webhook", webhook_id)
    return secret


async def go_on_from(tx: TenantTx, webhook_id: UUID, position: Mapping[AccountId, int]) -> None:
    """Hear of what came after this; of an account that is not named, of everything."""
    await tx.run(QUERIES.forget_cursors, webhook_id=webhook_id)
    await tx.run(
        QUERIES.set_cursors,
        webhook_id=webhook_id,
        account_ids=list(position),
        modseqs=list(position.values()),
    )
    await hasten(tx, webhook_id)


async def hasten(tx: TenantTx, webhook_id: UUID) -> None:
    """A worker looks at it as soon as one is free."""
    await tx.run(QUERIES.hasten, webhook_id=webhook_id)


async def claim(tx: SystemTx, *, limit: int, lease_ms: int, look_again_ms: int) -> list[Claimed]:
    """At most so many webhooks that may have something to hear, of all tenants."""
    rows = await tx.rows(SYSTEM.webhooks_claim, limit=limit, lease_ms=lease_ms, look_again_ms=look_again_ms)
    return [Claimed(**row) for row in rows]


async def hold(tx: TenantTx, claimed: Claimed, *, lease_ms: int) -> Held | None:
    """The webhook for so much longer; None where it is another worker's by now, or is disabled."""
    rows = await tx.rows(QUERIES.hold, webhook_id=claimed.webhook_id, token=claimed.token, lease_ms=lease_ms)
    return Held(**rows[0]) if rows else None


async def release(tx: TenantTx, claimed: Claimed, *, due_in_ms: int) -> None:
    """It is free for all, and due in so long, or before if something happens."""
    await tx.run(QUERIES.release, webhook_id=claimed.webhook_id, token=claimed.token, due_in_ms=due_in_ms)


async def put_off(tx: TenantTx, claimed: Claimed, *, due_in_ms: int) -> None:
    """Its receiver is away: it is left alone for so long."""
    await tx.run(QUERIES.put_off, webhook_id=claimed.webhook_id, token=claimed.token, due_in_ms=due_in_ms)


async def arrived(tx: TenantTx, webhook_id: WebhookId) -> None:
    """A call was answered well."""
    await tx.run(QUERIES.arrived, webhook_id=webhook_id, at=now_ms())


async def failed(tx: TenantTx, webhook_id: WebhookId, error: str) -> int:
    """A call was not; since when none was."""
    now = now_ms()
    rows = await tx.rows(QUERIES.failed, webhook_id=webhook_id, at=now, error=error)
    return rows[0]["failing_since"] if rows else now


async def behind(tx: TenantTx, held: Held, *, limit: int) -> list[tuple[AccountId, int, int]]:
    """Accounts with something new: id, where to go on, how far the feed has come."""
    rows = await tx.rows(QUERIES.behind, webhook_id=held.id, account_id=held.account_id, limit=limit)
    return [(AccountId(row["id"]), row["modseq"], row["head"]) for row in rows]


async def move_cursor(tx: TenantTx, webhook_id: WebhookId, account_id: AccountId, modseq: int) -> None:
    """All up to this is told, or to be told."""
    await tx.run(QUERIES.move_cursor, webhook_id=webhook_id, account_id=account_id, modseq=modseq)


async def lie_in(tx: TenantTx, folder_id: FolderId, ids: Sequence[UUID]) -> set[UUID]:
    """Of these messages those that lie in the folder or ever lay there."""
    rows = await tx.rows(QUERIES.lie_in, folder_id=folder_id, message_ids=[MessageId(each) for each in ids])
    return {row["id"] for row in rows}


async def secrets(tx: TenantTx, held: Held, master: MasterKey) -> list[str]:
    """What to sign with: the secret, and for a while the one before. Those that are over are deleted.

    Raises StoreError for one that the master key does not open.
    """
    rows = await tx.rows(QUERIES.secrets, webhook_id=held.id)
    count = 2 if held.previous_until is not None and held.previous_until > now_ms() else 1
    if over := [row["id"] for row in rows[count:]]:
        await tx.run(QUERIES.forget_secrets, webhook_id=held.id, credential_ids=over)
    return [credentials.opened(tx.tenant_id, row, master).decode() for row in rows[:count]]


async def _put_secret(tx: TenantTx, webhook_id: UUID, secret: str, master: MasterKey) -> CredentialId:
    """Sealed like the password of an account, and bound to the webhook in its place."""
    return await credentials.put(tx, AccountId(webhook_id), "webhook", secret.encode(), master)


def _columns(wanted: Wanted) -> dict[str, Any]:
    return {
        "url": wanted.url,
        "description": wanted.description,
        "events": list(wanted.events),
        "account_id": wanted.account_id,
        "folder_id": wanted.folder_id,
        "search_id": wanted.search_id,
    }


def _told(wanted: Wanted) -> dict[str, Any]:
    """For the trail: not the URL, which may hold a secret."""
    return {
        "events": list(wanted.events),
        **{
            name: str(value) if value else None
            for name, value in _columns(wanted).items()
            if name.endswith("_id")
        },
    }
