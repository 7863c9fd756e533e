"""Writing: the tools that draft and send, which there are only for a key that may."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from pydantic import Field

from postroom.client import AsyncClient
from postroom.client.values import Draft, Sent
from postroom.mcp.tool import Arguments, Tool


class Letter(Arguments):
    account_id: UUID = Field(description="The mailbox that writes, from list_accounts.")
    to: list[str] = Field(
        default_factory=list,
        max_length=100,
        description="Addresses; an answer goes to whom it answers by itself.",
    )
    cc: list[str] = Field(default_factory=list, max_length=100)
    subject: str | None = Field(
        None, max_length=1000, description="An answer and a forward have theirs by themselves."
    )
    text: str = Field(max_length=200_000)
    reply_to_message_id: UUID | None = Field(None, description="The message that this answers.")
    reply_all: bool = False
    forward_message_id: UUID | None = Field(None, description="The message that is sent on.")


class SendLetter(Letter):
    idempotency_key: str | None = Field(
        None,
        pattern=r"^[\x21-\x7e]{1,200}$",
        description="The same key twice sends one letter: give one where you may have to try again.",
    )


class OfDraft(Arguments):
    draft_id: UUID


async def draft_message(mail: AsyncClient, wanted: Letter) -> Any:
    return _drafted(await mail.create_draft(**_said(wanted)))


async def send_message(mail: AsyncClient, wanted: SendLetter) -> Any:
    return _sent(await mail.send(**_said(wanted), idempotency_key=wanted.idempotency_key))


async def send_draft(mail: AsyncClient, wanted: OfDraft) -> Any:
    return _sent(await mail.send_draft(wanted.draft_id))


TOOLS = (
    Tool(
        "draft_message",
        "Write a message, an answer or a forward, and keep it as a draft. Nothing is sent.",
        "write",
        Letter,
        draft_message,
    ),
    Tool(
        "send_message",
        "Send a message, an answer or a forward. It cannot be taken back once it has gone out: ask the person first.",
        "send",
        SendLetter,
        send_message,
        is_final=True,
    ),
    Tool(
        "send_draft",
        "Send a draft. It cannot be taken back once it has gone out: ask the person first.",
        "send",
        OfDraft,
        send_draft,
        is_final=True,
    ),
)


def _said(wanted: Letter) -> dict[str, Any]:
    return {
        "account_id": wanted.account_id,
        "to": wanted.to,
        "cc": wanted.cc,
        "subject": wanted.subject,
        "text": wanted.text,
        "reply_to_message_id": wanted.reply_to_message_id,
        "reply_all": wanted.reply_all,
        "forward_message_id": wanted.forward_message_id,
    }


def _drafted(draft: Draft) -> dict[str, Any]:
    return {
        "draft_id": str(draft.id),
        "to": list(draft.to),
        "cc": list(draft.cc),
        "subject": draft.subject,
        "text": draft.text,
    }


def _sent(sent: Sent) -> dict[str, Any]:
    return {
        "send_id": str(sent.id),
        "state": sent.state,
        "subject": sent.subject,
        "recipients": [each.address for each in sent.recipients],
    }
