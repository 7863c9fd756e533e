"""Steps 1 to 3 of REFERENCES (RFC 5256 3): messages under their parents, without needless dummies."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from postroom.model import ThreadNode
from postroom.threads.ids import normalised

Order = Callable[[ThreadNode], Any]


def canonical(node: ThreadNode) -> tuple[Any, ...]:
    """The order in which we process messages, where the RFC goes by place in the mailbox.

    Only what a message says of itself counts, so no order of arrival matters; the key decides between twins.
    """
    return node.sent_at, node.message_id or "", node.references, node.subject, node.key


class Container:
    """A message in its tree, or the dummy of a message that is known by its id only."""

    __slots__ = ("ancestor", "ancestor_as_of", "children", "is_parent", "name", "node", "parent", "place")

    def __init__(self, name: str, node: ThreadNode | None = None, place: int = 0) -> None:
        self.name = name
        """Which message it is; of a root, what its tree is called."""
        self.node = node
        self.place = place
        self.parent: Container | None = None
        self.children: list[Container] = []
        """Filled when all links are known."""
        self.is_parent = False
        """Whether it ever was one."""
        self.ancestor: Container | None = None
        self.ancestor_as_of = -1

    def adopt(self, child: Container) -> None:
        child.parent = self
        self.children.append(child)

    def walk(self) -> Iterator[Container]:
        """This and everything below, parents first, without recursion: chains are long."""
        waiting: list[Container] = [self]
        while waiting:
            one = waiting.pop()
            yield one
            waiting.extend(reversed(one.children))

    @property
    def first(self) -> Container:
        """Itself, or the first child by date of a dummy, which stands for it (steps 4 and 5)."""
        return self if self.node else min(self.children, key=when)


def when(one: Container) -> tuple[int, int]:
    """RFC 5256 2.2: by sent date, then by place."""
    return (one.node.sent_at if one.node else 0), one.place


def forest(nodes: Sequence[ThreadNode]) -> list[Container]:
    """The root of each tree. Where messages disagree about a parent, the earlier one is believed."""
    links = _Links()
    for place, node in enumerate(nodes):
        links.add(node, place)
    return _pruned(links.everything)


class _Links:
    """Step 1: who is whose parent."""

    def __init__(self) -> None:
        self.everything: list[Container] = []
        self._by_id: dict[str, Container] = {}
        self._copies: dict[str, int] = {}
        self._cuts = 0

    def add(self, node: ThreadNode, place: int) -> None:
        one = self._of_message(node, place)
        parent = None
        for reference in node.references:  # (1) (A)
            if (known := normalised(reference)) is None:
                continue
            referred = self._by_id.get(known) or self._new(known)
            if parent is not None and referred.parent is None:
                self._link(parent, referred)
            parent = referred
        if one.parent is not parent:  # (1) (B): what a message says of itself counts more
            self._cut(one)
            if parent is not None:
                self._link(parent, one)

    def _of_message(self, node: ThreadNode, place: int) -> Container:
        known = normalised(node.message_id) if node.message_id else None
        if known is None:  # (1) (A): a message without a valid id gets a unique one
            return self._keep(Container(f"0 {node.key}", node, place))
        one = self._by_id.get(known) or self._new(known)
        if one.node is None:
            one.node, one.place = node, place
            return one
        copy = self._copies[known] = self._copies.get(known, 1) + 1  # and so does one that repeats an id
        return self._keep(Container(f"{copy} {known}", node, place))

    def _new(self, message_id: str) -> Container:
        one = self._by_id[message_id] = Container(f"1 {message_id}")
        return self._keep(one)

    def _keep(self, one: Container) -> Container:
        self.everything.append(one)
        return one

    def _link(self, parent: Container, child: Container) -> None:
        """Make a link, unless it would close a loop; the child has no parent."""
        if child is parent or (child.is_parent and self._root(parent) is child):
            return
        child.parent = parent
        parent.is_parent = True

    def _cut(self, child: Container) -> None:
        if child.parent is None:
            return
        child.parent = None
        child.ancestor_as_of = -1
        if child.is_parent:
            self._cuts += 1

    def _root(self, one: Container) -> Container:
        """The root above. It is remembered until something is cut, so that long chains are climbed once."""
        passed: list[Container] = []
        while one.parent is not None:
            passed.append(one)
            remembered = one.ancestor if one.ancestor_as_of == self._cuts else None
            one = remembered or one.parent
        for each in passed:
            each.ancestor, each.ancestor_as_of = one, self._cuts
        return one


def _pruned(everything: list[Container]) -> list[Container]:
    """Steps 2 and 3: the roots. Dummies go; only a root may stay one, to hold several children together."""
    tops = [one for one in everything if one.parent is None]
    for one in everything:
        if one.node is not None and (parent := _nearest(one)) is not None:
            parent.adopt(one)
    return [root for top in tops if (root := _root_of(top)) is not None]


def _nearest(one: Container) -> Container | None:
    """The message above, or the topmost dummy."""
    passed: list[Container] = []
    above = one.parent
    while above is not None and above.node is None and above.parent is not None:
        passed.append(above)
        above = above.parent
    for each in passed:
        each.parent = above
    return above


def _root_of(top: Container) -> Container | None:
    if top.node is not None or len(top.children) > 1:
        return top
    if not top.children:
        return None
    [child] = top.children  # promoted; the tree keeps the name that it has when the missing message comes
    child.parent, child.name = None, top.name
    return child
