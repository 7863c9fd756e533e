"""Attachments: rows in, values out. Where their bytes are, the blobs know."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from postroom.errors import NotFound
from postroom.ids import new_id, now_ms
from postroom.model import AccountId, AttachmentId, MessageId, ParsedAttachment, StorageType
from postroom.sql import queries
from postroom.store.database import TenantTx

QUERIES = queries("attachments")


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAttachment:
    message_id: MessageId
    position: int
    part: ParsedAttachment
    storage_type: StorageType
    storage_path: str | None


async def insert(tx: TenantTx, account_id: AccountId, new: Sequence[NewAttachment]) -> None:
    """Store what is known of the parts; their blobs are there already."""
    if not new:
        return
    await tx.run(
        QUERIES.insert,
        account_id=account_id,
        at=now_ms(),
        id=[new_id() for _ in new],
        message_id=[each.message_id for each in new],
        position=[each.position for each in new],
        filename=[each.part.filename for each in new],
        mime_type=[each.part.mime_type for each in new],
        size_bytes=[each.part.size_bytes for each in new],
        content_id=[each.part.content_id for each in new],
        is_inline=[each.part.is_inline for each in new],
        storage_path=[each.storage_path for each in new],
        storage_type=[each.storage_type for each in new],
        blob_id=[UUID(bytes=each.part.sha256[:16]) for each in new],
        blob_hash=[each.part.sha256 for each in new],
    )


async def get(tx: TenantTx, attachment_id: AttachmentId) -> dict[str, Any]:
    """One attachment of a living message. Raises NotFound."""
    rows = await tx.rows(QUERIES.get, attachment_id=attachment_id)
    if not rows:
        raise NotFound(what="attachment", name=str(attachment_id), mend="Find it: postroom show.")
    return rows[0]


async def of_message(tx: TenantTx, message_id: MessageId) -> list[dict[str, Any]]:
    """The attachments of a message in their order."""
    return await tx.rows(QUERIES.of_message, message_id=message_id)


async def same(tx: TenantTx, sha256: str) -> list[dict[str, Any]]:
    """Every attachment with these bytes: `sha256` in hexadecimal."""
    return await tx.rows(QUERIES.same, content_hash=sha256.lower())
