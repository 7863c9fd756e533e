"""The REFERENCES algorithm of RFC 5256: messages in, trees out. Without recursion: chains are long."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from postroom.model import ThreadNode
from postroom.threads.subject import BaseSubject, base_subject

NOBODY = BaseSubject("", False)


class ThreadTree:
    """A message and its answers; `node` is None for a parent that is known by its id only."""

    __slots__ = ("children", "node", "parent", "place")

    def __init__(self, node: ThreadNode | None = None, place: int = 0) -> None:
        self.node = node
        self.place = place
        self.parent: ThreadTree | None = None
        self.children: list[ThreadTree] = []

    def adopt(self, child: ThreadTree) -> None:
        child.parent = self
        self.children.append(child)

    def walk(self) -> Iterable[ThreadTree]:
        """This and everything below, parents first."""
        waiting = [self]
        while waiting:
            one = waiting.pop()
            yield one
            waiting.extend(reversed(one.children))

    @property
    def when(self) -> tuple[int, int]:
        """RFC 5256 2.2: the sent date, then the place in the mailbox; of a dummy, its first child's."""
        first = self if self.node else self.children[0]
        return (first.node.sent_at if first.node else 0), first.place

    @property
    def subject(self) -> BaseSubject:
        first = self if self.node or not self.children else self.children[0]
        return base_subject(first.node.subject) if first.node else NOBODY


def tree(nodes: Sequence[ThreadNode]) -> list[ThreadTree]:
    """The threads of these messages. Where they disagree about a parent, the earlier in the sequence is believed."""
    roots = forest(nodes)
    roots.sort(key=lambda root: root.when)  # step 4
    roots = _merged_by_subject(roots)
    for root in roots:  # step 6; the deepest first, because a dummy sorts as its first child
        for one in reversed(list(root.walk())):
            one.children.sort(key=lambda child: child.when)
    return sorted(roots, key=lambda root: root.when)


def forest(nodes: Sequence[ThreadNode]) -> list[ThreadTree]:
    """Steps 1 to 3: linked by references, dummies pruned, not yet merged by subject."""
    by_id: dict[str, ThreadTree] = {}
    everything: list[ThreadTree] = []
    for place, node in enumerate(nodes):
        one = _own(node, place, by_id, everything)
        parent = None
        for reference in node.references:  # step 1 A
            referred = _container(normalised(reference), by_id, everything)
            if parent is not None and referred.parent is None and not _leads_to(parent, referred):
                parent.adopt(referred)
            parent = referred
        if one.parent is not None:  # step 1 B: what the message says of itself counts
            one.parent.children.remove(one)
            one.parent = None
        if parent is not None and not _leads_to(parent, one):
            parent.adopt(one)
    roots = [one for one in everything if one.parent is None]  # step 2
    return _pruned(roots)


def normalised(message_id: str) -> str:
    """RFC 5256 3: `"01KF8JCEOCBS0045PS"@xxx.yyy.com` is the same id without the quotes."""
    local, at, domain = message_id.rpartition("@")
    return f"{local[1:-1]}{at}{domain}" if len(local) > 1 and local[0] == local[-1] == '"' else message_id


def _own(node: ThreadNode, place: int, by_id: dict[str, ThreadTree], everything: list[ThreadTree]) -> ThreadTree:
    """The container of a message; one that repeats an id is taken for a message without (step 1)."""
    known = by_id.get(normalised(node.message_id)) if node.message_id else None
    if known is not None and known.node is None:
        known.node, known.place = node, place
        return known
    one = ThreadTree(node, place)
    everything.append(one)
    if node.message_id and known is None:
        by_id[normalised(node.message_id)] = one
    return one


def _container(message_id: str, by_id: dict[str, ThreadTree], everything: list[ThreadTree]) -> ThreadTree:
    one = by_id.get(message_id)
    if one is None:
        one = by_id[message_id] = ThreadTree()
        everything.append(one)
    return one


def _leads_to(start: ThreadTree, ancestor: ThreadTree) -> bool:
    """Whether `ancestor` is `start` or above it: a link would close a loop."""
    if start is ancestor:
        return True
    if not ancestor.children:
        return False
    above = start.parent
    while above is not None:
        if above is ancestor:
            return True
        above = above.parent
    return False


def _pruned(roots: list[ThreadTree]) -> list[ThreadTree]:
    """Step 3: dummies go; only a root may stay one, to hold several children together."""
    kept: list[ThreadTree] = []
    for root in roots:
        for one in reversed(list(root.walk())):
            one.children = [each for child in one.children for each in ([child] if child.node else child.children)]
            for child in one.children:
                child.parent = one
            one.children.sort(key=lambda child: child.when)
        if root.node is not None or len(root.children) > 1:
            kept.append(root)
        elif root.children:
            root.children[0].parent = None
            kept.append(root.children[0])
    return kept


def _merged_by_subject(roots: list[ThreadTree]) -> list[ThreadTree]:
    """Step 5: threads of one base subject are one thread."""
    table: dict[str, ThreadTree] = {}
    subjects = {id(root): root.subject for root in roots}
    for root in roots:  # 5 B
        subject = subjects[id(root)]
        known = table.get(subject.text)
        if subject.text and (
            known is None
            or (root.node is None and known.node is not None)
            or (known.node is not None and subjects[id(known)].is_reply and not subject.is_reply)
        ):
            table[subject.text] = root
    gone: set[int] = set()
    made: list[ThreadTree] = []
    for root in roots:  # 5 C
        subject = subjects[id(root)]
        known = table.get(subject.text)
        if known is None or known is root:
            continue
        gone.add(id(root))
        if known.node is None and root.node is None:
            for child in root.children:
                known.adopt(child)
        elif known.node is None or (subject.is_reply and not subjects[id(known)].is_reply):
            known.adopt(root)
        else:
            both = ThreadTree(place=known.place)
            both.adopt(known)
            both.adopt(root)
            gone.add(id(known))
            table[subject.text] = both
            subjects[id(both)] = subject
            made.append(both)
    return [root for root in [*roots, *made] if id(root) not in gone]
