"""Signing in to an IMAP server: greeting, TLS, user name and password, and what the server offers then."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import NoReturn

from postroom.errors import ConnectionFailed, ServerMisbehaved, SignInRefused, SourceError, Throttled
from postroom.model import Encryption
from postroom.wire import throttling
from postroom.wire.imap_connection import CommandRefused, ImapConnection
from postroom.wire.imap_names import command, quoted

_PASSING = (b"UNAVAILABLE", b"SERVERBUG")
"""Response codes (RFC 5530 3, RFC 9051 7.1) that say nothing about the password."""


def connect(
    *, host: str, port: int, encryption: Encryption, ca_file: Path | None, timeout_seconds: float
) -> ImapConnection:
    """A connection before sign-in, under the encryption asked for, which is never given up in silence."""
    connection = ImapConnection(where=f"{host}:{port}", host=host, port=port, timeout_seconds=timeout_seconds)
    try:
        if encryption == "tls":
            connection.secure(ca_file)
        greeting = connection.greeting()
        if encryption == "starttls":
            _start_tls(connection, greeting, ca_file)
        if greeting == b"PREAUTH":
            raise ServerMisbehaved(where=connection.where, reason="it let us in before we said who we are")
    except BaseException:
        connection.abandon()
        raise
    return connection


def _start_tls(connection: ImapConnection, greeting: bytes, ca_file: Path | None) -> None:
    """RFC 9051 6.2.1. PREAUTH rules the command out: an attacker could keep us in plain text that way."""
    _know_capabilities(connection)
    if greeting == b"PREAUTH" or "STARTTLS" not in connection.capabilities:
        _no_tls(connection, "the server does not offer STARTTLS")
    try:
        connection.run(b"STARTTLS")
    except CommandRefused as refusal:
        _no_tls(connection, f"the server refused STARTTLS ({refusal.text})")
    connection.secure(ca_file)


def _no_tls(connection: ImapConnection, reason: str) -> NoReturn:
    mend = (
        "The password was not sent. Try --encryption tls with port 993, or none where the network is trusted."
    )
    raise SourceError(where=connection.where, reason=reason, mend=mend)


def sign_in(connection: ImapConnection, *, username: str, password: str) -> None:
    """Authenticate, and learn what the server offers now: after signing in it is more than before."""
    try:
        _know_capabilities(connection)
        flights = _credentials(connection, username.encode(), password.encode())
        connection.capabilities = frozenset()
        connection.run(*flights)
        _know_capabilities(connection)
    except CommandRefused as refusal:
        connection.close()
        code = refusal.code.upper()
        if code.startswith(throttling.CODES) or (not code and throttling.asks_for_patience(refusal.text)):
            raise Throttled(where=connection.where, reason=refusal.text) from refusal
        if code.startswith(_PASSING):
            raise ConnectionFailed(where=connection.where, reason=refusal.text) from refusal
        raise SignInRefused(where=connection.where, reason=refusal.text) from refusal
    except BaseException:
        connection.abandon()
        raise


def _credentials(connection: ImapConnection, username: bytes, password: bytes) -> list[bytes]:
    """SASL PLAIN (RFC 4616: UTF-8) where it is offered, else LOGIN."""
    if b"\0" in username + password:
        raise SignInRefused(where=connection.where, reason="a name or password cannot hold a NUL character")
    if "AUTH=PLAIN" in connection.capabilities:
        response = base64.b64encode(b"\0" + username + b"\0" + password)
        is_one_flight = "SASL-IR" in connection.capabilities  # RFC 4959
        return [b"AUTHENTICATE PLAIN " + response] if is_one_flight else [b"AUTHENTICATE PLAIN", response]
    if "LOGINDISABLED" in connection.capabilities:
        reason = "it takes no password over this connection (LOGINDISABLED)"
        raise SignInRefused(where=connection.where, reason=reason)
    return command(b"LOGIN", quoted(username), quoted(password))


def _know_capabilities(connection: ImapConnection) -> None:
    if not connection.capabilities:
        connection.run(b"CAPABILITY")
