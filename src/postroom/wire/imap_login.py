"""Signing in to an IMAP server: greeting, TLS, the mechanism, and what the server offers then."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

from postroom.errors import ConnectionFailed, ServerMisbehaved, SignInRefused, SourceError
from postroom.model import Encryption
from postroom.wire import sasl, throttling
from postroom.wire.imap_connection import CommandRefused, ImapConnection, Witness
from postroom.wire.imap_names import command, quoted
from postroom.wire.sasl import Bearer, Credentials, Mechanism, Password

_PASSING = (b"UNAVAILABLE", b"SERVERBUG", *throttling.CODES)
"""Response codes (RFC 5530 3, RFC 9051 7.1) that say nothing about the password."""
_MAX_CHALLENGES = 8


def connect(
    *,
    host: str,
    port: int,
    encryption: Encryption,
    ca_file: Path | None,
    ca_pem: str | None = None,
    timeout_seconds: float,
    witness: Witness | None = None,
) -> ImapConnection:
    """A connection before sign-in, under the encryption asked for, which is never given up in silence."""
    connection = ImapConnection(
        where=f"{host}:{port}", host=host, port=port, timeout_seconds=timeout_seconds, witness=witness
    )
    try:
        if encryption == "tls":
            connection.secure(ca_file, ca_pem)
        greeting = connection.greeting()
        if encryption == "starttls":
            _start_tls(connection, greeting, ca_file, ca_pem)
        if greeting == b"PREAUTH":
            raise ServerMisbehaved(where=connection.where, reason="it let us in before we said who we are")
    except BaseException:
        connection.abandon()
        raise
    return connection


def _start_tls(connection: ImapConnection, greeting: bytes, ca_file: Path | None, ca_pem: str | None) -> None:
    """RFC 9051 6.2.1. PREAUTH rules the command out: an attacker could keep us in plain text that way."""
    _know_capabilities(connection)
    if greeting == b"PREAUTH" or "STARTTLS" not in connection.capabilities:
        _no_tls(connection, "the server does not offer STARTTLS")
    try:
        connection.run(b"STARTTLS")
    except CommandRefused as refusal:
        _no_tls(connection, f"the server refused STARTTLS ({refusal.text})")
    connection.secure(ca_file, ca_pem)


def _no_tls(connection: ImapConnection, reason: str) -> NoReturn:
    mend = (
        "The password was not sent. Try --encryption tls with port 993, or none where the network is trusted."
    )
    raise SourceError(where=connection.where, reason=reason, mend=mend)


def sign_in(connection: ImapConnection, who: Credentials) -> str:
    """Authenticate, and learn what the server offers now: after signing in it is more than before.

    Gives the name of the mechanism. A refused access token is refreshed once.
    """
    try:
        _know_capabilities(connection)
        name = _by_token(connection, who) if isinstance(who, Bearer) else _by_password(connection, who)
        _know_capabilities(connection)
    except CommandRefused as refusal:
        connection.close()
        if pause := throttling.at_sign_in(connection.where, refusal.code, refusal.text):
            raise pause from refusal
        if _is_passing(refusal):
            raise ConnectionFailed(where=connection.where, reason=refusal.text) from refusal
        raise SignInRefused(where=connection.where, reason=refusal.text) from refusal
    except BaseException:
        connection.abandon()
        raise
    return name


def introduce(connection: ImapConnection, *, compresses: bool | None = None) -> None:
    """Say who we are (RFC 2971; some servers open no folder before) and switch on what is offered (RFC 5161).

    Compression pays on the way to another machine; `compresses` decides otherwise.
    """
    try:
        pays = not connection.is_near if compresses is None else compresses
        if pays and "COMPRESS=DEFLATE" in connection.capabilities:
            connection.run(b"COMPRESS DEFLATE")
            connection.compress()
        if "ID" in connection.capabilities:
            connection.run(b'ID ("name" "Postroom")')
        if {"ENABLE", "QRESYNC"} <= connection.capabilities:
            connection.run(b"ENABLE QRESYNC")  # RFC 7162 3.2.3: and CONDSTORE with it
    except CommandRefused:
        pass  # nothing depends on it


def _is_passing(refusal: CommandRefused) -> bool:
    return refusal.code.upper().startswith(_PASSING)


def _offered(connection: ImapConnection) -> set[str]:
    return {each.removeprefix("AUTH=") for each in connection.capabilities if each.startswith("AUTH=")}


def _by_token(connection: ImapConnection, who: Bearer) -> str:
    token, offered = who.tokens(None), _offered(connection)
    try:
        return _authenticate(connection, sasl.by_token(who, token, offered, where=connection.where))
    except CommandRefused as refusal:
        if _is_passing(refusal):
            raise
    fresh = who.tokens(token)
    return _authenticate(connection, sasl.by_token(who, fresh, offered, where=connection.where))


def _by_password(connection: ImapConnection, who: Password) -> str:
    """SASL as it is offered, else LOGIN."""
    mechanisms = sasl.by_password(
        who, _offered(connection), is_secure=connection.is_secure, where=connection.where
    )
    if not mechanisms or (mechanisms[0].name == "LOGIN" and "LOGINDISABLED" not in connection.capabilities):
        return _login(connection, who)
    for mechanism in mechanisms[:-1]:
        try:
            return _authenticate(connection, mechanism)
        except CommandRefused as refusal:
            if _is_passing(refusal):
                raise
    return _authenticate(connection, mechanisms[-1])


def _login(connection: ImapConnection, who: Password) -> str:
    if "LOGINDISABLED" in connection.capabilities:
        reason = "it takes no password over this connection (LOGINDISABLED)"
        raise SignInRefused(where=connection.where, reason=reason)
    flights = command(b"LOGIN", quoted(who.username.encode()), quoted(who.password.encode()))
    connection.capabilities = frozenset()
    connection.run(*flights)
    return "LOGIN"


def _authenticate(connection: ImapConnection, mechanism: Mechanism) -> str:
    """RFC 9051 6.2.2; the first message goes with the command where the server knows how (RFC 4959)."""
    where = connection.where

    def answer(challenge: bytes) -> bytes:
        said = sasl.challenge_of(challenge, where=where)
        return sasl.encoded(sasl.answered(mechanism, said, where=where))

    first = b"AUTHENTICATE " + mechanism.name.encode()
    if mechanism.begins and "SASL-IR" in connection.capabilities:
        first += b" " + (sasl.encoded(sasl.answered(mechanism, b"", where=where)) or b"=")
    before, connection.capabilities = connection.capabilities, frozenset()
    try:
        connection.run(first, *[answer] * _MAX_CHALLENGES)
    except CommandRefused:
        connection.capabilities = before
        raise
    sasl.verified(mechanism, where=where)
    return mechanism.name


def _know_capabilities(connection: ImapConnection) -> None:
    if not connection.capabilities:
        connection.run(b"CAPABILITY")
