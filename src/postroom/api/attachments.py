"""Attachments: parts of a message that are not its text."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from postroom.api import answers, readable, shapes
from postroom.api.auth import Reader
from postroom.api.bytes_out import download
from postroom.api.messages import attachment_url
from postroom.api.problems import Problem
from postroom.model import AttachmentId
from postroom.store import attachments

router = APIRouter(tags=["attachments"])


@router.get("/v1/attachments/{attachment_id}", response_model=shapes.AttachmentOfMessage)
async def get_attachment(request: Request, caller: Reader, attachment_id: UUID) -> Response:
    """What an attachment is: its name, kind, size and SHA-256, and where its bytes are."""
    async with caller.tx() as tx:
        row = await attachments.get(tx, AttachmentId(attachment_id))
    return answers.json(request, _shown(row))


@router.get(
    "/v1/attachments/{attachment_id}/content",
    response_class=Response,
    responses={200: {"content": {"*/*": {"schema": {"type": "string", "format": "binary"}}}}},
)
async def attachment_content(
    request: Request,
    caller: Reader,
    attachment_id: UUID,
    inline: Annotated[bool, Query(description="To be shown in place, if it is a picture.")] = False,
) -> Response:
    """The bytes. Takes Range, If-Range and If-None-Match."""
    async with caller.tx() as tx:
        row = await attachments.get(tx, AttachmentId(attachment_id))
        return await download(
            request,
            lambda: caller.context.blobs.read(tx, bytes(row["blob_hash"])),
            size=row["size_bytes"],
            etag=f'"{row["content_hash"]}"',
            media_type=row["mime_type"],
            filename=row["filename"] or "attachment",
            in_place=inline,
        )


@router.get("/v1/attachments/{attachment_id}/text", response_model=shapes.AttachmentText)
async def attachment_text(request: Request, caller: Reader, attachment_id: UUID) -> Response:
    """What it says, where it is text, HTML or a message. 409 where there is no text to be read, as in a picture."""
    async with caller.tx() as tx:
        row = await attachments.get(tx, AttachmentId(attachment_id))
        kind = readable.kind_of(row["mime_type"], row["filename"])
        if kind is None:
            raise Problem(409, "no_text", f"There is no text to be read in {row['mime_type']}.")
        data = b""
        async for piece in caller.context.blobs.read(tx, bytes(row["blob_hash"])):
            data += piece
            if len(data) >= readable.MOST_BYTES:
                break
    text = await asyncio.to_thread(readable.text_of, kind, data[: readable.MOST_BYTES])
    is_whole = len(data) == row["size_bytes"] and len(text) <= readable.MOST_CHARACTERS
    body = {"id": row["id"], "text": text[: readable.MOST_CHARACTERS], "is_whole": is_whole}
    return answers.json(request, body)


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": row["id"],
        "message_id": row["message_id"],
        "account_id": row["account_id"],
        "filename": row["filename"],
        "mime_type": row["mime_type"],
        "size_bytes": row["size_bytes"],
        "sha256": row["content_hash"],
        "content_id": row["content_id"],
        "is_inline": row["is_inline"],
        "created_at": answers.time_of(row["created_at"]),
        "url": attachment_url(row["id"]),
    }
