"""Steps 4 to 6 of REFERENCES (RFC 5256 3): trees of one subject gathered, and all sorted, for showing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from postroom.model import ThreadNode
from postroom.threads.forest import Container, Order, canonical, forest, when
from postroom.threads.subject import analysed


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class ThreadTree:
    """A message and the answers to it, oldest first."""

    node: ThreadNode | None
    """None at the top of a thread whose first message is not here: its children are siblings."""
    children: tuple[ThreadTree, ...]

    def walk(self) -> Iterator[ThreadTree]:
        """This and everything below, parents first."""
        waiting: list[ThreadTree] = [self]
        while waiting:
            one = waiting.pop()
            yield one
            waiting.extend(reversed(one.children))


def tree(nodes: Iterable[ThreadNode], *, order: Order | None = canonical) -> list[ThreadTree]:
    """The threads of these messages, by the date of their first message.

    `order` is the sort key that stands for the place in the mailbox: it decides which parent is believed,
    which of two equal ids counts, and between equal dates. None takes the messages in the order given, as
    IMAP does. The thread ids of `assign` belong to the canonical order.
    """
    processed = list(nodes) if order is None else sorted(nodes, key=order)
    roots = [_Root(one) for one in forest(processed)]
    roots.sort(key=_date)  # step 4
    return [_shown(root.top) for root in sorted(_gathered(roots), key=_date)]


class _Root:
    """A thread as step 5 sees it."""

    __slots__ = ("date", "is_reply", "subject", "top")

    def __init__(self, top: Container) -> None:
        first = top.first
        self.top = top
        self.date = when(first)
        self.subject, self.is_reply = analysed(first.node.subject if first.node else "")

    @property
    def is_dummy(self) -> bool:
        return self.top.node is None


def _date(root: _Root) -> tuple[int, int]:
    return root.date


def _gathered(roots: list[_Root]) -> list[_Root]:
    """Step 5: one thread for each subject; a thread without any stays alone."""
    table: dict[str, _Root] = {}
    for root in roots:  # (B)
        if root.subject and _is_better(root, table.get(root.subject)):
            table[root.subject] = root
    for root in roots:  # (C)
        known = table.get(root.subject)
        if known is not None and known is not root:
            table[root.subject] = _merged(known, root)
    return [*(root for root in roots if not root.subject), *table.values()]


def _is_better(root: _Root, known: _Root | None) -> bool:
    """(5) (B) (iv): whether it takes the place of the one in the subject table."""
    if known is None:
        return True
    return not known.is_dummy and (root.is_dummy or (known.is_reply and not root.is_reply))


def _merged(known: _Root, root: _Root) -> _Root:
    """(5) (C) (iv): the thread in the subject table, and another of the same subject."""
    if known.is_dummy:
        for one in root.top.children if root.is_dummy else [root.top]:
            known.top.adopt(one)
    elif root.is_reply and not known.is_reply:
        known.top.adopt(root.top)
        return known
    else:
        both = Container("")
        both.adopt(known.top)
        both.adopt(root.top)
        known.top = both
    known.date = min(known.date, root.date)  # step 6: a dummy sorts as its first child
    return known


def _shown(top: Container) -> ThreadTree:
    """Step 6, and the tree as a value; from the leaves up."""
    built: dict[int, ThreadTree] = {}
    for one in reversed(list(top.walk())):
        children = tuple(built.pop(id(child)) for child in sorted(one.children, key=when))
        built[id(one)] = ThreadTree(node=one.node, children=children)
    return built[id(top)]
