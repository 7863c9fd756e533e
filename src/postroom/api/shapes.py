"""Shapes: what goes in and out, for the documents and for checking what comes in. What goes out is not checked again."""

from __future__ import annotations

from typing import Annotated, Any, Generic, Literal, TypeVar
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

T = TypeVar("T")


def _no_nul(text: str) -> str:
    if "\x00" in text:
        raise ValueError("A NUL character has no place in it")
    return text


Text = Annotated[str, AfterValidator(_no_nul)]
Time = Annotated[str, Field(json_schema_extra={"format": "date-time"}, examples=["2026-11-24T18:00:00.000Z"])]
MaybeTime = Time | None


class Shape(BaseModel):
    model_config = ConfigDict(extra="forbid")


def _only_id(schema: dict[str, Any]) -> None:
    """With `fields`, whatever was not named is not there."""
    schema["required"] = ["id"]


class Page(BaseModel, Generic[T]):
    """One page of a list. `next` goes into `cursor` to see the page after it."""

    items: list[T]
    next: str | None


class Problem(BaseModel):
    """RFC 9457. `code` is for programs and stays; `detail` is for people; `field` is what was wrong, where one was."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    request_id: str | None
    field: str | None = None


class Account(BaseModel):
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
    last_sync_at: MaybeTime
    last_error: str | None


class NewAccount(Shape):
    """A mailbox on a server, or without `hostname` one that is filled by import. The password is sealed and not shown."""

    email_address: Annotated[Text, Field(min_length=3, max_length=320, examples=["me@example.com"])]
    account_name: Annotated[Text, Field(max_length=200)] | None = None
    user_id: UUID | None = None
    protocol: Literal["imap", "pop3"] = "imap"
    hostname: Annotated[Text, Field(min_length=1, max_length=253, examples=["imap.example.com"])] | None = (
        None
    )
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    encryption: Literal["none", "tls", "starttls"] = "tls"
    username: Annotated[Text, Field(min_length=1, max_length=500)] | None = None
    password: Annotated[Text, Field(min_length=1, max_length=1000)] | None = None
    ca_pem: Annotated[Text, Field(max_length=100_000)] | None = None


class AccountChange(Shape):
    account_name: Annotated[Text, Field(max_length=200)] | None = None
    is_sync_enabled: bool | None = None
    sync_interval_seconds: Annotated[int, Field(ge=10, le=604_800)] | None = None


class FolderLedger(BaseModel):
    """Where every UID is that the server ever listed in a folder."""

    name: str
    is_followed: bool
    is_deleted: bool
    deleted_at: MaybeTime
    listed: int | None
    stored: int
    purged: int
    pending: int
    quarantined: int
    gone: int
    unaccounted: int


class Health(BaseModel):
    """`state` is ok, syncing, paused, never (not synced yet), failing or unaccounted."""

    id: UUID
    state: Literal["ok", "syncing", "paused", "never", "failing", "unaccounted"]
    last_error: str | None
    last_sync_at: MaybeTime
    folders: list[FolderLedger]


class Folder(BaseModel):
    id: UUID
    account_id: UUID
    name: str
    type: Literal["inbox", "sent", "drafts", "trash", "spam", "archive", "custom"]
    unread_count: int
    total_count: int
    is_selectable: bool


class Folders(BaseModel):
    items: list[Folder]


class Accounts(BaseModel):
    items: list[Account]


class Summary(BaseModel):
    """A message in a list. With `fields`, only those that were named."""

    model_config = ConfigDict(json_schema_extra=_only_id)

    id: UUID
    thread_id: UUID
    account_id: UUID
    folder_id: UUID
    subject: str
    from_: Annotated[str, Field(alias="from")]
    sent_at: MaybeTime
    received_at: Time
    preview: str
    is_read: bool
    is_flagged: bool
    is_draft: bool
    has_attachments: bool
    size_bytes: int


class Found(Summary):
    """`snippet` is HTML: text, escaped, and `<mark>` around what was found."""

    snippet: str


class FacetFolder(BaseModel):
    id: UUID
    account_id: UUID
    name: str
    count: int


class FacetSender(BaseModel):
    address: str
    count: int


class FacetYear(BaseModel):
    year: int
    count: int


class Facets(BaseModel):
    """Of `counted` messages, the newest that were found; all of them where `is_whole`. Only what was asked for is counted: the
    100 largest folders, the 20 most frequent senders, the years from the last on."""

    counted: int
    is_whole: bool
    folder: list[FacetFolder]
    sender: list[FacetSender]
    year: list[FacetYear]


class FoundPage(Page[Found]):
    """`facets` where they were asked for."""

    facets: Facets | None


class Person(BaseModel):
    name: str | None
    address: str


class Attachment(BaseModel):
    id: UUID
    filename: str | None
    mime_type: str
    size_bytes: int
    sha256: str
    content_id: str | None
    is_inline: bool
    url: str


class AttachmentOfMessage(Attachment):
    message_id: UUID
    account_id: UUID
    created_at: Time


class AttachmentText(BaseModel):
    """`is_whole`: there is no more of it."""

    id: UUID
    text: str
    is_whole: bool


class Me(BaseModel):
    """Who shows the key or token: of a user only what that user may see."""

    tenant_id: UUID
    user_id: UUID | None
    scopes: list[Literal["read", "write", "send", "admin"]]
    expires_at: MaybeTime


class Place(BaseModel):
    id: UUID
    name: str
    type: str
    flags: list[str]
    keywords: list[str]


class Blocked(BaseModel):
    kind: Literal["image", "style"]
    url: str


class Message(Summary):
    """`html` is safe to show: nothing in it runs or is loaded from elsewhere; `blocked` is what would have been."""

    message_id: str | None
    in_reply_to: str | None
    references: list[str]
    list_id: str | None
    authors: list[Person]
    to: list[Person]
    cc: list[Person]
    bcc: list[Person]
    reply_to: list[Person]
    folders: list[Place]
    attachments: list[Attachment]
    text: str | None
    html: str | None
    blocked: list[Blocked]
    is_deleted: bool
    sha256: str
    defects: list[str]


class Changed(BaseModel):
    """A message after a change. `pending` is how many things its server is yet to be told of this change."""

    id: UUID
    folder_id: UUID
    is_read: bool
    is_flagged: bool
    is_draft: bool
    is_deleted: bool
    folders: list[Place]
    is_changed: bool
    pending: int


class ChangedMany(BaseModel):
    """`changed` are those that were not as wanted before."""

    changed: list[UUID]
    not_found: list[UUID]
    pending: int


class Header(BaseModel):
    name: str
    value: str


class Headers(BaseModel):
    items: list[Header]


class Thread(BaseModel):
    id: UUID
    items: list[Summary]
    next: str | None


class ListedThread(BaseModel):
    """A conversation in a list: what it counts, and its newest message."""

    id: UUID
    account_id: UUID
    message_count: int
    unread_count: int
    flagged_count: int
    latest: Summary


class Recorded(BaseModel):
    id: UUID
    at: Time
    actor_role: str
    user_id: UUID | None
    api_key_id: UUID | None
    action: str
    object_type: str
    object_id: UUID | None
    before: dict[str, Any] | None
    after: dict[str, Any] | None


class ToldMatch(BaseModel):
    id: UUID
    search_id: UUID
    message_id: UUID


class Change(BaseModel):
    """What happened to things of one kind in one transaction. The ids of what was deleted are tombstones; of matches of
    standing searches, `matches` says which message matched which search."""

    account_id: UUID
    modseq: int
    kind: Literal["created", "updated", "deleted"]
    object_type: Literal["account", "folder", "message", "thread", "match", "webhook"]
    ids: list[UUID]
    at: Time
    matches: list[ToldMatch]


class Changes(BaseModel):
    """`next` goes into `since`; with `has_more` there is more at once."""

    items: list[Change]
    next: str
    has_more: bool


class NewTenant(Shape):
    name: Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?$", examples=["acme"])]


class Tenant(BaseModel):
    id: UUID
    name: str


class ListedTenant(Tenant):
    created_at: Time
    state: Literal["active", "suspended"]


class Tenants(BaseModel):
    items: list[ListedTenant]


class NewKey(Shape):
    name: Annotated[Text, Field(max_length=200)] = ""
    scopes: Annotated[list[Literal["read", "write", "send", "admin"]], Field(min_length=1, max_length=4)]
    expires_in_seconds: Annotated[int, Field(ge=1, le=315_360_000)] | None = None


class Key(BaseModel):
    """`key` is shown this once."""

    id: UUID
    prefix: str
    key: str


class Alive(BaseModel):
    status: Literal["ok"]


class Ready(BaseModel):
    status: Literal["ready"]
    schema_version: int
