"""Letter: what somebody wants to say, before it is bytes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from postroom.model import Address


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """Something that goes with the text: an attachment, or an image that the page shows."""

    filename: str | None
    mime_type: str
    data: bytes
    content_id: str | None = None
    """As `cid:` in the page names it (RFC 2392); None for an attachment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A message to be written. Any text may be any text: what a header cannot carry is encoded, never obeyed."""

    from_: Address
    to: tuple[Address, ...] = ()
    cc: tuple[Address, ...] = ()
    bcc: tuple[Address, ...] = ()
    reply_to: tuple[Address, ...] = ()
    subject: str = ""
    text: str | None = None
    html: str | None = None
    files: tuple[File, ...] = ()
    in_reply_to: str | None = None
    """Message-ID of what is answered, without angle brackets."""
    references: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A message as it goes over the wire, and what a server must be able to do to take it."""

    raw: bytes
    message_id: str
    """Without angle brackets."""
    sender: str
    """The address for MAIL FROM."""
    recipients: tuple[str, ...]
    """The addresses for RCPT TO, each once: to, cc and bcc."""
    needs_smtputf8: bool
    """A header holds an address that is not ASCII (RFC 6531)."""
    needs_8bitmime: bool
    """A message that is forwarded whole holds 8-bit bytes, which may not be encoded (RFC 2046 5.2.1)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """What tells this message from all others."""

    message_id: str
    date: datetime
    """Aware; its zone is shown to the readers."""
