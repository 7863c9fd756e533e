"""The smallest store that keeps threads as mail arrives: which family an id leads to, and who is in it."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from postroom.model import MessageId, ThreadId, ThreadNode
from postroom.threads import assign, links


class Bookkeeper:
    """Looks at the families that arriving messages touch, and at nothing else."""

    def __init__(self, account_id: UUID) -> None:
        self.account_id = account_id
        self.family_of_link: dict[str, int] = {}
        self.families: dict[int, list[ThreadNode]] = {}
        self.threads: dict[MessageId, ThreadId] = {}
        self._made = 0

    def bring(self, batch: Iterable[ThreadNode]) -> set[MessageId]:
        """Store messages; gives those stored before whose thread has changed."""
        before = dict(self.threads)
        touched = {self._join(one) for one in batch}
        for family in touched & self.families.keys():
            self.threads.update(assign(self.account_id, self.families[family]))
        return {key for key, thread in before.items() if self.threads[key] != thread}

    def _join(self, one: ThreadNode) -> int:
        self._made += 1
        family, members = self._made, [one]
        for known in {self.family_of_link[link] for link in links(one) if link in self.family_of_link}:
            members += self.families.pop(known)
        self.families[family] = members
        self.family_of_link.update((link, family) for member in members for link in links(member))
        return family
