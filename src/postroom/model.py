"""The values that travel between rooms: frozen, keyword-only, without behaviour that touches the world."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, Literal, NewType, Protocol, TypeVar
from uuid import UUID

TenantId = NewType("TenantId", UUID)
UserId = NewType("UserId", UUID)
AccountId = NewType("AccountId", UUID)
FolderId = NewType("FolderId", UUID)
MessageId = NewType("MessageId", UUID)
"""The id of a row. What RFC 5322 calls Message-ID is a `str` named `message_id_header` or `message_id`."""
ThreadId = NewType("ThreadId", UUID)
AttachmentId = NewType("AttachmentId", UUID)
CredentialId = NewType("CredentialId", UUID)
OutboxId = NewType("OutboxId", UUID)
DraftId = NewType("DraftId", UUID)
IntentId = NewType("IntentId", UUID)

FolderType = Literal["inbox", "sent", "drafts", "trash", "spam", "archive", "custom"]
Encryption = Literal["none", "tls", "starttls"]
Protocol_ = Literal["imap", "pop3"]
PORTS: dict[str, dict[str, int]] = {
    "imap": {"tls": 993, "starttls": 143, "none": 143},
    "pop3": {"tls": 995, "starttls": 110, "none": 110},
}
"""Where a server listens that says nothing else, by protocol and encryption."""
StorageType = Literal["blob", "local", "s3"]
SentCopy = Literal["append", "server", "none"]
"""Who puts a copy of what was sent into the Sent folder: we, the server by itself, or nobody."""
IntentKind = Literal[
    "move", "copy", "expunge", "mark", "create_folder", "rename_folder", "delete_folder", "draft"
]
TransferEncoding = Literal["identity", "base64", "quoted-printable", "uuencode"]

T = TypeVar("T")


class Body(Protocol):
    """The bytes of one message: `bytes`, or a window on a file that is too large to hold.

    Slices are copies of what they cover, and only slices with step 1 are asked for.
    """

    def __len__(self) -> int: ...

    def __getitem__(self, index: slice, /) -> bytes: ...

    def find(self, sub: bytes, start: int = 0, end: int | None = None, /) -> int: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A mailbox of RFC 5322 3.4: display name (decoded), address as sent, and the group that holds it."""

    name: str = ""
    address: str = ""
    group: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RawMessage:
    """One message as a source gave it, before anybody looked inside."""

    uid: int
    body: Body
    flags: frozenset[str] = frozenset()
    """System flags of RFC 9051 2.3.2, as on the wire: `\\Seen`, `\\Flagged`, `\\Answered`, `\\Draft`, `\\Deleted`."""
    keywords: frozenset[str] = frozenset()
    internal_date: datetime | None = None
    object_id: str | None = None
    """What the server calls it in whatever folder (EMAILID of RFC 8474, X-GM-MSGID)."""
    labels: tuple[str, ...] = ()
    """Further folders that hold the same message (Gmail labels)."""
    where: str = ""
    """Where it came from, for a person: `inbox.mbox, message 12`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """What a server tells of a message without its body: enough to know it again."""

    uid: int
    words: frozenset[str] | None = None
    """Flags and keywords."""
    size_bytes: int | None = None
    internal_date: datetime | None = None
    object_id: str | None = None
    header: bytes | None = None
    """The fields Message-ID and Date, where they were asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """A message that a source knows of and could not give: reported and kept in quarantine, never skipped in silence."""

    uid: int
    where: str
    reason: str
    body: bytes | None = None
    """What could be had of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedAttachment:
    """A part that is not shown as the message's text."""

    filename: str | None
    mime_type: str
    content_id: str | None
    is_inline: bool
    size_bytes: int
    sha256: bytes
    """SHA-256 of the decoded bytes, 32 bytes."""
    start: int
    end: int
    """Where the encoded bytes of the part lie in the raw message."""
    encoding: TransferEncoding
    data: bytes | None
    """The decoded bytes, or None where they are too large to hold: read them with `mime.parse.decoded_pieces`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedMessage:
    """What a message says. Every text is free of NUL and lone surrogates: PostgreSQL takes it as it is."""

    message_id: str | None
    """Message-ID without the angle brackets, as sent; None when there is none that can be used."""
    in_reply_to: tuple[str, ...]
    references: tuple[str, ...]
    from_: tuple[Address, ...]
    to: tuple[Address, ...]
    cc: tuple[Address, ...]
    bcc: tuple[Address, ...]
    reply_to: tuple[Address, ...]
    subject: str
    date_header: str | None
    """Date as sent."""
    sent_at: datetime | None
    """Date as understood (aware), None when it cannot be."""
    received_at: datetime | None
    """The topmost Received date, where there is one: used when the source gives no internal date."""
    list_id: str | None
    """The identifier of RFC 2919, without angle brackets, in lower case."""
    headers: tuple[tuple[str, str], ...]
    """All fields of the message's own header in their order, values unfolded and decoded."""
    text: str | None
    html: str | None
    preview: str
    """The first 200 characters of what a reader would see, white space folded."""
    attachments: tuple[ParsedAttachment, ...]
    defects: tuple[str, ...]
    """What was wrong with it, each a short stable name, then a colon and the detail."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFolder:
    """A folder as a source lists it."""

    name: str
    """Decoded, levels joined by `/`."""
    type: FolderType = "custom"
    is_selectable: bool = True
    wire_name: str = ""
    """The name as the source's own protocol spells it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderState:
    """What one side knows of a folder. `uids` maps each UID to its flags and keywords (None: not asked)."""

    uidvalidity: int | None
    uidnext: int | None = None
    highestmodseq: int | None = None
    exists: int | None = None
    mailbox_id: str | None = None
    """What stays the same when the folder is renamed (RFC 8474 4)."""
    uids: Mapping[int, frozenset[str] | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    id: AccountId
    tenant_id: TenantId
    user_id: UserId
    """The owner."""
    email_address: str
    account_name: str | None
    protocol: Protocol_ | None
    hostname: str | None
    port: int | None
    encryption: Encryption | None
    username: str | None
    credential_id: CredentialId | None
    ca_pem: str | None
    """The certificates that its server is trusted by; none: those of the settings."""
    server_keep_days: int | None
    """POP3: days from being stored here to being deleted there; None: never deleted there."""
    is_sync_enabled: bool
    sync_interval: int
    last_sync_at: int | None
    is_syncing: bool
    is_enabled: bool
    last_error: str | None
    push_folders: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder:
    id: FolderId
    account_id: AccountId
    name: str
    type: FolderType
    unread_count: int
    total_count: int
    is_selectable: bool
    uidvalidity: int | None
    uidnext: int | None
    highestmodseq: int | None
    wire_name: str = ""
    mailbox_id: str | None = None
    is_deleted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """Where every UID is that the server ever listed in a folder."""

    name: str
    is_followed: bool
    """Whether a server numbers it; what was imported counts as stored."""
    is_deleted: bool
    deleted_at: int | None
    listed_count: int | None
    """What the server listed at the last look: `stored`, `purged`, `pending` and `quarantined` make it up."""
    stored: int
    purged: int
    """Removed here for good, and still on the server."""
    pending: int
    quarantined: int
    gone: int

    @property
    def unaccounted(self) -> int:
        """How far the sum is from what the server listed; not 0 means that rows were lost or came from nowhere."""
        if not self.is_followed or self.is_deleted or self.listed_count is None:
            return 0
        return self.listed_count - self.stored - self.purged - self.pending - self.quarantined


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageSummary:
    id: MessageId
    thread_id: ThreadId
    account_id: AccountId
    subject: str
    from_: str
    received_at: int
    preview: str
    is_read: bool
    is_flagged: bool
    snippet: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[T]):
    """One page of a keyset-paged list: `next` is the opaque cursor of the page after it, or None."""

    items: Sequence[T]
    next: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadNode:
    """A message as threading sees it (RFC 5256): nothing but its ids, its subject and its date."""

    key: MessageId
    """The row; a value that sorts the same on every run."""
    message_id: str | None
    references: tuple[str, ...]
    """References, or the first id of In-Reply-To where there are none."""
    subject: str
    sent_at: int
    """Milliseconds since 1970 UTC."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """One named statement of a file in `sql/queries/`. Only the loader makes one."""

    name: str
    text: str


class Transaction(Protocol):
    """What a room may do inside a transaction that somebody else began for one tenant."""

    @property
    def tenant_id(self) -> TenantId: ...

    async def rows(self, query: Query, /, **parameters: Any) -> list[dict[str, Any]]: ...

    async def run(self, query: Query, /, **parameters: Any) -> int: ...
