"""Shapes of webhooks and of what they are told."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field

from postroom.api.shapes import MaybeTime, Shape, Text, Time

Event = Literal[
    "message.created",
    "message.updated",
    "message.deleted",
    "folder.created",
    "folder.updated",
    "folder.deleted",
    "account.created",
    "account.updated",
    "account.deleted",
    "thread.updated",
    "match.created",
    "webhook.updated",
]
Events = Annotated[
    list[Event],
    Field(max_length=20, description="None: all.", examples=[["message.created", "message.updated"]]),
]
Url = Annotated[Text, Field(min_length=1, max_length=2000, examples=["https://app.example.com/hooks/mail"])]
Description = Annotated[Text, Field(max_length=500, examples=["tickets"])]


class NewWebhook(Shape):
    """An https address that is called with what happens from now on. `folder_id`: what happens to messages that lie or lay
    in the folder, and to the folder itself. `search_id`: what this standing search matched."""

    url: Url
    description: Description = ""
    events: Events = Field(default_factory=list)
    account_id: UUID | None = None
    folder_id: UUID | None = None
    search_id: UUID | None = None


class WebhookChange(Shape):
    """What is left out stays. `is_enabled` false: nothing is called, and the place in the feed is kept."""

    url: Url | None = None
    description: Description | None = None
    events: Events | None = None
    account_id: UUID | None = None
    folder_id: UUID | None = None
    search_id: UUID | None = None
    is_enabled: bool | None = None


class Webhook(BaseModel):
    """`state` is ok, failing (no call since `failing_since` succeeded), off (by somebody) or disabled (by us, as
    `disabled_reason` says). `pending` calls wait, `dead` ones were given up after three days."""

    id: UUID
    user_id: UUID | None
    url: str
    description: str
    events: list[Event]
    account_id: UUID | None
    folder_id: UUID | None
    search_id: UUID | None
    is_enabled: bool
    state: Literal["ok", "failing", "off", "disabled"]
    disabled_at: MaybeTime
    disabled_reason: str | None
    failing_since: MaybeTime
    last_error: str | None
    last_success_at: MaybeTime
    previous_secret_until: MaybeTime
    pending: int
    dead: int
    created_at: Time


class Webhooks(BaseModel):
    items: list[Webhook]


class MadeWebhook(Webhook):
    """`secret` is shown this once."""

    secret: Annotated[str, Field(examples=["whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"])]


class Rotation(Shape):
    """How long the old secret signs as well."""

    overlap_seconds: Annotated[int, Field(ge=0, le=2_592_000, examples=[86_400])] = 86_400


class NewSecret(BaseModel):
    """`secret` is shown this once."""

    id: UUID
    secret: str
    previous_secret_until: Time


class Delivery(BaseModel):
    """A call that waits or was given up. `id` is its `webhook-id`, and `body` what is sent."""

    id: UUID
    event: str
    state: Literal["pending", "dead"]
    attempts: int
    due_at: Time
    last_error: str | None
    created_at: Time
    body: dict[str, Any]


class Replay(Shape):
    """`what` is `dead`: the calls that were given up are made again; or `feed`: everything after `since`, a cursor of
    /v1/changes, or without it everything from the beginning. Ids stay the same."""

    what: Literal["dead", "feed"]
    since: Annotated[Text, Field(max_length=60_000)] | None = None


class Replayed(BaseModel):
    """`renewed` calls are made again; for `feed` they are made when a worker comes to it."""

    id: UUID
    renewed: int


class Tested(BaseModel):
    """The `webhook-id` of the call."""

    id: UUID
