"""Inventory: what lies in a folder, row by row, to be held against the server and against itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from postroom.mime.recipe import Recipe
from postroom.model import FolderId, MessageId
from postroom.sql import queries
from postroom.store.database import TenantTx

QUERIES = queries("inventory")


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One message in one folder."""

    uid: int
    words: frozenset[str]
    message_id: MessageId
    size_bytes: int
    received_at: int
    content_hash: bytes
    raw_blob: bytes
    recipe: Recipe | None
    other_blobs: frozenset[bytes]
    """Attachments with bytes of their own that are no part of the recipe."""
    is_settled: bool
    """Whether read, flagged, draft and deleted agree with the places where the message lies."""
    has_its_rows: bool
    """Whether it can be found, and has the attachments and the sender that it must have."""


async def of_folder(
    tx: TenantTx, folder_id: FolderId, uidvalidity: int, *, after_uid: int, limit: int
) -> list[Item]:
    """A page of the living placements by UID."""
    rows = await tx.rows(
        QUERIES.of_folder, folder_id=folder_id, uidvalidity=uidvalidity, after_uid=after_uid, limit=limit
    )
    return [_item(row) for row in rows]


async def rows_of(tx: TenantTx, message_id: MessageId) -> tuple[set[int], set[tuple[str, int]], bool]:
    """Positions of its attachments, role and position of its addresses, and whether it can be found."""
    row = (await tx.rows(QUERIES.rows_of, message_id=message_id))[0]
    addresses = {(role, int(position)) for role, position in (each.split() for each in row["addresses"])}
    return set(row["attachments"]), addresses, row["is_findable"]


def _item(row: dict[str, Any]) -> Item:
    recipe = Recipe.from_json(row["raw_recipe"]) if row["raw_recipe"] else None
    cut = {each.sha256 for each in recipe.cuts} if recipe else set()
    attached = {bytes(each) for each in row["attachment_blobs"]}
    return Item(
        uid=row["uid"],
        words=frozenset(row["words"]),
        message_id=MessageId(row["id"]),
        size_bytes=row["size_bytes"],
        received_at=row["received_at"],
        content_hash=bytes(row["content_hash"]),
        raw_blob=bytes(row["raw_blob"]),
        recipe=recipe,
        other_blobs=frozenset(attached - cut),
        is_settled=row["is_settled"],
        has_its_rows=row["is_findable"]
        and row["has_sender"]
        and cut <= attached
        and (bool(attached) or not row["has_attachments"]),
    )
