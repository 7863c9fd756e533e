"""Messages: rows in, values out."""

from __future__ import annotations

from collections.abc import AsyncIterator, Container, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

import orjson

from postroom.errors import NotFound
from postroom.ids import now_ms
from postroom.model import AccountId, Address, FolderId, MessageId, ParsedMessage, ThreadId
from postroom.sql import queries
from postroom.store.arrays import array_literal
from postroom.store.database import TenantTx
from postroom.store.threads import Place

QUERIES = queries("messages")
_NEWEST = {
    "tenant": QUERIES.list_tenant,
    "folder": QUERIES.list_folder,
    "unread": QUERIES.list_unread,
    "flagged": QUERIES.flagged,
    "drafts": QUERIES.drafts,
    "list": QUERIES.of_list,
    "threads": QUERIES.list_threads,
    "threads_of_folder": QUERIES.list_threads_of_folder,
}
KEY_CHARACTERS = 500
"""What the column message_id holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewMessage:
    """A message about to be stored, with all that was decided about it."""

    id: MessageId
    folder_id: FolderId
    imap_uid: str | None
    key: str
    """The value of the column message_id: unique in the account."""
    parsed: ParsedMessage
    flags: frozenset[str]
    place: Place
    received_at: int
    sent_at: int | None
    size_bytes: int
    content_hash: bytes
    raw_blob: bytes
    raw_recipe: list[list[Any]] | None


async def known(tx: TenantTx, account_id: AccountId, hashes: Sequence[bytes]) -> dict[bytes, MessageId]:
    """Which raw messages, by SHA-256, the account has already."""
    rows = await tx.rows(QUERIES.known, account_id=account_id, hashes=list(hashes))
    return {bytes(row["content_hash"]): MessageId(row["id"]) for row in rows}


async def taken_keys(tx: TenantTx, account_id: AccountId, keys: Iterable[str]) -> set[str]:
    """Which of these keys stand for another message."""
    rows = await tx.rows(QUERIES.taken_keys, account_id=account_id, keys=list(keys))
    return {row["message_id"] for row in rows}


async def insert(tx: TenantTx, account_id: AccountId, new: Sequence[NewMessage]) -> None:
    """Store the messages, a column at a time: one statement for the whole batch."""
    if numbered := [each for each in new if each.imap_uid is not None]:
        await tx.run(
            QUERIES.make_way,
            folder_id=[each.folder_id for each in numbered],
            imap_uid=[each.imap_uid for each in numbered],
        )
    await tx.run(
        QUERIES.insert,
        account_id=account_id,
        at=now_ms(),
        id=[each.id for each in new],
        folder_id=[each.folder_id for each in new],
        message_id=[each.key for each in new],
        message_id_header=[each.parsed.message_id for each in new],
        imap_uid=[each.imap_uid for each in new],
        in_reply_to=[next(iter(each.parsed.in_reply_to), None) for each in new],
        reference_ids=[array_literal(each.parsed.references) for each in new],
        sender=[", ".join(display(address) for address in each.parsed.from_) for each in new],
        recipients=[_addresses_json(each.parsed.to) for each in new],
        cc=[_addresses_json(each.parsed.cc) for each in new],
        bcc=[_addresses_json(each.parsed.bcc) for each in new],
        reply_to=[", ".join(display(address) for address in each.parsed.reply_to) or None for each in new],
        subject=[each.parsed.subject for each in new],
        text_body=[each.parsed.text for each in new],
        html_body=[each.parsed.html for each in new],
        preview=[each.parsed.preview for each in new],
        list_id=[each.parsed.list_id for each in new],
        is_read=["\\Seen" in each.flags for each in new],
        is_flagged=["\\Flagged" in each.flags for each in new],
        is_draft=["\\Draft" in each.flags for each in new],
        has_attachments=[any(not part.is_inline for part in each.parsed.attachments) for each in new],
        thread_id=[each.place.thread_id for each in new],
        thread_family_id=[each.place.family_id for each in new],
        sent_at=[each.sent_at for each in new],
        date_header=[each.parsed.date_header for each in new],
        received_at=[each.received_at for each in new],
        size_bytes=[each.size_bytes for each in new],
        content_hash=[each.content_hash for each in new],
        raw_blob=[each.raw_blob for each in new],
        raw_recipe=[
            None if each.raw_recipe is None else orjson.dumps(each.raw_recipe).decode() for each in new
        ],
        defects=[array_literal(each.parsed.defects) for each in new],
    )


async def insert_addresses(tx: TenantTx, account_id: AccountId, new: Sequence[NewMessage]) -> None:
    """Store who wrote them, and to whom. The messages are there already."""
    await _insert_addresses(
        tx, account_id, [row for message in new for row in _address_rows(message.id, message.parsed)]
    )


async def add_addresses(
    tx: TenantTx,
    account_id: AccountId,
    message_id: MessageId,
    parsed: ParsedMessage,
    *,
    there: Container[tuple[str, int]],
) -> None:
    """Those that are missing: all but what stands `there`, by role and position."""
    rows = _address_rows(message_id, parsed)
    await _insert_addresses(tx, account_id, [row for row in rows if (row[1], row[2]) not in there])


_AddressRow = tuple[MessageId, str, int, str | None, str, str | None]


def _address_rows(message_id: MessageId, parsed: ParsedMessage) -> list[_AddressRow]:
    return [
        (message_id, role, position, address.name or None, address.address.lower(), _domain(address.address))
        for role, addresses in _roles(parsed)
        for position, address in enumerate(addresses)
    ]


async def _insert_addresses(tx: TenantTx, account_id: AccountId, rows: Sequence[_AddressRow]) -> None:
    if rows:
        message_ids, roles, positions, names, addresses, domains = zip(*rows, strict=True)
        await tx.run(
            QUERIES.insert_addresses,
            account_id=account_id,
            message_id=list(message_ids),
            role=list(roles),
            position=list(positions),
            name=list(names),
            address=list(addresses),
            domain=list(domains),
        )


async def get(tx: TenantTx, message_id: MessageId) -> dict[str, Any]:
    """Everything in the row. Raises NotFound, also for what belongs to somebody else."""
    rows = await tx.rows(QUERIES.get, message_id=message_id)
    if not rows:
        raise NotFound(what="message", name=str(message_id), mend="Find it: postroom search.")
    return rows[0]


async def view(tx: TenantTx, message_id: MessageId) -> dict[str, Any]:
    """A message as it is shown: with `folders`, `addresses` and `attachments`. Raises NotFound."""
    rows = await tx.rows(QUERIES.view, message_id=message_id)
    if not rows:
        raise NotFound(what="message", name=str(message_id), mend="Find it: postroom search.")
    return rows[0]


async def newest(
    tx: TenantTx,
    *,
    limit: int,
    before: tuple[int, UUID],
    which: Literal[
        "tenant", "folder", "unread", "flagged", "drafts", "list", "threads", "threads_of_folder"
    ] = "tenant",
    **of: UUID | str,
) -> list[dict[str, Any]]:
    """Summaries, newest first, of what is older than a time and id: of the tenant, of a `folder_id`, of a mailing list
    (`list_id`), what is unread, flagged or a draft in an `account_id`; or conversations by their newest message, with counts."""
    position = {"limit": limit, "before_at": before[0], "before_id": before[1]}
    return await tx.rows(_NEWEST[which], **position, **of)


async def thread(
    tx: TenantTx, thread_id: ThreadId, *, limit: int, after: tuple[int, UUID]
) -> list[dict[str, Any]]:
    """Summaries of a conversation in its order, from behind a time and id on."""
    return await tx.rows(
        QUERIES.list_thread, thread_id=thread_id, limit=limit, after_at=after[0], after_id=after[1]
    )


async def starting_with(tx: TenantTx, prefix: str, *, is_deleted: bool = False) -> list[MessageId]:
    """At most two messages, living or deleted ones, whose id starts with these hexadecimal digits."""
    digits = prefix.replace("-", "").lower()
    lowest, highest = UUID(digits.ljust(32, "0")), UUID(digits.ljust(32, "f"))
    rows = await tx.rows(QUERIES.starting_with, lowest=lowest, highest=highest, is_deleted=is_deleted)
    return [MessageId(row["id"]) for row in rows]


async def addresses_of(tx: TenantTx, message_id: MessageId) -> dict[str, list[dict[str, Any]]]:
    """Name and address of everybody named in the header, by role and in their order."""
    found: dict[str, list[dict[str, Any]]] = {"from": [], "to": [], "cc": [], "bcc": [], "reply_to": []}
    for row in await tx.rows(QUERIES.addresses_of, message_id=message_id):
        found[row["role"]].append({"name": row["name"], "address": row["address"]})
    return found


async def any_of(tx: TenantTx, account_id: AccountId) -> bool:
    """Whether the account has any mail."""
    return (await tx.rows(QUERIES.any_of, account_id=account_id))[0]["has_mail"]


async def look_alikes(tx: TenantTx, account_id: AccountId, keys: Iterable[str]) -> list[dict[str, Any]]:
    """Messages with these Message-IDs: id, message_id, date_header, size_bytes, and an internal_date."""
    return await tx.rows(QUERIES.look_alikes, account_id=account_id, keys=list(keys))


async def to_export(tx: TenantTx, account_id: AccountId, *, page: int = 500) -> AsyncIterator[dict[str, Any]]:
    """Every living message of the account, with its folders and flags, in a stable order."""
    after = UUID(int=0)
    while rows := await tx.rows(QUERIES.to_export, account_id=account_id, after=after, limit=page):
        for row in rows:
            yield row
        after = rows[-1]["id"]


async def count_of(tx: TenantTx, account_id: AccountId) -> tuple[int, int]:
    """How many living messages the account has, and their raw size in bytes."""
    row = (await tx.rows(QUERIES.count_of, account_id=account_id))[0]
    return row["messages"], row["size_bytes"]


def display(address: Address) -> str:
    """`Alice Example <alice@example.com>`"""
    if not address.name:
        return address.address
    return f"{address.name} <{address.address}>" if address.address else address.name


def _roles(parsed: ParsedMessage) -> tuple[tuple[str, tuple[Address, ...]], ...]:
    return (
        ("from", parsed.from_),
        ("to", parsed.to),
        ("cc", parsed.cc),
        ("bcc", parsed.bcc),
        ("reply_to", parsed.reply_to),
    )


def _addresses_json(addresses: Sequence[Address]) -> str:
    return orjson.dumps([address.address for address in addresses]).decode()


def _domain(address: str) -> str | None:
    return address.rpartition("@")[2].lower() if "@" in address else None
