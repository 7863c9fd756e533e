"""The condition of a policy, as the catalog spells it: does it ask for the tenant, whatever else it asks?"""

from __future__ import annotations

TENANT = "tenant_id = (NULLIF(current_setting('app.current_tenant_id'::text, true), ''::text))::uuid"


def asks_for_the_tenant(condition: str) -> bool:
    """Whether the tenant is one of the conditions that must all hold."""
    bare = _bare(condition)
    parts = _parts(bare)
    return bare == TENANT or (len(parts) > 1 and any(asks_for_the_tenant(part) for part in parts))


def _bare(text: str) -> str:
    """Without the parentheses around all of it."""
    text = text.strip()
    while text.startswith("(") and _closing(text) == len(text) - 1:
        text = text[1:-1].strip()
    return text


def _closing(text: str) -> int:
    depth = 0
    for place, letter in enumerate(text):
        depth += (letter == "(") - (letter == ")")
        if depth == 0:
            return place
    return len(text)


def _parts(text: str) -> list[str]:
    """What stands between the ANDs; the whole when an OR stands beside them."""
    parts, depth, begin = list[str](), 0, 0
    for place, letter in enumerate(text):
        depth += (letter == "(") - (letter == ")")
        if depth == 0 and text.startswith(" OR ", place):
            return [text]
        if depth == 0 and text.startswith(" AND ", place):
            parts.append(text[begin:place])
            begin = place + 5
    return [*parts, text[begin:]]
