"""Merge: what of our intents a server is told together, and what became of them by what it shows. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from postroom.model import Sighting
from postroom.store.intent_rows import Intent

MOST_TOGETHER = 200
_OF_MESSAGES = ("mark", "move", "copy", "expunge")


def together(intents: Sequence[Intent]) -> list[Intent]:
    """The first, and those right behind it that one command can do with it."""
    first = intents[0]
    batch = [first]
    if first.kind not in _OF_MESSAGES:
        return batch
    uids = {first.uid}
    for each in intents[1:MOST_TOGETHER]:
        if _command(each) != _command(first) or each.uid in uids:
            break
        uids.add(each.uid)
        batch.append(each)
    return batch


def _command(intent: Intent) -> tuple[object, ...]:
    """What is the same of intents that one command does. What may have been done already is looked at by itself."""
    # A mark is done again without harm.
    is_in_doubt = intent.state == "sent" and intent.kind in ("move", "copy")
    where = (intent.folder_id, intent.uidvalidity, intent.to_folder_id)
    return intent.kind, where, intent.added, intent.removed, is_in_doubt, is_in_doubt and intent.sent_uidnext


def is_kept(intent: Intent, words: frozenset[str]) -> bool:
    """Whether the server has the flags as they are wanted. It may spell keywords in other letters (RFC 9051 2.3.2)."""
    there = {word.casefold() for word in words}
    wanted = {word.casefold() for word in intent.added}
    return wanted <= there and not {word.casefold() for word in intent.removed} & there


def alike(size_bytes: int, seen: Mapping[int, Sighting]) -> list[int]:
    """The UIDs of what may be a message of this size: its bytes tell."""
    return [uid for uid, each in seen.items() if each.size_bytes in (None, size_bytes)]
