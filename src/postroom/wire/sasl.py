"""SASL: proving who we are (RFC 4422). No socket in here; IMAP and POP3 carry the messages."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import ClassVar

from scramp import ScramClient, ScramException

from postroom.errors import ServerMisbehaved, SignInRefused

Tokens = Callable[["str | None"], str]
"""Gives an access token; told the token that was refused, it gives a fresh one. Blocks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Password:
    """A user name and a password."""

    username: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bearer:
    """A user name and where to get access tokens (OAuth 2.0, RFC 6750)."""

    username: str
    tokens: Tokens = field(repr=False)


Credentials = Password | Bearer


class Mechanism:
    """One attempt to sign in: `answer` gives the client's next message to the server's last one."""

    name: ClassVar[str]
    begins: ClassVar[bool] = True
    """Whether the client speaks first."""

    def answer(self, challenge: bytes) -> bytes:
        raise NotImplementedError

    def verify(self) -> None:
        """Called when the server is content. Raises ValueError where it has not proved that it knows us."""


class Plain(Mechanism):
    """RFC 4616."""

    name = "PLAIN"

    def __init__(self, who: Password) -> None:
        self._message = f"\0{who.username}\0{who.password}".encode()

    def answer(self, challenge: bytes) -> bytes:
        return self._message


class Login(Mechanism):
    """The name, then the password; never a standard (draft-murchison-sasl-login), and still met."""

    name = "LOGIN"
    begins = False

    def __init__(self, who: Password) -> None:
        self._messages = [who.username.encode(), who.password.encode()]

    def answer(self, challenge: bytes) -> bytes:
        return self._messages.pop(0) if self._messages else b""


class ScramSha256(Mechanism):
    """RFC 7677 and RFC 5802: neither the line nor the server learns the password, and the server proves itself."""

    name = "SCRAM-SHA-256"

    def __init__(self, who: Password) -> None:
        try:
            self._client = ScramClient([self.name], who.username, who.password)
        except ScramException as error:
            raise ValueError(str(error)) from error
        self._step = 0

    def answer(self, challenge: bytes) -> bytes:
        self._step += 1
        try:
            if self._step == 1:
                return self._client.get_client_first().encode()
            if self._step == 2:
                self._client.set_server_first(challenge.decode())
                return self._client.get_client_final().encode()
            self._client.set_server_final(challenge.decode())
        except (ScramException, UnicodeError, ValueError) as error:
            raise ValueError(f"its {self.name} message cannot be right ({error})") from error
        self._step = -1
        return b""

    def verify(self) -> None:
        if self._step != -1:
            raise ValueError(f"it let us in by {self.name} without proving that it knows the password")


class ScramSha1(ScramSha256):
    name = "SCRAM-SHA-1"


class XOAuth2(Mechanism):
    """Google's and Microsoft's way with a bearer token. A refusal is a challenge, answered by nothing."""

    name = "XOAUTH2"

    def __init__(self, username: str, token: str) -> None:
        self._messages = [f"user={username}\1auth=Bearer {token}\1\1".encode()]

    def answer(self, challenge: bytes) -> bytes:
        return self._messages.pop(0) if self._messages else b""


class OAuthBearer(Mechanism):
    """RFC 7628. A refusal is a challenge, answered by \\x01."""

    name = "OAUTHBEARER"

    def __init__(self, username: str, token: str) -> None:
        escaped = username.replace("=", "=3D").replace(",", "=2C")
        self._messages = [f"n,a={escaped},\1auth=Bearer {token}\1\1".encode()]

    def answer(self, challenge: bytes) -> bytes:
        return self._messages.pop(0) if self._messages else b"\1"


_BY_PASSWORD = (ScramSha256, ScramSha1, Plain, Login)
_BY_TOKEN = (OAuthBearer, XOAuth2)


def by_password(who: Password, offered: Collection[str], *, is_secure: bool, where: str) -> list[Mechanism]:
    """What to try, in order; empty where the protocol's own command is all that is left.

    Some servers offer SCRAM and hold passwords that can only be compared: under TLS, PLAIN is tried next.
    Without TLS nothing follows SCRAM, or whoever listens could make us say the password.
    """
    if "\0" in who.username + who.password:
        raise SignInRefused(where=where, reason="a name or password cannot hold a NUL character")
    fitting = [kind for kind in _BY_PASSWORD if kind.name in offered]
    scrams = [kind for kind in fitting if issubclass(kind, ScramSha256)][:1]
    plains = [kind for kind in fitting if not issubclass(kind, ScramSha256)][:1]
    found: list[Mechanism] = []
    for kind in [*scrams, *(plains if is_secure or not scrams else [])]:
        try:
            found.append(kind(who))
        except ValueError:  # SCRAM forbids some characters that a password may well have (RFC 4013)
            found += [each(who) for each in plains if is_secure and not found]
    return found


def by_token(who: Bearer, token: str, offered: Collection[str], *, where: str) -> Mechanism:
    """The way to hand over a token. Raises SignInRefused where the server takes none."""
    for kind in _BY_TOKEN:
        if kind.name in offered:
            return kind(who.username, token)
    reason = "the account signs in by OAuth, and the server offers neither OAUTHBEARER nor XOAUTH2"
    raise SignInRefused(where=where, reason=reason)


def encoded(message: bytes) -> bytes:
    """A message as it goes over the line; the empty one has a spelling of its own (RFC 4954 4, RFC 5034 4)."""
    return base64.b64encode(message)


def challenge_of(raw: bytes, *, where: str) -> bytes:
    """A challenge as it came over the line."""
    try:
        return base64.b64decode(raw.strip(), validate=True)
    except binascii.Error as error:
        raise ServerMisbehaved(where=where, reason="its challenge is no base64") from error


def answered(mechanism: Mechanism, challenge: bytes, *, where: str) -> bytes:
    """The next message. Raises ServerMisbehaved where the server's cannot be right."""
    try:
        return mechanism.answer(challenge)
    except ValueError as error:
        raise ServerMisbehaved(where=where, reason=str(error)) from error


def verified(mechanism: Mechanism, *, where: str) -> None:
    """The server is content; are we?"""
    try:
        mechanism.verify()
    except ValueError as error:
        raise ServerMisbehaved(where=where, reason=str(error)) from error
