"""Thread ids that follow from what a thread is: the same messages have the same ids, however they came."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID, uuid5

from postroom.model import MessageId, ThreadId, ThreadNode
from postroom.threads.forest import Container, canonical, forest
from postroom.threads.ids import links
from postroom.threads.subject import base_subject


def assign(account_id: UUID, family: Iterable[ThreadNode]) -> dict[MessageId, ThreadId]:
    """The thread of every message. `family` is one whole family, or several at once: they share no id.

    A thread is named by its subject, or by its first message where it has none.
    """
    found: dict[MessageId, ThreadId] = {}
    for root in forest(sorted(family, key=canonical)):
        thread_id = ThreadId(uuid5(account_id, _name(root)))
        found.update((one.node.key, thread_id) for one in root.walk() if one.node)
    return found


def _name(root: Container) -> str:
    """Step 5 of RFC 5256 3 makes one thread of all trees of one subject: the subject is its name."""
    node = root.first.node
    subject = base_subject(node.subject) if node else ""
    return f"subject:{subject}" if subject else f"tree:{root.name}"


def families(nodes: Iterable[ThreadNode]) -> list[list[ThreadNode]]:
    """The messages grouped by the ids that connect them, at one remove or at many."""
    groups = _Groups()
    grouped: dict[int, list[ThreadNode]] = {}
    placed = [(node, groups.joined(links(node))) for node in nodes]
    for node, group in placed:
        grouped.setdefault(groups.root(group), []).append(node)
    return list(grouped.values())


class _Groups:
    """Union-find over ids."""

    def __init__(self) -> None:
        self._parents: list[int] = []
        self._by_id: dict[str, int] = {}

    def joined(self, ids: Iterable[str]) -> int:
        """A group, new or old, that has all of these ids."""
        group = self._new()
        for each in ids:
            other = self.root(self._by_id.setdefault(each, group))
            self._parents[group], group = other, other
        return group

    def _new(self) -> int:
        self._parents.append(len(self._parents))
        return len(self._parents) - 1

    def root(self, group: int) -> int:
        parents = self._parents
        while parents[group] != group:
            parents[group] = group = parents[parents[group]]
        return group
