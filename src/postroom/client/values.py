"""Values: what the service says, and parts of what it is told. Written from the OpenAPI document by `make client`."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from postroom.client.reading import Id, Value


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Account(Value):
    id: UUID
    email_address: str
    account_name: str | None
    user_id: UUID
    protocol: Literal["imap", "pop3"] | None
    hostname: str | None
    port: int | None
    encryption: Literal["none", "tls", "starttls"] | None
    username: str | None
    is_enabled: bool
    is_sync_enabled: bool
    is_syncing: bool
    sync_interval_seconds: int
    last_sync_at: datetime | None
    last_error: str | None


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Alive(Value):
    status: Literal["ok"]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class AttachmentText(Value):
    """`is_whole`: there is no more of it."""

    id: UUID
    text: str
    is_whole: bool


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Blocked(Value):
    kind: Literal["image", "style"]
    url: str


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Cancelled(Value):
    """What was a draft is one again: `draft_id`."""

    id: UUID
    state: Literal["cancelled"]
    draft_id: UUID | None


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Change(Value):
    """What happened to things of one kind in one transaction. The ids of what was deleted are tombstones; of matches of
    standing searches, `matches` says which message matched which search."""

    account_id: UUID
    modseq: int
    kind: Literal["created", "updated", "deleted"]
    object_type: Literal["account", "folder", "message", "thread", "match", "webhook"]
    ids: tuple[UUID, ...]
    at: datetime
    matches: tuple[ToldMatch, ...]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Changed(Value):
    """A message after a change. `pending` is how many things its server is yet to be told of this change."""

    id: UUID
    folder_id: UUID
    is_read: bool
    is_flagged: bool
    is_draft: bool
    is_deleted: bool
    folders: tuple[Place, ...]
    is_changed: bool
    pending: int


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ChangedMany(Value):
    """`changed` are those that were not as wanted before."""

    changed: tuple[UUID, ...]
    not_found: tuple[UUID, ...]
    pending: int


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Changes(Value):
    """`next` goes into `since`; with `has_more` there is more at once."""

    items: tuple[Change, ...]
    next: str
    has_more: bool


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Delivery(Value):
    """A call that waits or was given up. `id` is its `webhook-id`, and `body` what is sent."""

    id: UUID
    event: str
    state: Literal["pending", "dead"]
    attempts: int
    due_at: datetime
    last_error: str | None
    created_at: datetime
    body: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class DraftFile(Value):
    filename: str | None
    mime_type: str
    size_bytes: int
    content_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class DraftSummary(Value):
    id: UUID
    account_id: UUID
    version: int
    subject: str
    recipients: tuple[str, ...]
    size_bytes: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class FacetFolder(Value):
    id: UUID
    account_id: UUID
    name: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class FacetSender(Value):
    address: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class FacetYear(Value):
    year: int
    count: int


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Facets(Value):
    """Of `counted` messages, the newest that were found; all of them where `is_whole`. Only what was asked for is counted: the
    100 largest folders, the 20 most frequent senders, the years from the last on."""

    counted: int
    is_whole: bool
    folder: tuple[FacetFolder, ...]
    sender: tuple[FacetSender, ...]
    year: tuple[FacetYear, ...]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Folder(Value):
    id: UUID
    account_id: UUID
    name: str
    type: Literal["inbox", "sent", "drafts", "trash", "spam", "archive", "custom"]
    unread_count: int
    total_count: int
    is_selectable: bool


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class FolderLedger(Value):
    """Where every UID is that the server ever listed in a folder."""

    name: str
    is_followed: bool
    is_deleted: bool
    deleted_at: datetime | None
    listed: int | None
    stored: int
    purged: int
    pending: int
    quarantined: int
    gone: int
    unaccounted: int


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class FoundPage(Value):
    """`facets` where they were asked for."""

    items: tuple[Found, ...]
    next: str | None
    facets: Facets | None


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Header(Value):
    name: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Health(Value):
    """`state` is ok, syncing, paused, never (not synced yet), failing or unaccounted."""

    id: UUID
    state: Literal["ok", "syncing", "paused", "never", "failing", "unaccounted"]
    last_error: str | None
    last_sync_at: datetime | None
    folders: tuple[FolderLedger, ...]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Key(Value):
    """`key` is shown this once."""

    id: UUID
    prefix: str
    key: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ListedSend(Value):
    id: UUID
    account_id: UUID
    state: Literal["pending", "running", "done", "failed", "unknown", "cancelled"]
    subject: str
    due_at: datetime
    attempts: int
    last_error: str | None
    created_at: datetime
    sent_at: datetime | None
    recipients: tuple[str, ...]
    failed_recipients: int


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ListedTenant(Value):
    id: UUID
    name: str
    created_at: datetime
    state: Literal["active", "suspended"]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ListedThread(Value):
    """A conversation in a list: what it counts, and its newest message."""

    id: UUID
    account_id: UUID
    message_count: int
    unread_count: int
    flagged_count: int
    latest: Summary


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class MatchOfSearch(Value):
    id: UUID
    message_id: UUID
    account_id: UUID
    matched_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Me(Value):
    """Who shows the key or token: of a user only what that user may see."""

    tenant_id: UUID
    user_id: UUID | None
    scopes: tuple[Literal["read", "write", "send", "admin"], ...]
    expires_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewFile:
    """Bytes in base64 as `content`, or an attachment that the store has as `attachment_id`. With a `content_id`, an image
    that the HTML shows as `cid:`."""

    filename: str | None = None
    mime_type: str = "application/octet-stream"
    content: bytes | None = None
    attachment_id: Id | None = None
    content_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class NewSecret(Value):
    """`secret` is shown this once."""

    id: UUID
    secret: str = field(repr=False)
    previous_secret_until: datetime


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Person(Value):
    name: str | None
    address: str


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Place(Value):
    id: UUID
    name: str
    type: str
    flags: tuple[str, ...]
    keywords: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Ready(Value):
    status: Literal["ready"]
    schema_version: int


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Recipient(Value):
    address: str
    state: Literal["waiting", "accepted", "refused", "unknown"]
    code: int | None
    reply: str | None
    report: str | None
    report_status: str | None
    report_text: str | None
    reported_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Recorded(Value):
    id: UUID
    at: datetime
    actor_role: str
    user_id: UUID | None
    api_key_id: UUID | None
    action: str
    object_type: str
    object_id: UUID | None
    before: dict[str, Any] | None
    after: dict[str, Any] | None


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Replayed(Value):
    """`renewed` calls are made again; for `feed` they are made when a worker comes to it."""

    id: UUID
    renewed: int


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Sender(Value):
    """`sent_copy`: who keeps a copy in Sent, we (append), the server, or nobody."""

    hostname: str
    port: int
    encryption: Literal["none", "tls", "starttls"]
    username: str | None
    display_name: str | None
    sent_copy: Literal["append", "server", "none"]
    dkim_domain: str | None
    dkim_selector: str | None


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Sent(Value):
    id: UUID
    account_id: UUID
    state: Literal["pending", "running", "done", "failed", "unknown", "cancelled"]
    subject: str
    due_at: datetime
    attempts: int
    last_error: str | None
    created_at: datetime
    sent_at: datetime | None
    message_id: str
    sender: str
    size_bytes: int
    server_reply: str | None
    recipients: tuple[Recipient, ...]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class StandingSearch(Value):
    id: UUID
    user_id: UUID | None
    name: str
    query: str
    timezone: str
    account_id: UUID | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Summary(Value):
    """A message in a list. With `fields`, only those that were named."""

    id: UUID
    thread_id: UUID
    account_id: UUID
    folder_id: UUID
    subject: str
    from_: str
    sent_at: datetime | None
    received_at: datetime
    preview: str
    is_read: bool
    is_flagged: bool
    is_draft: bool
    has_attachments: bool
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Tenant(Value):
    id: UUID
    name: str


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Tested(Value):
    """The `webhook-id` of the call."""

    id: UUID


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Thread(Value):
    id: UUID
    items: tuple[Summary, ...]
    next: str | None


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ToldMatch(Value):
    id: UUID
    search_id: UUID
    message_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Webhook(Value):
    """`state` is ok, failing (no call since `failing_since` succeeded), off (by somebody) or disabled (by us, as
    `disabled_reason` says). `pending` calls wait, `dead` ones were given up after three days."""

    id: UUID
    user_id: UUID | None
    url: str
    description: str
    events: tuple[
        Literal[
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
        ],
        ...,
    ]
    account_id: UUID | None
    folder_id: UUID | None
    search_id: UUID | None
    is_enabled: bool
    state: Literal["ok", "failing", "off", "disabled"]
    disabled_at: datetime | None
    disabled_reason: str | None
    failing_since: datetime | None
    last_error: str | None
    last_success_at: datetime | None
    previous_secret_until: datetime | None
    pending: int
    dead: int
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Attachment(DraftFile):
    id: UUID
    sha256: str
    is_inline: bool
    url: str


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Draft(DraftSummary):
    to: tuple[str, ...]
    cc: tuple[str, ...]
    bcc: tuple[str, ...]
    text: str | None
    html: str | None
    attachments: tuple[DraftFile, ...]
    in_reply_to: str | None


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Found(Summary):
    """`snippet` is HTML: text, escaped, and `<mark>` around what was found."""

    snippet: str


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class MadeWebhook(Webhook):
    """`secret` is shown this once."""

    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Message(Summary):
    """`html` is safe to show: nothing in it runs or is loaded from elsewhere; `blocked` is what would have been."""

    message_id: str | None
    in_reply_to: str | None
    references: tuple[str, ...]
    list_id: str | None
    authors: tuple[Person, ...]
    to: tuple[Person, ...]
    cc: tuple[Person, ...]
    bcc: tuple[Person, ...]
    reply_to: tuple[Person, ...]
    folders: tuple[Place, ...]
    attachments: tuple[Attachment, ...]
    text: str | None
    html: str | None
    blocked: tuple[Blocked, ...]
    is_deleted: bool
    sha256: str
    defects: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class AttachmentOfMessage(Value):
    id: UUID
    filename: str | None
    mime_type: str
    size_bytes: int
    sha256: str
    content_id: str | None
    is_inline: bool
    url: str
    message_id: UUID
    account_id: UUID
    created_at: datetime
