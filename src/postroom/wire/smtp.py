"""SMTP: handing messages to the server that sends them on (RFC 5321, RFC 6409), one connection for many.

`deliver` tells apart what nobody else can: lost before the final dot, nothing was sent; lost behind it, who knows.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import aiosmtplib
from aiosmtplib.protocol import SMTPProtocol

from postroom.errors import CertificateRefused, SendingInDoubt, SendingUnavailable
from postroom.model import Encryption
from postroom.wire import tls

ANSWER_TIMES = 20
"""The answer to a whole message may take so many times longer than any other (RFC 5321 4.5.3.2.6: 10 minutes)."""
_PIECE_BYTES = 64 * 1024
_WAITING_BYTES = 256 * 1024
_POLL_SECONDS = 0.005
_OUR_NAME = "[127.0.0.1]"
"""For EHLO: a client's own name is nobody's business, and no server of submission asks for it."""
_DOT = re.compile(rb"(?m)^\.")
_SIGN_IN = "Check it: postroom account smtp --help."


@dataclass(frozen=True, slots=True, kw_only=True)
class SmtpServer:
    """Where the mail goes out, and how to sign in. No user name: no sign-in."""

    hostname: str
    port: int
    encryption: Encryption
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    access_token: str | None = field(default=None, repr=False)
    """For XOAUTH2 instead of a password."""
    fresh_token: Callable[[str], Awaitable[str]] | None = field(default=None, repr=False)
    """Another one, for one that was refused."""
    ca_file: Path | None = None
    timeout_seconds: float = 30.0

    @property
    def where(self) -> str:
        return f"{self.hostname}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """What the server is told of a message before it gets it."""

    sender: str
    recipients: Sequence[str]
    size_bytes: int
    needs_smtputf8: bool = False
    needs_8bitmime: bool = False
    envelope_id: str | None = None
    """Given back in delivery reports where the server knows how (RFC 3461)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What a server said: a code of three digits, and words for people on one line."""

    code: int
    text: str

    @property
    def is_ok(self) -> bool:
        return 200 <= self.code < 300

    @property
    def is_final(self) -> bool:
        """RFC 5321 4.2.1: to ask again would change nothing."""
        return self.code >= 500

    def __str__(self) -> str:
        return f"{self.code} {self.text}"


class SmtpConnection:
    """An open, signed-in connection: `offer` an envelope, then `deliver` its message, or `reset`."""

    def __init__(self, server: SmtpServer, client: aiosmtplib.SMTP) -> None:
        self._server = server
        self._client = client

    @property
    def where(self) -> str:
        return self._server.where

    @property
    def is_open(self) -> bool:
        return self._client.is_connected

    def impossible(self, envelope: Envelope) -> str | None:
        """Why this server can never take the message; it is not even asked."""
        limit = self._client.esmtp_extensions.get("size", "")
        if limit.isdigit() and 0 < int(limit) < envelope.size_bytes:  # RFC 1870 4
            return f"the message has {_megabytes(envelope.size_bytes)}, {self.where} takes {_megabytes(int(limit))}"
        if envelope.needs_smtputf8 and not self._client.supports_extension("smtputf8"):
            return f"{self.where} takes no addresses that are not ASCII (SMTPUTF8)"
        if envelope.needs_8bitmime and not self._client.supports_extension("8bitmime"):
            return f"{self.where} takes no 8-bit mail (8BITMIME), which the forwarded message is"
        return None

    async def offer(self, envelope: Envelope) -> tuple[Reply, dict[str, Reply]]:
        """The replies to the sender and, where that was accepted, to each recipient."""
        mail = await self._command(
            b"MAIL", b"FROM:<" + envelope.sender.encode() + b">", *self._mail(envelope)
        )
        replies: dict[str, Reply] = {}
        if mail.is_ok:
            notify = (
                [b"NOTIFY=FAILURE,DELAY"] if self._client.supports_extension("dsn") else []
            )  # RFC 3461 4.1
            for recipient in envelope.recipients:
                replies[recipient] = await self._command(
                    b"RCPT", b"TO:<" + recipient.encode() + b">", *notify
                )
        return mail, replies

    async def deliver(self, raw: bytes) -> Reply:
        """The reply to the message. Raises SendingUnavailable if it was lost before its end, SendingInDoubt after."""
        reply = await self._command(b"DATA")
        if reply.code != 354:
            # RFC 5321 4.3.2: nothing else than 354 lets the message in; what claims to is a refusal for now.
            return Reply(code=reply.code if reply.code >= 400 else 451, text=reply.text)
        body = _DOT.sub(b"..", raw)  # RFC 5321 4.5.2
        try:
            await self._upload(body if body.endswith(b"\r\n") else body + b"\r\n")
        except (aiosmtplib.SMTPException, OSError) as error:
            await _abandon(self._client)
            raise self._unavailable(error) from error
        return await self._end_of_data()

    async def reset(self) -> None:
        """Forget the envelope; a connection that cannot is closed."""
        try:
            if self.is_open and (await self._command(b"RSET")).is_ok:
                return
        except SendingUnavailable:
            pass
        await _abandon(self._client)

    async def close(self) -> None:
        """Say good-bye; nobody waits long for the answer."""
        try:
            if self.is_open:
                await self._client.execute_command(b"QUIT", timeout=2)
        except (aiosmtplib.SMTPException, OSError):
            pass
        await _abandon(self._client)

    async def _end_of_data(self) -> Reply:
        protocol = self._client.protocol
        try:
            if protocol is None:
                raise aiosmtplib.SMTPServerDisconnected("the connection was closed")
            protocol.write(b".\r\n")
        except (aiosmtplib.SMTPException, OSError) as error:
            raise self._unavailable(error) from error
        try:
            response = await protocol.read_response(timeout=self._server.timeout_seconds * ANSWER_TIMES)
        except aiosmtplib.SMTPResponseException as error:
            await _abandon(self._client)
            raise SendingInDoubt(
                where=self.where, reason=f"its answer is garbled ({_said(error)})"
            ) from error
        except (aiosmtplib.SMTPException, OSError) as error:
            await _abandon(self._client)
            raise SendingInDoubt(where=self.where, reason=_reason(error)) from error
        reply = Reply(code=response.code, text=_for_people(response.message))
        if not (reply.is_ok or 400 <= reply.code < 600):  # RFC 5321 4.2.1: it means neither yes nor no here
            await _abandon(self._client)
            raise SendingInDoubt(where=self.where, reason=f"it answered {reply}")
        return reply

    async def _upload(self, body: bytes) -> None:
        """All of it is with the network before the final dot follows."""
        for at in range(0, len(body), _PIECE_BYTES):
            await self._drained(_WAITING_BYTES)
            self._protocol().write(body[at : at + _PIECE_BYTES])
        await self._drained(0)

    async def _drained(self, most: int) -> None:
        """Wait until no more than this is unsent; a server that takes nothing for too long is away."""
        waited, before = 0.0, -1
        while (unsent := self._unsent()) > most:
            waited = waited + _POLL_SECONDS if unsent == before else 0.0
            before = unsent
            if waited > self._server.timeout_seconds:
                raise aiosmtplib.SMTPTimeoutError("it takes no more of the message")
            await asyncio.sleep(_POLL_SECONDS)

    def _unsent(self) -> int:
        transport = self._protocol().transport
        if not isinstance(transport, asyncio.WriteTransport) or transport.is_closing():
            raise aiosmtplib.SMTPServerDisconnected("the connection was closed")
        return transport.get_write_buffer_size()

    def _protocol(self) -> SMTPProtocol:
        if self._client.protocol is None:
            raise aiosmtplib.SMTPServerDisconnected("the connection was closed")
        return self._client.protocol

    def _mail(self, envelope: Envelope) -> list[bytes]:
        words = []
        if self._client.supports_extension("size"):
            words.append(b"SIZE=%d" % envelope.size_bytes)  # RFC 1870 3
        if envelope.needs_8bitmime:
            words.append(b"BODY=8BITMIME")  # RFC 6152 2
        if envelope.needs_smtputf8:
            words.append(b"SMTPUTF8")  # RFC 6531 3.4
        if self._client.supports_extension("dsn") and envelope.envelope_id:
            words += [b"RET=HDRS", b"ENVID=" + envelope.envelope_id.encode()]  # RFC 3461 4.3, 4.4
        return words

    async def _command(self, *words: bytes) -> Reply:
        try:
            response = await self._client.execute_command(*words)
        except (aiosmtplib.SMTPException, OSError) as error:
            await _abandon(self._client)
            raise self._unavailable(error) from error
        reply = Reply(code=response.code, text=_for_people(response.message))
        if reply.code == 421:  # RFC 5321 3.8: it says this to any command, and closes
            await _abandon(self._client)
            raise SendingUnavailable(where=self.where, reason=str(reply))
        return reply

    def _unavailable(self, error: Exception) -> SendingUnavailable:
        return SendingUnavailable(where=self.where, reason=_reason(error))


async def connect(server: SmtpServer) -> SmtpConnection:
    """Connect, secure, sign in. Raises SendingUnavailable or CertificateRefused; nothing was sent then."""
    client = aiosmtplib.SMTP(
        hostname=server.hostname,
        port=server.port,
        local_hostname=_OUR_NAME,
        timeout=server.timeout_seconds,
        use_tls=server.encryption == "tls",
        start_tls=False,
        tls_context=None if server.encryption == "none" else tls.context(server.ca_file),
    )
    try:
        await client.connect()
        if server.encryption == "starttls":
            await _start_tls(server, client)
        await client.ehlo()
        if server.username is not None:
            await _sign_in(server, client, server.username)
    except (aiosmtplib.SMTPException, OSError, UnicodeError) as error:
        await _abandon(client)
        if (certificate := _certificate_error(error)) is not None:
            raise CertificateRefused(
                where=server.where, reason=certificate.verify_message, mend=tls.TRUST_IT
            ) from error
        raise SendingUnavailable(where=server.where, reason=_reason(error), mend=_mend(error)) from error
    except BaseException:
        client.close()
        raise
    return SmtpConnection(server, client)


async def _abandon(client: aiosmtplib.SMTP) -> None:
    """Close without a word; the loop needs a turn to let go of the socket."""
    if isinstance(client.transport, asyncio.WriteTransport):
        client.transport.abort()
    client.close()
    await asyncio.sleep(0)


async def _start_tls(server: SmtpServer, client: aiosmtplib.SMTP) -> None:
    await client.ehlo()
    if not client.supports_extension("starttls"):
        mend = "The password was not sent. Try --encryption tls with port 465, or none where the network is trusted."
        await _abandon(client)
        raise SendingUnavailable(where=server.where, reason="the server does not offer STARTTLS", mend=mend)
    await client.starttls()


async def _sign_in(server: SmtpServer, client: aiosmtplib.SMTP, username: str) -> None:
    if server.access_token is None:
        await client.login(username, server.password or "")
        return
    try:
        await client.auth_xoauth2(username, server.access_token)
    except aiosmtplib.SMTPAuthenticationError as error:
        if server.fresh_token is None:
            raise
        if error.code == 334:  # Google and Microsoft say why first, and wait for an empty line
            await client.execute_command(b"")
        await client.auth_xoauth2(username, await server.fresh_token(server.access_token))


def _certificate_error(error: BaseException | None) -> ssl.SSLCertVerificationError | None:
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return error
        error = error.__cause__
    return None


def _mend(error: Exception) -> str:
    return (
        _SIGN_IN
        if isinstance(error, aiosmtplib.SMTPAuthenticationError | aiosmtplib.SMTPConnectError)
        else ""
    )


def _reason(error: Exception) -> str:
    """What happened, without where: that stands in the sentence already."""
    if isinstance(error, aiosmtplib.SMTPAuthenticationError):
        return f"the sign-in was refused ({_said(error)})"
    if isinstance(error, aiosmtplib.SMTPResponseException):
        return _said(error)
    cause = error.__cause__ if isinstance(error.__cause__, OSError) else error
    if isinstance(error, aiosmtplib.SMTPTimeoutError) or isinstance(cause, TimeoutError):
        return "no answer in time"
    if isinstance(cause, ConnectionRefusedError):
        return "nothing listens there"
    if isinstance(cause, aiosmtplib.SMTPServerDisconnected | ConnectionResetError):
        return "the server closed the connection"
    if isinstance(cause, ssl.SSLError) and cause.reason:
        return f"the TLS handshake failed ({cause.reason.replace('_', ' ').lower()})"
    if isinstance(cause, OSError) and cause.strerror:
        return cause.strerror
    return _for_people(str(error))


def _said(error: aiosmtplib.SMTPResponseException) -> str:
    return f"{error.code} {_for_people(error.message)}"


def _for_people(text: str) -> str:
    """On one line, printable, at most 300 characters, without the last full stop."""
    printable = "".join(c if c.isprintable() else " " for c in text)
    return " ".join(printable.split())[:300].rstrip(".") or "no reason given"


def _megabytes(size: int) -> str:
    return f"{size / 1_000_000:.1f} MB" if size >= 100_000 else f"{size} bytes"
