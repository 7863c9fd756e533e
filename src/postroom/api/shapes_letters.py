"""Shapes of what is written and sent."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, Field

from postroom.api.shapes import MaybeTime, Shape, Text, Time

Mailboxes = Annotated[
    list[Annotated[Text, Field(max_length=1000)]],
    Field(max_length=1000, examples=[["Ann <ann@example.com>"]]),
]


class NewFile(Shape):
    """Bytes in base64 as `content`, or an attachment that the store has as `attachment_id`. With a `content_id`, an image
    that the HTML shows as `cid:`."""

    filename: Annotated[Text, Field(min_length=1, max_length=255)] | None = None
    mime_type: Annotated[
        str,
        Field(
            pattern=r"^[A-Za-z0-9!#$&^_.+-]{1,127}/[A-Za-z0-9!#$&^_.+-]{1,127}$", examples=["application/pdf"]
        ),
    ] = "application/octet-stream"
    content: Annotated[str, Field(json_schema_extra={"contentEncoding": "base64"})] | None = None
    attachment_id: UUID | None = None
    content_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9._@+-]{1,200}$")] | None = None


class Written(Shape):
    """What a letter says. It may answer a message (`reply_to_message_id`, `reply_all`) or forward one
    (`forward_message_id`, whole with `as_attachment`); then subject, recipients and quotation follow from that."""

    to: Mailboxes = Field(default_factory=list)
    cc: Mailboxes = Field(default_factory=list)
    bcc: Mailboxes = Field(default_factory=list)
    subject: Annotated[Text, Field(max_length=10_000)] | None = None
    text: Text | None = None
    html: Text | None = None
    attachments: Annotated[list[NewFile], Field(max_length=100)] = Field(default_factory=list)
    reply_to_message_id: UUID | None = None
    reply_all: bool = False
    forward_message_id: UUID | None = None
    as_attachment: bool = False
    quotes: bool = True


class NewDraft(Written):
    account_id: UUID


class DraftChange(Shape):
    """What is given replaces what was there; `attachments` too."""

    to: Mailboxes | None = None
    cc: Mailboxes | None = None
    bcc: Mailboxes | None = None
    subject: Annotated[Text, Field(max_length=10_000)] | None = None
    text: Text | None = None
    html: Text | None = None
    attachments: Annotated[list[NewFile], Field(max_length=100)] | None = None


class When(Shape):
    """Not before `send_at`, and not before `undo_seconds` are over: until then it can be cancelled."""

    send_at: Annotated[Text, Field(json_schema_extra={"format": "date-time"})] | None = None
    undo_seconds: Annotated[int, Field(ge=0, le=86_400)] = 0


class NewSend(NewDraft, When):
    pass


class NewSender(Shape):
    """The server that takes the account's mail. Without a `password` the account signs in with that of its mailbox."""

    hostname: Annotated[Text, Field(min_length=1, max_length=253, examples=["smtp.example.com"])]
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    encryption: Literal["none", "tls", "starttls"] = "tls"
    username: Annotated[Text, Field(min_length=1, max_length=500)] | None = None
    password: Annotated[Text, Field(min_length=1, max_length=1000)] | None = None
    sign_in: Literal["mailbox", "none"] = "mailbox"
    display_name: Annotated[Text, Field(max_length=200)] | None = None
    sent_copy: Literal["auto", "append", "server", "none"] = "auto"


class Sender(BaseModel):
    """`sent_copy`: who keeps a copy in Sent, we (append), the server, or nobody."""

    hostname: str
    port: int
    encryption: Literal["none", "tls", "starttls"]
    username: str | None
    display_name: str | None
    sent_copy: Literal["append", "server", "none"]
    dkim_domain: str | None
    dkim_selector: str | None


class DraftFile(BaseModel):
    filename: str | None
    mime_type: str
    size_bytes: int
    content_id: str | None


class DraftSummary(BaseModel):
    id: UUID
    account_id: UUID
    version: int
    subject: str
    recipients: list[str]
    size_bytes: int
    created_at: Time
    updated_at: Time


class Drafts(BaseModel):
    items: list[DraftSummary]


class Draft(DraftSummary):
    to: list[str]
    cc: list[str]
    bcc: list[str]
    text: str | None
    html: str | None
    attachments: list[DraftFile]
    in_reply_to: str | None


State = Literal["pending", "running", "done", "failed", "unknown", "cancelled"]


class Recipient(BaseModel):
    address: str
    state: Literal["waiting", "accepted", "refused", "unknown"]
    code: int | None
    reply: str | None
    report: str | None
    report_status: str | None
    report_text: str | None
    reported_at: MaybeTime


class SendSummary(BaseModel):
    """`unknown`: it may have been sent, and is not sent again until somebody says that it was not."""

    id: UUID
    account_id: UUID
    state: State
    subject: str
    due_at: Time
    attempts: int
    last_error: str | None
    created_at: Time
    sent_at: MaybeTime


class ListedSend(SendSummary):
    recipients: list[str]
    failed_recipients: int


class Sent(SendSummary):
    message_id: str
    sender: str
    size_bytes: int
    server_reply: str | None
    recipients: list[Recipient]


class Cancelled(BaseModel):
    """What was a draft is one again: `draft_id`."""

    id: UUID
    state: Literal["cancelled"]
    draft_id: UUID | None
