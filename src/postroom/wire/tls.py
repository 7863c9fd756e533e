"""TLS to other people's servers: one shared context for each trust store, refusals that say what to do."""

from __future__ import annotations

import socket
import ssl
from functools import cache
from pathlib import Path

from postroom.errors import CertificateRefused, ConnectionFailed, UsageError

TRUST_IT = (
    "If the server is yours, give its certificate or its authority's as a PEM file in POSTROOM_CA_FILE."
)


@cache
def context(ca_file: Path | None) -> ssl.SSLContext:
    """Checks certificate and host name by the system's authorities, or by those of one file alone."""
    try:
        made = ssl.create_default_context(cafile=str(ca_file) if ca_file else None)
    except (OSError, ssl.SSLError) as error:
        raise UsageError(
            reason=f"The CA file {ca_file} holds no certificates that can be read: {error}."
        ) from error
    made.minimum_version = ssl.TLSVersion.TLSv1_2  # RFC 8997: TLS 1.0 and 1.1 are not for mail any more
    return made


def secure(plain: socket.socket, *, host: str, ca_file: Path | None, where: str) -> ssl.SSLSocket:
    """Shake hands on a connected socket; on any refusal the socket is closed and nothing was sent."""
    try:
        return context(ca_file).wrap_socket(plain, server_hostname=host)
    except ssl.SSLCertVerificationError as error:
        plain.close()
        raise CertificateRefused(where=where, reason=error.verify_message, mend=TRUST_IT) from error
    except (OSError, ValueError) as error:
        plain.close()
        raise ConnectionFailed(where=where, reason=f"the TLS handshake failed ({_short(error)})") from error


def _short(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time; is this a TLS port?"
    if isinstance(error, ssl.SSLError) and error.reason:
        return error.reason.replace("_", " ").lower()
    return str(error)
