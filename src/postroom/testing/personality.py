"""Personalities: what different servers offer, how they spell it, and how one of them lies."""

from __future__ import annotations

from dataclasses import dataclass

_BEFORE = "IMAP4rev1 SASL-IR AUTH=PLAIN"


@dataclass(frozen=True, slots=True, kw_only=True)
class Personality:
    """A server's ways, as data."""

    name: str
    capabilities: str
    """What CAPABILITY says after signing in."""
    before: str = _BEFORE
    """What it says before."""
    delimiter: str = "/"
    prefix: str = ""
    """What the names of all folders but INBOX begin with (RFC 2342), levels joined by `/`."""
    folders: tuple[tuple[str, str], ...] = (("INBOX", ""),)
    """Folders that are there from the beginning, with their special use."""
    is_gmail: bool = False
    """Folders are labels; flags belong to the message, not to the place."""
    lies: bool = False
    """UIDNEXT and EXISTS are wrong, FETCH and EXPUNGE are said unasked."""

    @property
    def words(self) -> frozenset[str]:
        return frozenset(self.capabilities.split())


DOVECOT = Personality(
    name="dovecot",
    capabilities=f"{_BEFORE} LITERAL+ ID ENABLE IDLE NAMESPACE UIDPLUS MOVE ESEARCH CONDSTORE QRESYNC"
    " LIST-EXTENDED LIST-STATUS SPECIAL-USE UNSELECT OBJECTID COMPRESS=DEFLATE",
    folders=(("INBOX", ""), ("Sent", "\\Sent"), ("Drafts", "\\Drafts"), ("Trash", "\\Trash")),
)
GMAIL = Personality(
    name="gmail",
    capabilities=f"{_BEFORE} ID ENABLE IDLE NAMESPACE UIDPLUS MOVE ESEARCH CONDSTORE SPECIAL-USE"
    " LIST-EXTENDED UNSELECT X-GM-EXT-1 COMPRESS=DEFLATE",
    folders=(
        ("INBOX", ""),
        ("[Gmail]/All Mail", "\\All"),
        ("[Gmail]/Sent Mail", "\\Sent"),
        ("[Gmail]/Drafts", "\\Drafts"),
    ),
    is_gmail=True,
)
EXCHANGE = Personality(
    name="exchange",
    capabilities="IMAP4 IMAP4rev1 AUTH=PLAIN SASL-IR UIDPLUS MOVE ID UNSELECT CHILDREN IDLE NAMESPACE LITERAL+",
    folders=(("INBOX", ""), ("Sent Items", "\\Sent"), ("Drafts", "\\Drafts"), ("Deleted Items", "\\Trash")),
)
COURIER = Personality(
    name="courier",
    capabilities="IMAP4rev1 CHILDREN NAMESPACE THREAD=ORDEREDSUBJECT THREAD=REFERENCES SORT QUOTA IDLE",
    before="IMAP4rev1 CHILDREN NAMESPACE IDLE",
    delimiter=".",
    prefix="INBOX/",
    folders=(("INBOX", ""), ("INBOX/Sent", ""), ("INBOX/Trash", "")),
)
LIAR = Personality(
    name="liar",
    capabilities=f"{_BEFORE} ID NAMESPACE UIDPLUS ESEARCH",
    folders=(("INBOX", ""), ("Sent", "")),
    lies=True,
)
PERSONALITIES = (DOVECOT, GMAIL, EXCHANGE, COURIER, LIAR)
