"""Reports: what a server says became of a message that was sent (RFC 3464, RFC 6533). Never raises."""

from __future__ import annotations

import re
from dataclasses import dataclass

from postroom.mime import identifiers
from postroom.mime.headers import Header, decoded, read_fields
from postroom.mime.structure import header_block
from postroom.model import ParsedMessage

_STATUS_TYPES = ("message/delivery-status", "message/global-delivery-status")
_RETURNED_TYPES = ("message/rfc822", "text/rfc822-headers", "message/global", "message/global-headers")
_ACTIONS = ("failed", "delayed", "delivered", "relayed", "expanded")  # RFC 3464 2.3.3
_EMPTY_LINE = re.compile(rb"\r?\n[ \t]*\r?\n")
_ENHANCED = re.compile(r"[245]\.\d{1,3}\.\d{1,3}")  # RFC 3463 2
_MOST_RECIPIENTS = 1000
_TEXT_CHARACTERS = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Reported:
    """What became of it for one recipient."""

    addresses: tuple[str, ...]
    """The address it was sent to and the one it ended at, in lower case; one may be missing."""
    action: str
    """failed, delayed, delivered, relayed, expanded."""
    status: str | None
    """`5.1.1`"""
    text: str
    """The last server's words, for a person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryReport:
    """Which message it is about, as far as it says, and each recipient."""

    envelope_id: str | None
    message_ids: tuple[str, ...]
    recipients: tuple[Reported, ...]


def delivery_report(parsed: ParsedMessage) -> DeliveryReport | None:
    """The report that this message is; None where it is none."""
    status = next((part.data for part in parsed.attachments if part.mime_type in _STATUS_TYPES), None)
    if status is None:
        return None
    blocks = [read_fields(block)[0] for block in _EMPTY_LINE.split(status.strip())[: _MOST_RECIPIENTS + 1]]
    recipients = tuple(found for block in blocks if (found := _reported(block)))
    if not recipients:
        return None
    ids = [identifiers.message_id(blocks[0].first("original-message-id"))]
    for part in parsed.attachments:
        if part.mime_type in _RETURNED_TYPES and part.data:
            returned, _ = read_fields(header_block(part.data + b"\r\n\r\n"))
            ids.append(identifiers.message_id(returned.first("message-id")))
    envelope_id = blocks[0].first("original-envelope-id")
    return DeliveryReport(
        envelope_id=decoded(envelope_id).strip() if envelope_id else None,
        message_ids=tuple(dict.fromkeys(each for each in ids if each)),
        recipients=recipients,
    )


def _reported(block: Header) -> Reported | None:
    action = decoded(block.first("action") or "").split("(")[0].strip().lower()
    addresses = [_address(block.first(name)) for name in ("original-recipient", "final-recipient")]
    known = tuple(dict.fromkeys(each for each in addresses if each))
    if action not in _ACTIONS or not known:
        return None
    status = _ENHANCED.search(decoded(block.first("status") or ""))
    said = decoded(block.first("diagnostic-code") or "").partition(";")[2].strip()
    return Reported(
        addresses=known,
        action=action,
        status=status[0] if status else None,
        text=" ".join(said.split())[:_TEXT_CHARACTERS] or "no reason given",
    )


def _address(value: str | None) -> str | None:
    """RFC 3464 2.3.1: `rfc822; ann@example.com`."""
    if not value:
        return None
    kind, semicolon, address = decoded(value).partition(";")
    return (address if semicolon else kind).strip().strip("<>").lower() or None
