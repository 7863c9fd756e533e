"""Webhooks: addresses that are called with what happens. A request writes rows; a worker makes the calls."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

import orjson
from fastapi import APIRouter, Query, Request, Response

from postroom.api import answers
from postroom.api import shapes_webhooks as shapes
from postroom.api.auth import Admin, Caller
from postroom.api.changes import position_of, visible_heads
from postroom.api.messages import Cursor, Limit
from postroom.api.problems import Problem, bad
from postroom.api.shapes import Page
from postroom.errors import UsageError
from postroom.hooks.address import networks, target_of
from postroom.model import AccountId, FolderId, UserId
from postroom.store import accounts, deliveries, folders, standing, webhooks
from postroom.store.database import TenantTx
from postroom.store.webhooks import Wanted

router = APIRouter(tags=["webhooks"])
_MOST = 100
_FILTERS = ("account_id", "folder_id", "search_id")


@router.get("/v1/webhooks", response_model=shapes.Webhooks)
async def list_webhooks(request: Request, caller: Admin) -> Response:
    """The webhooks of the tenant, the oldest first; with a key of one user, that user's."""
    async with caller.tx() as tx:
        rows = await webhooks.all_of(tx)
        counts = await deliveries.counts(tx, [row["id"] for row in rows])
    return answers.json(request, {"items": [_shown(row, counts) for row in rows]})


@router.post("/v1/webhooks", response_model=shapes.MadeWebhook, status_code=201)
async def create_webhook(request: Request, caller: Admin, body: shapes.NewWebhook) -> Response:
    """Make one. It hears of what happens from now on; its secret is shown this once. 409 where there are 100 already."""
    wanted = _wanted(body.model_dump())
    async with caller.tx() as tx:
        await _check(tx, caller, wanted)
        if len(await webhooks.all_of(tx)) >= _MOST:
            raise Problem(409, "too_many", f"There are {_MOST} webhooks already: remove one first.")
    async with caller.tenant_tx() as tx:
        user_id = caller.user_id and UserId(caller.user_id)
        webhook_id, secret = await webhooks.create(tx, wanted, caller.context.master, user_id=user_id)
        made = await _read_back(tx, webhook_id)
    headers = {"Location": f"/v1/webhooks/{webhook_id}"}
    return answers.json(request, made | {"secret": secret}, status=201, headers=headers)


@router.get("/v1/webhooks/{webhook_id}", response_model=shapes.Webhook)
async def get_webhook(request: Request, caller: Admin, webhook_id: UUID) -> Response:
    """How it stands. Its secret is not shown again."""
    async with caller.tx() as tx:
        return answers.json(request, await _read_back(tx, webhook_id))


@router.patch("/v1/webhooks/{webhook_id}", response_model=shapes.Webhook)
async def change_webhook(
    request: Request, caller: Admin, webhook_id: UUID, body: shapes.WebhookChange
) -> Response:
    """Its address and what it hears of, from now on; off and on. One that was disabled goes on where it was, when it is
    enabled again."""
    given = body.model_dump(exclude_unset=True)
    is_enabled = given.pop("is_enabled", None)
    async with caller.tx() as tx:
        row = await webhooks.get(tx, webhook_id)
        kept: dict[str, Any] = {name: row[name] for name in ("url", "description", "events", *_FILTERS)}
        given = {name: value for name, value in given.items() if value is not None or name in _FILTERS}
        if given:
            wanted = _wanted(kept | given)
            await _check(tx, caller, wanted)
            await webhooks.change(tx, webhook_id, wanted)
        if is_enabled is not None:
            await _switch(tx, webhook_id, is_enabled=is_enabled)
        return answers.json(request, await _read_back(tx, webhook_id))


@router.delete("/v1/webhooks/{webhook_id}", status_code=204, response_class=Response)
async def remove_webhook(request: Request, caller: Admin, webhook_id: UUID) -> Response:
    """With its secret and what it was still to be told."""
    async with caller.tx() as tx:
        await webhooks.get(tx, webhook_id)
    async with caller.tenant_tx() as tx:
        await webhooks.remove(tx, webhook_id)
    return answers.nothing(request)


@router.post("/v1/webhooks/{webhook_id}/rotate", response_model=shapes.NewSecret)
async def rotate_secret(request: Request, caller: Admin, webhook_id: UUID, body: shapes.Rotation) -> Response:
    """Another secret, shown this once. For a while calls bear the signatures of both."""
    async with caller.tx() as tx:
        await webhooks.get(tx, webhook_id)
    async with caller.tenant_tx() as tx:
        overlap_ms = body.overlap_seconds * 1000
        secret = await webhooks.rotate(tx, webhook_id, caller.context.master, overlap_ms=overlap_ms)
        until = (await webhooks.get(tx, webhook_id))["previous_until"]
    said = {"id": webhook_id, "secret": secret, "previous_secret_until": answers.time_of(until)}
    return answers.json(request, said)


@router.post("/v1/webhooks/{webhook_id}/test", response_model=shapes.Tested, status_code=202)
async def test_webhook(request: Request, caller: Admin, webhook_id: UUID) -> Response:
    """One call of the type `test`, made once by the next worker that is free. What came of it: the list of deliveries, where
    one that failed is `dead`. 409 where the webhook is not enabled."""
    async with caller.tx() as tx:
        if not (await webhooks.get(tx, webhook_id))["is_enabled"]:
            raise Problem(409, "not_enabled", "The webhook is not enabled: nothing is called.")
        id_ = await deliveries.put_test(tx, webhook_id)
    return answers.json(request, {"id": id_}, status=202)


@router.post("/v1/webhooks/{webhook_id}/replay", response_model=shapes.Replayed, status_code=202)
async def replay_webhook(request: Request, caller: Admin, webhook_id: UUID, body: shapes.Replay) -> Response:
    """Tell it once more: what was given up, or the feed from a cursor on."""
    if body.what == "dead" and body.since is not None:
        raise bad("since goes with what=feed.", "since")
    async with caller.tx() as tx:
        await webhooks.get(tx, webhook_id)
        renewed = 0
        if body.what == "dead":
            renewed = await deliveries.renew(tx, webhook_id, "dead")
        else:
            heads = await visible_heads(tx, None)
            await webhooks.go_on_from(tx, webhook_id, position_of(caller, body.since, heads, None, "since"))
    return answers.json(request, {"id": webhook_id, "renewed": renewed}, status=202)


@router.get("/v1/webhooks/{webhook_id}/deliveries", response_model=Page[shapes.Delivery])
async def list_deliveries(
    request: Request,
    caller: Admin,
    webhook_id: UUID,
    state: Annotated[
        Literal["pending", "dead"], Query(description="Calls that wait, or were given up.")
    ] = "dead",
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """The calls that wait, or were given up, in the order in which they were to be made. What has arrived is not kept."""
    about, after = f"deliveries:{webhook_id}:{state}", -1
    if cursor is not None:
        after = int(caller.open(about, cursor)[0])
    async with caller.tx() as tx:
        await webhooks.get(tx, webhook_id)
        rows = await deliveries.list_of(tx, webhook_id, state, limit=limit + 1, after=after)
    more = caller.seal(about, [rows[limit - 1]["position"]]) if len(rows) > limit else None
    return answers.json(request, {"items": [_delivery(row) for row in rows[:limit]], "next": more})


async def _check(tx: TenantTx, caller: Caller, wanted: Wanted) -> None:
    """Whether the address may be called, and what is to be heard of is there. Raises Problem, NotFound."""
    try:
        target_of(wanted.url, networks(caller.context.settings.webhook_networks))
    except UsageError as error:
        raise bad(str(error), "url") from error
    if wanted.account_id is not None:
        await accounts.by_id(tx, AccountId(wanted.account_id))
    if wanted.folder_id is not None:
        await folders.by_id(tx, FolderId(wanted.folder_id))
    if wanted.search_id is not None:
        await standing.get(tx, wanted.search_id)


def _wanted(given: dict[str, Any]) -> Wanted:
    return Wanted(**given)


async def _switch(tx: TenantTx, webhook_id: UUID, *, is_enabled: bool) -> None:
    if is_enabled:
        await webhooks.enable(tx, webhook_id)
        await deliveries.renew(tx, webhook_id, "pending")
    else:
        await webhooks.disable(tx, webhook_id)


async def _read_back(tx: TenantTx, webhook_id: UUID) -> dict[str, Any]:
    return _shown(await webhooks.get(tx, webhook_id), await deliveries.counts(tx, [webhook_id]))


def _shown(row: dict[str, Any], counts: dict[UUID, tuple[int, int]]) -> dict[str, Any]:
    pending, dead = counts.get(row["id"], (0, 0))
    names = (
        "id",
        "user_id",
        "url",
        "description",
        "events",
        *_FILTERS,
        "is_enabled",
        "disabled_reason",
        "last_error",
    )
    times = ("disabled_at", "failing_since", "last_success_at", "created_at")
    return {
        **{name: row[name] for name in names},
        **{name: answers.time_of(row[name]) for name in times},
        "previous_secret_until": answers.time_of(row["previous_until"]),
        "state": webhooks.state_of(row),
        "pending": pending,
        "dead": dead,
    }


def _delivery(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": row["id"],
        "event": row["event"],
        "state": row["state"],
        "attempts": row["attempts"],
        "due_at": answers.time_of(row["not_before"]),
        "last_error": row["last_error"],
        "created_at": answers.time_of(row["created_at"]),
        "body": orjson.loads(row["body"]),
    }
