"""Thread ids that follow from what a thread is: the same messages give the same ids, in whatever order they come."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID, uuid5

from postroom.model import MessageId, ThreadId, ThreadNode
from postroom.threads.tree import ThreadTree, forest, normalised


def links(node: ThreadNode) -> frozenset[str]:
    """The ids that put a message into a family: its own and those it refers to."""
    own = (node.message_id,) if node.message_id else ()
    return frozenset(normalised(each) for each in (*own, *node.references))


def families(nodes: Iterable[ThreadNode]) -> list[list[ThreadNode]]:
    """The messages grouped by the ids that connect them."""
    parents: dict[object, object] = {}

    def root(item: object) -> object:
        while (parent := parents.setdefault(item, item)) != item:
            parents[item] = item = parents[parent]
        return item

    everyone = list(nodes)
    for node in everyone:
        for link in links(node):
            parents[root(link)] = root(node.key)
    grouped: dict[object, list[ThreadNode]] = {}
    for node in everyone:
        grouped.setdefault(root(node.key), []).append(node)
    return list(grouped.values())


def assign(account_id: UUID, nodes: Iterable[ThreadNode]) -> dict[MessageId, ThreadId]:
    """The thread of every message. `nodes` must be whole families, several at once if you like."""
    found: dict[MessageId, ThreadId] = {}
    for family in families(nodes):
        # The RFC goes by place in the mailbox; we go by date, which every arrival order has in common.
        family.sort(key=lambda node: (node.sent_at, node.message_id or "", node.key))
        for root in forest(family):
            members = [one.node for one in root.walk() if one.node]
            thread_id = ThreadId(uuid5(account_id, _name(root, members)))
            found.update((node.key, thread_id) for node in members)
    return found


def _name(root: ThreadTree, members: list[ThreadNode]) -> str:
    """Step 5 of RFC 5256 makes one thread of all trees with one base subject, so that is the thread's name."""
    subject = root.subject.text
    if subject:
        return f"subject:{subject}"
    return "tree:" + min(normalised(node.message_id) if node.message_id else node.key.hex for node in members)
