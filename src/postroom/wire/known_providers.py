"""Mail providers that many have: where their servers are, so that an address is enough (looked up 2026-11)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from postroom.model import Encryption, Protocol_


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A mailbox's server, and who said so."""

    protocol: Protocol_
    hostname: str
    port: int
    encryption: Encryption
    username: str
    oauth: Literal["google", "microsoft"] | None = None
    """Whose consent it needs, where it takes no password."""
    found_by: str = ""


_GOOGLE = ("imap.gmail.com", "pop.gmail.com", "google")
_MICROSOFT = ("outlook.office365.com", "outlook.office365.com", "microsoft")
_BY_DOMAIN = {
    **dict.fromkeys(("gmail.com", "googlemail.com"), _GOOGLE),
    **dict.fromkeys(("outlook.com", "hotmail.com", "live.com", "msn.com"), _MICROSOFT),
    **dict.fromkeys(
        ("yahoo.com", "ymail.com", "yahoo.de", "yahoo.fr", "yahoo.co.uk"),
        ("imap.mail.yahoo.com", "pop.mail.yahoo.com", None),
    ),
    **dict.fromkeys(("icloud.com", "me.com", "mac.com"), ("imap.mail.me.com", None, None)),
    **dict.fromkeys(("fastmail.com", "fastmail.fm"), ("imap.fastmail.com", "pop.fastmail.com", None)),
    **dict.fromkeys(("gmx.de", "gmx.net", "gmx.at", "gmx.ch"), ("imap.gmx.net", "pop.gmx.net", None)),
    "gmx.com": ("imap.gmx.com", "pop.gmx.com", None),
    "web.de": ("imap.web.de", "pop3.web.de", None),
    "mailbox.org": ("imap.mailbox.org", "pop3.mailbox.org", None),
    "posteo.de": ("posteo.de", "posteo.de", None),
    "t-online.de": ("secureimap.t-online.de", "securepop.t-online.de", None),
    "zoho.com": ("imap.zoho.com", "pop.zoho.com", None),
    "aol.com": ("imap.aol.com", "pop.aol.com", None),
}
_BY_MX = {  # whom a domain's mail goes to (RFC 5321 5.1): companies that have theirs at a large provider
    "google.com": _GOOGLE,
    "googlemail.com": _GOOGLE,
    "mail.protection.outlook.com": _MICROSOFT,
    "messagingengine.com": _BY_DOMAIN["fastmail.com"],
    "mailbox.org": _BY_DOMAIN["mailbox.org"],
}


def by_domain(email: str, protocol: Protocol_) -> Server | None:
    """The server of an address at one of these providers."""
    entry = _BY_DOMAIN.get(email.rpartition("@")[2].lower())
    return _server(entry, email, protocol, "a provider that Postroom knows") if entry else None


def by_exchanger(exchanger: str, email: str, protocol: Protocol_) -> Server | None:
    """The server of an address whose domain's mail goes to this host."""
    host = exchanger.rstrip(".").lower()
    for suffix, entry in _BY_MX.items():
        if host == suffix or host.endswith(f".{suffix}"):
            return _server(entry, email, protocol, f"where its mail goes (MX {host})")
    return None


def _server(
    entry: tuple[str, str | None, Literal["google", "microsoft"] | None],
    email: str,
    protocol: Protocol_,
    found_by: str,
) -> Server | None:
    host = entry[0] if protocol == "imap" else entry[1]
    if host is None:
        return None
    port = 993 if protocol == "imap" else 995
    return Server(
        protocol=protocol,
        hostname=host,
        port=port,
        encryption="tls",
        username=email,
        oauth=entry[2],
        found_by=found_by,
    )
