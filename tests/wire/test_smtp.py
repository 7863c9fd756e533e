"""Connecting to the server that takes our mail: encryption is what was asked for, or nothing is said."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from postroom.errors import CertificateRefused, SendingUnavailable
from postroom.wire.smtp import Envelope, SmtpServer, connect
from tests.support.dovecot import make_certificate
from tests.support.smtp import SmtpServer as Running
from tests.support.smtp import running_smtp

pytestmark = pytest.mark.anyio
ENVELOPE = Envelope(sender="a@example.com", recipients=["b@example.com"], size_bytes=100)
RAW = b"From: a@example.com\r\nMessage-ID: <1@x>\r\n\r\nx\r\n"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_certificate(tmp_path_factory.mktemp("smtp"))


@pytest.fixture
def tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, certificate.with_name("key.pem"))
    return context


@pytest.fixture(params=["tls", "starttls"])
def secure(request: pytest.FixtureRequest, tls: ssl.SSLContext) -> Iterator[tuple[str, Running]]:
    options = (
        {"ssl_context": tls} if request.param == "tls" else {"tls_context": tls, "require_starttls": True}
    )
    with running_smtp(**options) as server:
        yield request.param, server


def _server(running: Running, encryption: str, ca_file: Path | None) -> SmtpServer:
    return SmtpServer(
        hostname="127.0.0.1", port=running.port, encryption=encryption, ca_file=ca_file, timeout_seconds=5,  # type: ignore[arg-type]
        username="me", password="päss",
    )  # fmt: skip


async def test_a_secure_server_takes_the_password_and_the_message(
    secure: tuple[str, Running], certificate: Path
) -> None:
    encryption, running = secure
    running.users = {"me": "päss"}
    connection = await connect(_server(running, encryption, certificate))
    mail, replies = await connection.offer(ENVELOPE)
    assert (mail.is_ok, replies["b@example.com"].is_ok) == (True, True)
    assert (await connection.deliver(RAW)).is_ok
    await connection.close()
    assert running.received[0].raw == RAW


async def test_a_certificate_that_nobody_vouches_for_gets_nothing(secure: tuple[str, Running]) -> None:
    encryption, running = secure
    with pytest.raises(CertificateRefused, match="POSTROOM_CA_FILE"):
        await connect(_server(running, encryption, None))


async def test_without_starttls_the_password_is_not_sent(certificate: Path) -> None:
    with running_smtp() as running:
        running.users = {"me": "päss"}
        with pytest.raises(SendingUnavailable, match="does not offer STARTTLS"):
            await connect(_server(running, "starttls", certificate))


async def test_a_tls_handshake_with_a_plain_server_fails_in_words(certificate: Path) -> None:
    with (
        running_smtp() as running,
        pytest.raises(SendingUnavailable, match=r"TLS handshake failed|no answer"),
    ):
        await connect(_server(running, "tls", certificate))


async def test_the_server_is_told_what_comes(tls: ssl.SSLContext) -> None:
    with running_smtp() as running:
        connection = await connect(SmtpServer(hostname="127.0.0.1", port=running.port, encryption="none"))
        envelope = Envelope(
            sender="ä@example.com",
            recipients=["b@example.com"],
            size_bytes=100,
            needs_smtputf8=True,
            needs_8bitmime=True,
        )
        assert connection.impossible(envelope) is None
        await connection.offer(envelope)
        await connection.deliver(RAW)
        await connection.close()
        assert running.received[0].sender == "ä@example.com"
        assert set(running.received[0].options) == {"SIZE=100", "BODY=8BITMIME", "SMTPUTF8"}
