"""Messages as bytes, as threading sees them, and the answer of IMAP THREAD (RFC 5256 4) for their trees."""

from __future__ import annotations

import email
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from email.header import decode_header, make_header
from email.message import Message
from email.utils import format_datetime, parsedate_to_datetime
from uuid import UUID

from postroom.model import MessageId, ThreadNode
from postroom.threads import ThreadTree, ancestry, tree

_ID = re.compile(r"<([^<>]*)>")


def node(
    number: int,
    message_id: str | None = None,
    references: Sequence[str] = (),
    subject: str = "",
    sent_at: int | None = None,
) -> ThreadNode:
    """The message with a number: its key, and its date unless another is given."""
    return ThreadNode(
        key=MessageId(UUID(int=number)),
        message_id=message_id,
        references=tuple(references),
        subject=subject,
        sent_at=number if sent_at is None else sent_at,
    )


def letter(
    message_id: str | None = None,
    *,
    references: str | None = None,
    in_reply_to: str | None = None,
    subject: str | None = None,
    seconds: int | None = None,
) -> bytes:
    """A message with these header fields as they are, sent so many seconds after the start of 2020."""
    date = None if seconds is None else format_datetime(datetime.fromtimestamp(1_577_836_800 + seconds, UTC))
    fields = {
        "Message-ID": message_id,
        "References": references,
        "In-Reply-To": in_reply_to,
        "Subject": subject,
        "Date": date,
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items() if value is not None)
    return (f"From: a@example.org\r\n{head}\r\nbody\r\n").encode()


def parsed(raw: bytes, number: int, received: datetime) -> ThreadNode:
    """What threading must know of a message that came at a time."""
    message = email.message_from_bytes(raw)
    return ThreadNode(
        key=MessageId(UUID(int=number)),
        message_id=next(iter(_ids(message, "Message-ID")), None),
        references=ancestry(_ids(message, "References"), _ids(message, "In-Reply-To")),
        subject=str(make_header(decode_header(message["Subject"] or ""))),
        sent_at=int(
            (parsedate_to_datetime(message["Date"]) if message["Date"] else received).timestamp() * 1000
        ),
    )


def _ids(message: Message, name: str) -> list[str]:
    return ["".join(each.split()) for each in _ID.findall(str(message[name] or ""))]


def answer(mailbox: Sequence[ThreadNode]) -> str:
    """What THREAD REFERENCES answers for a mailbox."""
    numbers = {each.key: number for number, each in enumerate(mailbox, 1)}
    return "".join(f"({_members(each, numbers)})" for each in tree(mailbox, order=None))


def _members(top: ThreadTree, numbers: dict[MessageId, int]) -> str:
    chain: list[str] = []
    one: ThreadTree | None = top
    while one is not None:
        if one.node:
            chain.append(str(numbers[one.node.key]))
        children = one.children
        one = children[0] if len(children) == 1 else None
        if len(children) > 1:
            chain.append("".join(f"({_members(child, numbers)})" for child in children))
    return " ".join(chain)
