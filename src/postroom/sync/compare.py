"""Compare: a folder as the server shows it and as it lies here. Pure: values in, differences out."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from postroom.model import Sighting
from postroom.store.inventory import Item


@dataclass(slots=True)
class Difference:
    """The UIDs in which the two differ, by what is wrong with them."""

    missing: set[int] = field(default_factory=set)
    """On the server, and in no account of ours: neither stored nor in quarantine nor purged nor known to be pending."""
    pending: set[int] = field(default_factory=set)
    """On the server, and known to be still to fetch."""
    surplus: set[int] = field(default_factory=set)
    """Here, and no longer on the server."""
    flags: set[int] = field(default_factory=set)
    """Flags or keywords are not those of the server, or the message does not say what its places say."""
    content: set[int] = field(default_factory=set)
    """The server's bytes are not the ones stored under this UID."""
    damaged: set[int] = field(default_factory=set)
    """What is stored here is not what its hash promises, or rows of it are missing."""

    def by_kind(self) -> dict[str, list[int]]:
        """Sorted UIDs, every kind of difference named."""
        return {
            kind: sorted(getattr(self, kind))
            for kind in ("missing", "pending", "surplus", "flags", "content", "damaged")
        }

    @property
    def count(self) -> int:
        return sum(len(uids) for uids in self.by_kind().values())


def compare(
    server: Mapping[int, Sighting],
    here: Mapping[int, Item],
    *,
    quarantined: Collection[int],
    purged: Collection[int],
    pending: Collection[int],
    changed: Collection[int] = (),
    landing: int = 0,
) -> tuple[Difference, set[int]]:
    """The differences that can be told without bodies, and the UIDs whose sizes disagree: look at their bytes.

    `changed` differ because their server is yet to be told, or has been told just now; so many more are `landing`.
    """
    absent = server.keys() - here.keys() - set(quarantined) - set(purged)
    difference = Difference(
        missing=absent - set(pending),
        pending=absent & set(pending),
        surplus=set(here.keys() - server.keys()),
        flags={uid for uid, item in here.items() if not item.is_settled},
        damaged={uid for uid, item in here.items() if not item.has_its_rows},
    )
    difference.surplus -= set(changed)
    difference.missing -= set(sorted(difference.missing, reverse=True)[:landing])
    resized: set[int] = set()
    for uid in server.keys() & here.keys():
        seen, item = server[uid], here[uid]
        if seen.words is not None and seen.words != item.words and uid not in changed:
            difference.flags.add(uid)
        if seen.size_bytes is not None and seen.size_bytes != item.size_bytes:
            resized.add(uid)
    return difference, resized
