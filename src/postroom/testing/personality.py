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
    """UIDNEXT and EXISTS are wrong, FETCH and EXPUNGE are said unasked; sizes at POP3 are wrong."""
    pop3: tuple[str, ...] = ("TOP", "UIDL", "USER")
    """What CAPA lists (RFC 2449)."""
    smtp: tuple[str, ...] = ()
    """What EHLO lists (RFC 5321 4.1.1.1)."""
    keeps_sent: bool = False
    """What goes out by its SMTP server is put into the Sent folder by the server itself."""

    @property
    def words(self) -> frozenset[str]:
        return frozenset(self.capabilities.split())

    @property
    def sent(self) -> str:
        """The folder for what was sent."""
        return next((name for name, use in self.folders if use == "\\Sent"), f"{self.prefix}Sent")

    @property
    def size_limit(self) -> int:
        """The largest message that SMTP takes, in bytes (RFC 1870); 0: any."""
        return next((int(each.split()[1]) for each in self.smtp if each.startswith("SIZE ")), 0)


DOVECOT = Personality(
    name="dovecot",
    capabilities=f"{_BEFORE} LITERAL+ ID ENABLE IDLE NAMESPACE UIDPLUS MOVE ESEARCH CONDSTORE QRESYNC"
    " LIST-EXTENDED LIST-STATUS SPECIAL-USE UNSELECT OBJECTID COMPRESS=DEFLATE",
    folders=(("INBOX", ""), ("Sent", "\\Sent"), ("Drafts", "\\Drafts"), ("Trash", "\\Trash")),
    pop3=("TOP", "UIDL", "RESP-CODES", "PIPELINING", "AUTH-RESP-CODE", "USER", "SASL PLAIN"),
    smtp=(
        *("PIPELINING", "SIZE 41943040", "8BITMIME", "SMTPUTF8", "DSN", "ENHANCEDSTATUSCODES"),
        "AUTH PLAIN LOGIN",
    ),
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
    pop3=("USER", "RESP-CODES", "EXPIRE 0", "LOGIN-DELAY 300", "TOP", "UIDL", "SASL PLAIN"),
    smtp=(
        *("SIZE 35882577", "8BITMIME", "AUTH LOGIN PLAIN", "ENHANCEDSTATUSCODES", "PIPELINING"),
        "SMTPUTF8",
    ),
    keeps_sent=True,
)
EXCHANGE = Personality(
    name="exchange",
    capabilities="IMAP4 IMAP4rev1 AUTH=PLAIN SASL-IR UIDPLUS MOVE ID UNSELECT CHILDREN IDLE NAMESPACE LITERAL+",
    folders=(("INBOX", ""), ("Sent Items", "\\Sent"), ("Drafts", "\\Drafts"), ("Deleted Items", "\\Trash")),
    pop3=("TOP", "UIDL", "SASL PLAIN", "USER"),
    smtp=(
        *("SIZE 157286400", "PIPELINING", "DSN", "ENHANCEDSTATUSCODES", "AUTH LOGIN PLAIN", "8BITMIME"),
        "SMTPUTF8",
    ),
    keeps_sent=True,
)
COURIER = Personality(
    name="courier",
    capabilities="IMAP4rev1 CHILDREN NAMESPACE THREAD=ORDEREDSUBJECT THREAD=REFERENCES SORT QUOTA IDLE",
    before="IMAP4rev1 CHILDREN NAMESPACE IDLE",
    delimiter=".",
    prefix="INBOX/",
    folders=(("INBOX", ""), ("INBOX/Sent", ""), ("INBOX/Trash", "")),
    pop3=("TOP", "USER", "LOGIN-DELAY 10", "PIPELINING", "UIDL", "IMPLEMENTATION Courier Mail Server"),
    smtp=("AUTH LOGIN PLAIN", "8BITMIME", "SIZE 0", "DSN"),
)
LIAR = Personality(
    name="liar",
    capabilities=f"{_BEFORE} ID NAMESPACE UIDPLUS ESEARCH",
    folders=(("INBOX", ""), ("Sent", "")),
    lies=True,
    pop3=("TOP", "UIDL", "USER", "PIPELINING"),
    smtp=("PIPELINING", "AUTH PLAIN"),
)
PERSONALITIES = (DOVECOT, GMAIL, EXCHANGE, COURIER, LIAR)
