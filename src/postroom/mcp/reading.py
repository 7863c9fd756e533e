"""Reading: the tools that only look."""

from __future__ import annotations

import re
from html import unescape
from typing import Any
from uuid import UUID

from pydantic import Field

from postroom.client import AsyncClient
from postroom.client.values import Message, Summary
from postroom.mcp.tool import Arguments, Tool
from postroom.mime.bodies import html_to_text

_TEXT_CHARACTERS = 20_000
_IN_THREAD_CHARACTERS = 5_000


class OfNothing(Arguments):
    pass


class Search(Arguments):
    query: str = Field(
        "",
        max_length=2000,
        description='Words, "phrases", from:, to:, subject:, after:2026-01-01, before:, in:inbox, is:unread, has:attachment, '
        "-not, OR. Empty: everything, newest first.",
    )
    account_id: UUID | None = Field(None, description="Only this account.")
    limit: int = Field(10, ge=1, le=50)
    cursor: str | None = Field(None, description="`next` of the page before, with the same query.")


class OfMessage(Arguments):
    message_id: UUID


class OneMessage(OfMessage):
    offset: int = Field(0, ge=0, description="Where in the text to begin: `next_offset` of the part before.")


class OfThread(Arguments):
    thread_id: UUID
    limit: int = Field(10, ge=1, le=50)
    cursor: str | None = Field(None, description="`next` of the page before.")


class OfAttachment(Arguments):
    attachment_id: UUID
    offset: int = Field(0, ge=0, description="Where in the text to begin: `next_offset` of the part before.")


async def list_accounts(mail: AsyncClient, _: OfNothing) -> Any:
    found = await mail.list_accounts()
    return [
        {"id": str(each.id), "email_address": each.email_address, "name": each.account_name} for each in found
    ]


async def search(mail: AsyncClient, wanted: Search) -> Any:
    page = await mail.search_messages(
        q=wanted.query, account_id=wanted.account_id, limit=wanted.limit, cursor=wanted.cursor
    )
    items = [_listed(each) | {"snippet": _plain(each.snippet)} for each in page.items]
    return {"items": items, "next": page.next}


async def read_message(mail: AsyncClient, wanted: OneMessage) -> Any:
    message = await mail.get_message(wanted.message_id)
    return _shown(message) | _part(_text(message), wanted.offset, _TEXT_CHARACTERS)


async def read_thread(mail: AsyncClient, wanted: OfThread) -> Any:
    page = await mail.get_thread(wanted.thread_id, limit=wanted.limit, cursor=wanted.cursor, fields=["id"])
    whole = [await mail.get_message(each.id) for each in page.items]
    items = [_shown(each) | _part(_text(each), 0, _IN_THREAD_CHARACTERS) for each in whole]
    return {"items": items, "next": page.next}


async def list_attachments(mail: AsyncClient, wanted: OfMessage) -> Any:
    message = await mail.get_message(wanted.message_id, fields=["attachments"])
    return _attached(message)


async def read_attachment(mail: AsyncClient, wanted: OfAttachment) -> Any:
    known = await mail.get_attachment(wanted.attachment_id)
    found = await mail.attachment_text(wanted.attachment_id)
    return {"filename": known.filename, "mime_type": known.mime_type, "is_whole": found.is_whole} | _part(
        found.text, wanted.offset, _TEXT_CHARACTERS
    )


TOOLS = (
    Tool(
        "list_accounts",
        "The mailboxes that there are.",
        "read",
        OfNothing,
        list_accounts,
    ),
    Tool(
        "search_mail",
        "Find messages, newest first. Gives ids for the other tools.",
        "read",
        Search,
        search,
    ),
    Tool(
        "read_message",
        "One message: who, to whom, when, its text and its attachments.",
        "read",
        OneMessage,
        read_message,
    ),
    Tool(
        "read_thread",
        "A conversation with the beginning of each message's text, the oldest first.",
        "read",
        OfThread,
        read_thread,
    ),
    Tool(
        "list_attachments",
        "The attachments of a message: names, kinds, sizes and ids.",
        "read",
        OfMessage,
        list_attachments,
    ),
    Tool(
        "read_attachment",
        "The text of an attachment, where it is text, HTML, CSV, a calendar entry or a message.",
        "read",
        OfAttachment,
        read_attachment,
    ),
)


def _listed(each: Summary) -> dict[str, Any]:
    return {
        "id": str(each.id),
        "thread_id": str(each.thread_id),
        "account_id": str(each.account_id),
        "from": each.from_,
        "subject": each.subject,
        "received_at": each.received_at.isoformat(),
        "is_read": each.is_read,
        "has_attachments": each.has_attachments,
    }


def _shown(message: Message) -> dict[str, Any]:
    return _listed(message) | {
        "to": [each.address for each in message.to],
        "cc": [each.address for each in message.cc],
        "reply_to": [each.address for each in message.reply_to],
        "folders": [each.name for each in message.folders],
        "attachments": _attached(message),
    }


def _attached(message: Message) -> list[dict[str, Any]]:
    return [
        {
            "id": str(each.id),
            "filename": each.filename,
            "mime_type": each.mime_type,
            "size_bytes": each.size_bytes,
        }
        for each in message.attachments
    ]


def _text(message: Message) -> str:
    return message.text or (html_to_text(message.html) if message.html else "")


def _part(text: str, offset: int, most: int) -> dict[str, Any]:
    end = offset + most
    return {"text": text[offset:end], "next_offset": end if len(text) > end else None}


def _plain(snippet: str) -> str:
    return unescape(re.sub("</?mark>", "", snippet))
