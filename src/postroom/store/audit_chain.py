"""The audit chain: what the hash of an entry is made of, and what is wrong with a chain. No database, no clock."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

BEGINNING = bytes(32)
"""What stands before the first entry."""
_SAID = (
    "id",
    "at",
    "actor_role",
    "user_id",
    "api_key_id",
    "action",
    "object_type",
    "object_id",
    "before",
    "after",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """Where a chain ends: the place and hash of its last entry."""

    place: int = 0
    hash: bytes = BEGINNING


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that is not as it was written."""

    month: str
    """`2026-11`"""
    place: int
    id: UUID | None
    """The entry, where there is one."""
    what: str


def hash_of(tenant_id: UUID, entry: Mapping[str, Any]) -> bytes:
    """SHA-256 over the hash before it and every value by its length in bytes, what is missing as `-`.

    The function email_audit_append makes the same.
    """
    values = [tenant_id, entry["place"], *(entry[name] for name in _SAID)]
    said = b"".join(b"-" if value is None else _measured(str(value)) for value in values)
    return hashlib.sha256(bytes(entry["previous_hash"]) + said).digest()


def _measured(text: str) -> bytes:
    octets = text.encode()
    return b"%d:%b" % (len(octets), octets)


class Chain:
    """Follows the entries of one tenant and month, in the order of their places, and keeps what is wrong."""

    def __init__(self, tenant_id: UUID, month: str) -> None:
        self._tenant_id = tenant_id
        self._month = month
        self.end = Head()
        """The last entry that was looked at."""
        self.entries = 0
        self.faults: list[Fault] = []

    def follow(self, entry: Mapping[str, Any]) -> None:
        """Look at the next entry."""
        place, expected = entry["place"], self.end.place + 1
        if place > expected:
            gap = (
                f"entry {expected} is" if place == expected + 1 else f"entries {expected} to {place - 1} are"
            )
            self._fault(expected, None, f"{gap} missing")
        elif place < 1:
            self._fault(place, entry["id"], f"an entry was put in: no entry has place {place}")
        elif place < expected:
            self._fault(place, entry["id"], f"an entry was put in: there are two of place {place}")
        elif bytes(entry["previous_hash"]) != self.end.hash:
            self._fault(
                place, entry["id"], "it does not follow the entry before it, which is not the one written"
            )
        if hash_of(self._tenant_id, entry) != bytes(entry["hash"]):
            self._fault(place, entry["id"], "it was changed")
        self.entries += 1
        if place >= expected:
            self.end = Head(place=place, hash=bytes(entry["hash"]))

    def finish(self, head: Head) -> None:
        """Hold the end against what the head says."""
        if self.end.place < head.place:
            first, last = self.end.place + 1, head.place
            gap = f"entry {first} is" if first == last else f"entries {first} to {last} are"
            self._fault(first, None, f"{gap} missing at the end")
        elif self.end.place > head.place:
            self._fault(
                self.end.place, None, f"there are entries behind the end of the chain, which is {head.place}"
            )
        elif self.end.hash != head.hash:
            self._fault(self.end.place, None, "the last entry is not the one written")

    def _fault(self, place: int, entry_id: UUID | None, what: str) -> None:
        self.faults.append(Fault(month=self._month, place=place, id=entry_id, what=what))
