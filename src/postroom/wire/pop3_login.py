"""Signing in to a POP3 server: greeting, TLS, the mechanism, and what the server offers then."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

from postroom.errors import ConnectionFailed, SignInRefused, SourceError
from postroom.model import Encryption
from postroom.wire import sasl, throttling
from postroom.wire.pop3_connection import Pop3Connection, Pop3Refused
from postroom.wire.sasl import Bearer, Credentials, Mechanism, Password
from postroom.wire.stream import Stream

_PASSING = ("IN-USE", "LOGIN-DELAY", "SYS/TEMP")
"""Response codes (RFC 2449 8.1, RFC 3206 3) that say nothing about the password."""
_MAX_LINE_BYTES = 255  # RFC 2449 4
_MAX_CHALLENGES = 8


def connect(
    *,
    host: str,
    port: int,
    encryption: Encryption,
    ca_file: Path | None,
    ca_pem: str | None = None,
    timeout_seconds: float,
) -> Pop3Connection:
    """A connection before sign-in, under the encryption asked for, which is never given up in silence."""
    stream = Stream(where=f"{host}:{port}", host=host, port=port, timeout_seconds=timeout_seconds)
    connection = Pop3Connection(stream)
    try:
        if encryption == "tls":
            stream.secure(ca_file, ca_pem)
        connection.greeting()
        connection.learn()
        if encryption == "starttls":
            _start_tls(connection, ca_file, ca_pem)
    except Pop3Refused as refusal:
        connection.close()
        raise ConnectionFailed(where=connection.where, reason=refusal.text) from refusal
    except BaseException:
        connection.close()
        raise
    return connection


def _start_tls(connection: Pop3Connection, ca_file: Path | None, ca_pem: str | None) -> None:
    """RFC 2595 4."""
    if "STLS" not in connection.capabilities:
        _no_tls(connection, "the server does not offer STLS")
    try:
        connection.run(b"STLS")
    except Pop3Refused as refusal:
        _no_tls(connection, f"the server refused STLS ({refusal.text})")
    connection.stream.secure(ca_file, ca_pem)
    connection.learn()  # what was said before cannot be believed


def _no_tls(connection: Pop3Connection, reason: str) -> NoReturn:
    mend = (
        "The password was not sent. Try --encryption tls with port 995, or none where the network is trusted."
    )
    raise SourceError(where=connection.where, reason=reason, mend=mend)


def sign_in(connection: Pop3Connection, who: Credentials) -> str:
    """Authenticate; gives the name of the mechanism. A refused access token is refreshed once."""
    try:
        name = _by_token(connection, who) if isinstance(who, Bearer) else _by_password(connection, who)
        connection.learn()
    except Pop3Refused as refusal:
        connection.close()
        is_passing = refusal.code.startswith(_PASSING)
        # RFC 3206 4: such a code says nothing of the password, and the words behind it when to come again.
        code = "" if is_passing else refusal.code
        if pause := throttling.at_sign_in(connection.where, code.encode("latin-1"), refusal.text):
            raise pause from refusal
        if is_passing:
            raise ConnectionFailed(where=connection.where, reason=refusal.text) from refusal
        raise SignInRefused(where=connection.where, reason=refusal.text) from refusal
    except BaseException:
        connection.close()
        raise
    return name


def _by_token(connection: Pop3Connection, who: Bearer) -> str:
    offered = connection.capabilities.get("SASL", frozenset())
    token = who.tokens(None)
    mechanism = sasl.by_token(who, token, offered, where=connection.where)
    try:
        return _authenticate(connection, mechanism)
    except Pop3Refused as refusal:
        if refusal.code.startswith(_PASSING):
            raise
    return _authenticate(connection, sasl.by_token(who, who.tokens(token), offered, where=connection.where))


def _by_password(connection: Pop3Connection, who: Password) -> str:
    offered = connection.capabilities.get("SASL", frozenset())
    mechanisms = sasl.by_password(who, offered, is_secure=connection.stream.is_secure, where=connection.where)
    if not mechanisms:
        return _user_pass(connection, who)
    for mechanism in mechanisms[:-1]:
        try:
            return _authenticate(connection, mechanism)
        except Pop3Refused as refusal:
            if refusal.code.startswith(_PASSING):
                raise
    return _authenticate(connection, mechanisms[-1])


def _user_pass(connection: Pop3Connection, who: Password) -> str:
    """RFC 1939 7."""
    if any(sign in who.username + who.password for sign in "\r\n"):
        raise SignInRefused(where=connection.where, reason="it takes no line end in a name or password")
    connection.run(b"USER " + who.username.encode())
    connection.run(b"PASS " + who.password.encode())
    return "USER/PASS"


def _authenticate(connection: Pop3Connection, mechanism: Mechanism) -> str:
    """RFC 5034 4: the first message goes with the command where the line has room for it."""
    where = connection.where
    command = b"AUTH " + mechanism.name.encode()
    message = sasl.answered(mechanism, b"", where=where) if mechanism.begins else None
    if message is not None:
        whole = command + b" " + (sasl.encoded(message) or b"=")
        command, message = (whole, None) if len(whole) + 2 <= _MAX_LINE_BYTES else (command, message)
    connection.send(command)
    asked = 0
    while (raw := connection.challenge()) is not None:
        asked += 1
        if asked > _MAX_CHALLENGES:
            connection.misbehaved(f"it asks for ever more in {mechanism.name}")
        if message is None:
            message = sasl.answered(mechanism, sasl.challenge_of(raw, where=where), where=where)
        connection.send(sasl.encoded(message))
        message = None
    sasl.verified(mechanism, where=where)
    return mechanism.name
