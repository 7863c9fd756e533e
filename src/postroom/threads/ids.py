"""Message ids: when two spellings are the same id, and which ids a message is found by."""

from __future__ import annotations

import re
from collections.abc import Iterable

from postroom.model import ThreadNode

_QUOTED_PAIR = re.compile(r"\\(.)", re.DOTALL)


def normalised(message_id: str) -> str | None:
    """The one spelling of an id that comes without its angle brackets; None when it is none.

    RFC 5256 3: `"01KF8JCEOCBS0045PS"@xxx.yyy.com` is the same id without the quotes, and case matters.
    """
    local, _, domain = message_id.rpartition("@")
    if not local or not domain:  # RFC 5322 3.6.4: id-left "@" id-right
        return None
    if len(local) > 2 and local[0] == local[-1] == '"':
        return _QUOTED_PAIR.sub(r"\1", local[1:-1]) + "@" + domain
    return message_id


def ancestry(references: Iterable[str], in_reply_to: Iterable[str]) -> tuple[str, ...]:
    """The references of RFC 5256 3: those of References, or else the first id of In-Reply-To.

    What is no message id is left out, so that `In-Reply-To: your message of Monday` finds nobody.
    """
    named = tuple(each for each in references if normalised(each))
    return named or tuple(each for each in in_reply_to if normalised(each))[:1]


def links(node: ThreadNode) -> frozenset[str]:
    """The ids that put a message into a family: its own and those it refers to."""
    own = (node.message_id,) if node.message_id else ()
    return frozenset(known for each in (*own, *node.references) if (known := normalised(each)))
