"""Threads: which family a message joins, and what that rearranges.

A family is every message that one id of RFC 5322 3.6.4 leads to. What threads there are inside it, `postroom.threads`
decides from the whole family, so the order in which mail arrives does not matter.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from postroom import threads
from postroom.ids import new_id, now_ms
from postroom.model import AccountId, MessageId, ThreadId, ThreadNode
from postroom.sql import queries
from postroom.store.database import TenantTx

QUERIES = queries("threads")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a message belongs."""

    thread_id: ThreadId
    family_id: UUID


async def place(
    tx: TenantTx, account_id: AccountId, arriving: Sequence[ThreadNode]
) -> tuple[dict[MessageId, Place], list[MessageId]]:
    """The places of messages that are about to be stored, and those stored before that were moved by them.

    The caller holds the account (`changes.next_modseq`): two writers at once would not see each other's families.
    """
    links = {node.key: [_link(each) for each in threads.links(node)] for node in arriving}
    found = await _find(tx, account_id, {link for each in links.values() for link in each})
    groups = _Groups()
    for node in arriving:
        groups.join(node.key, [*links[node.key], *(found[link] for link in links[node.key] if link in found)])
    old = set(found.values())
    names = _names(groups, arriving, old)
    await _remember(
        tx, account_id, {link: names[groups.root(link)] for each in links.values() for link in each}, found
    )
    moved_families = {
        family: names[groups.root(family)] for family in old if names[groups.root(family)] != family
    }
    await _merge(tx, account_id, moved_families)
    stored = await _stored(tx, account_id, old)
    families: dict[UUID, list[ThreadNode]] = {}
    for node in arriving:
        families.setdefault(names[groups.root(node.key)], []).append(node)
    return await _arrange(tx, account_id, families, stored, moved_families)


async def follow(tx: TenantTx, changed: Sequence[MessageId]) -> list[MessageId]:
    """Arrange the families of messages that went or came back; which living messages that moved."""
    rows = await tx.rows(QUERIES.families_of, message_ids=list(changed)) if changed else []
    families: dict[AccountId, set[UUID]] = {}
    for row in rows:
        families.setdefault(AccountId(row["account_id"]), set()).add(row["thread_family_id"])
    moved: list[MessageId] = []
    for account_id, wanted in families.items():
        stored = await _stored(tx, account_id, wanted)
        moved += (await _arrange(tx, account_id, {}, stored, {}))[1]
    return moved


@dataclass(frozen=True, slots=True, kw_only=True)
class _Member:
    """A stored message of a family. One that is deleted has no say in its threads, but stays in it."""

    node: ThreadNode
    place: Place
    is_deleted: bool


class _Groups:
    """Union-find over anything that can be a key: messages, links, families."""

    def __init__(self) -> None:
        self._parent: dict[UUID, UUID] = {}

    def root(self, item: UUID) -> UUID:
        parent = self._parent.setdefault(item, item)
        while parent != self._parent[parent]:
            self._parent[parent] = self._parent[self._parent[parent]]
            parent = self._parent[parent]
        self._parent[item] = parent
        return parent

    def join(self, first: UUID, others: Iterable[UUID]) -> None:
        root = self.root(first)
        for other in others:
            self._parent[self.root(other)] = root


def _link(message_id: str) -> UUID:
    """128 bits of the id's hash: ids have any length, keys should not."""
    return UUID(bytes=hashlib.blake2b(message_id.encode("utf-8", "surrogatepass"), digest_size=16).digest())


def _names(groups: _Groups, arriving: Sequence[ThreadNode], old: set[UUID]) -> dict[UUID, UUID]:
    """The family id of each group: the smallest that it had, or a new one."""
    names: dict[UUID, UUID] = {}
    for family in sorted(old):
        names.setdefault(groups.root(family), family)
    for node in arriving:
        names.setdefault(groups.root(node.key), new_id())
    return names


async def _find(tx: TenantTx, account_id: AccountId, links: set[UUID]) -> dict[UUID, UUID]:
    if not links:
        return {}
    rows = await tx.rows(QUERIES.find_links, account_id=account_id, links=list(links))
    return {row["link"]: row["family_id"] for row in rows}


async def _remember(
    tx: TenantTx, account_id: AccountId, links: Mapping[UUID, UUID], found: Mapping[UUID, UUID]
) -> None:
    fresh = {link: family for link, family in links.items() if link not in found}
    if fresh:
        await tx.run(
            QUERIES.insert_links, account_id=account_id, links=list(fresh), family_ids=list(fresh.values())
        )


async def _merge(tx: TenantTx, account_id: AccountId, moved: Mapping[UUID, UUID]) -> None:
    if moved:
        await tx.run(
            QUERIES.merge_links, account_id=account_id, from_ids=list(moved), into_ids=list(moved.values())
        )


async def _stored(tx: TenantTx, account_id: AccountId, families: set[UUID]) -> list[_Member]:
    if not families:
        return []
    rows = await tx.rows(QUERIES.family, account_id=account_id, family_ids=list(families))
    return [
        _Member(
            node=ThreadNode(
                key=MessageId(row["id"]),
                message_id=row["message_id_header"],
                references=threads.ancestry(row["reference_ids"], _first(row["in_reply_to"])),
                subject=row["subject"],
                sent_at=row["sent_at"],
            ),
            place=Place(thread_id=ThreadId(row["thread_id"]), family_id=row["thread_family_id"]),
            is_deleted=row["is_deleted"],
        )
        for row in rows
    ]


def _first(in_reply_to: str | None) -> tuple[str, ...]:
    return (in_reply_to,) if in_reply_to else ()


async def _arrange(
    tx: TenantTx,
    account_id: AccountId,
    arriving: Mapping[UUID, list[ThreadNode]],
    stored: Sequence[_Member],
    moved_families: Mapping[UUID, UUID],
) -> tuple[dict[MessageId, Place], list[MessageId]]:
    """The places of what arrives, and which living messages moved."""
    families = {family_id: list(nodes) for family_id, nodes in arriving.items()}
    now: dict[MessageId, Place] = {}
    for each in stored:
        family_id = moved_families.get(each.place.family_id, each.place.family_id)
        if each.is_deleted:
            now[each.node.key] = Place(thread_id=each.place.thread_id, family_id=family_id)
        else:
            families.setdefault(family_id, []).append(each.node)
    for family_id, nodes in families.items():
        for key, thread_id in threads.assign(account_id, nodes).items():
            now[key] = Place(thread_id=thread_id, family_id=family_id)
    places = {each.node.key: now.pop(each.node.key) for each in stored}
    moved = {each.node.key: place for each in stored if (place := places[each.node.key]) != each.place}
    if moved:
        await tx.run(
            QUERIES.rearrange,
            message_ids=list(moved),
            thread_ids=[each.thread_id for each in moved.values()],
            family_ids=[each.family_id for each in moved.values()],
            at=now_ms(),
        )
    return now, [each.node.key for each in stored if each.node.key in moved and not each.is_deleted]
