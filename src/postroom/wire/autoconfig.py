"""Thunderbird's autoconfiguration files (config-v1.1.xml), read without trust."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal
from xml.etree import ElementTree

from postroom.model import Encryption, Protocol_
from postroom.wire.known_providers import Server

_ENCRYPTIONS: dict[str, Encryption] = {"SSL": "tls", "STARTTLS": "starttls"}
"""`plain` is not taken: nobody is to be talked into sending a password in the open."""


def server(raw: bytes, email: str, protocol: Protocol_, *, found_by: str) -> Server | None:
    """The first server of this protocol that is safe to use, TLS before STARTTLS; None where there is none."""
    if b"<!DOCTYPE" in raw or b"<!ENTITY" in raw:
        return None  # no entity is needed, and some are bombs
    try:
        root = ElementTree.fromstring(raw)
    except (ElementTree.ParseError, ValueError, LookupError):
        return None
    found = list(_servers(root, email, protocol, found_by))
    return min(found, key=lambda each: each.encryption != "tls", default=None)


def _servers(root: ElementTree.Element, email: str, protocol: Protocol_, found_by: str) -> Iterator[Server]:
    local, _, domain = email.rpartition("@")
    domain = domain.encode("idna").decode()
    for entry in root.iterfind("./emailProvider/incomingServer"):
        if entry.get("type") != protocol:
            continue

        def said(name: str, entry: ElementTree.Element = entry) -> str:
            text = entry.findtext(name, "").strip()
            for word, value in (("ADDRESS", email), ("LOCALPART", local), ("DOMAIN", domain)):
                text = text.replace(f"%EMAIL{word}%", value)
            return text

        encryption, host, port = _ENCRYPTIONS.get(said("socketType")), said("hostname").lower(), said("port")
        ways = {(each.text or "").strip() for each in entry.iterfind("authentication")}
        fits = host and all(c.isalnum() or c in "-." for c in host) and host.isascii()
        if encryption and fits and port.isdigit() and 0 < int(port) < 65536:
            yield Server(
                protocol=protocol,
                hostname=host,
                port=int(port),
                encryption=encryption,
                username=said("username") or email,
                oauth=_oauth(host) if ways == {"OAuth2"} else None,
                found_by=found_by,
            )


def _oauth(host: str) -> Literal["google", "microsoft"] | None:
    if host.endswith(".gmail.com"):
        return "google"
    return "microsoft" if host == "outlook.office365.com" else None
