"""A trial of an account: what works on the way to its mail, step by step, up to the first thing that does not."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from postroom.errors import ConnectionFailed, SourceError
from postroom.model import Encryption, Protocol_
from postroom.wire import imap_login, pop3_login
from postroom.wire.imap_connection import CommandRefused, ImapConnection
from postroom.wire.imap_names import folders_of
from postroom.wire.imap_replies import listed, statuses
from postroom.wire.pop3_connection import Pop3Connection, Pop3Refused
from postroom.wire.sasl import Credentials


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a mailbox is, and how to get there."""

    protocol: Protocol_
    host: str
    port: int
    encryption: Encryption
    ca_file: Path | None
    ca_pem: str | None
    timeout_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step: what was found, or the error that ends the trial."""

    name: str
    detail: str
    error: SourceError | None = None


def steps(place: Place, who: Credentials) -> Iterator[Step]:
    """`name`, `connect`, `tls` (or its absence), `sign-in`, `mail`; the first that fails is the last. Blocks."""
    doing = "name"
    link: ImapConnection | Pop3Connection | None = None
    try:
        addresses = _resolved(place)
        yield Step(name=doing, detail=f"{place.host} is {', '.join(addresses)}")
        doing = "connect"
        _reached(place)
        yield Step(name=doing, detail=f"port {place.port} answers")
        doing = "tls"
        link = _connected(place)
        yield Step(name=doing, detail=_protection(link))
        doing = "sign-in"
        mechanism = (
            imap_login.sign_in(link, who)
            if isinstance(link, ImapConnection)
            else pop3_login.sign_in(link, who)
        )
        yield Step(name=doing, detail=f"as {who.username}, by {mechanism}")
        doing = "mail"
        yield Step(name=doing, detail=_mail(link))
    except SourceError as error:
        yield Step(name=doing, detail=str(error), error=error)
    finally:
        if link is not None:
            link.close()


def _resolved(place: Place) -> list[str]:
    try:
        found = socket.getaddrinfo(place.host, place.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        where, reason = f"{place.host}:{place.port}", f"there is no host named {place.host!r}"
        raise ConnectionFailed(where=where, reason=reason) from error
    return list(dict.fromkeys(str(each[4][0]) for each in found))


def _reached(place: Place) -> None:
    try:
        socket.create_connection((place.host, place.port), place.timeout_seconds).close()
    except OSError as error:
        where = f"{place.host}:{place.port}"
        is_late = isinstance(error, TimeoutError)
        reason = f"no answer for {place.timeout_seconds:g} seconds" if is_late else "nothing listens there"
        raise ConnectionFailed(where=where, reason=reason) from error


def _connected(place: Place) -> ImapConnection | Pop3Connection:
    connect = imap_login.connect if place.protocol == "imap" else pop3_login.connect
    return connect(
        host=place.host,
        port=place.port,
        encryption=place.encryption,
        ca_file=place.ca_file,
        ca_pem=place.ca_pem,
        timeout_seconds=place.timeout_seconds,
    )


def _protection(link: ImapConnection | Pop3Connection) -> str:
    under = link.socket if isinstance(link, ImapConnection) else link.stream.socket
    if not isinstance(under, ssl.SSLSocket):
        return "none: whoever is on the way can read along"
    certificate = under.getpeercert() or {}
    until = datetime.fromtimestamp(ssl.cert_time_to_seconds(str(certificate["notAfter"])), UTC)
    return f"{under.version()}, certificate good until {until:%Y-%m-%d}"


def _mail(link: ImapConnection | Pop3Connection) -> str:
    try:
        if isinstance(link, ImapConnection):
            folders = folders_of(link.ask(b'LIST "" "*"', parse=listed))
            (_, numbers), *_ = link.ask(b"STATUS INBOX (MESSAGES)", parse=statuses)
            return f"folders: {len(folders)}, messages in INBOX: {numbers[b'MESSAGES']}"
        return f"messages: {link.run(b'STAT').split()[0]}"
    except (CommandRefused, Pop3Refused) as refusal:
        raise SourceError(where=link.where, reason=refusal.text) from refusal
    except (ValueError, KeyError, IndexError) as error:
        raise SourceError(where=link.where, reason="its numbers are not understood") from error
