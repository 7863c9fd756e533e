"""TLS to other people's servers: one shared context for each trust store, refusals that say what to do."""

from __future__ import annotations

import re
import socket
import ssl
from functools import cache
from pathlib import Path

from postroom.errors import CertificateRefused, ConnectionFailed, UsageError

TRUST_IT = (
    "If the server is yours, give its certificate or its authority's as a PEM file:"
    " postroom account add --ca-file FILE, or POSTROOM_CA_FILE for all accounts."
)
_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


@cache
def context(ca_file: Path | None, ca_pem: str | None = None) -> ssl.SSLContext:
    """Checks certificate and host name by the certificates of `ca_pem`, else of `ca_file`, else by the system's.

    It is one of the three alone.
    """
    try:
        made = ssl.create_default_context(
            cafile=str(ca_file) if ca_file and not ca_pem else None, cadata=ca_pem
        )
    except (OSError, ValueError, ssl.SSLError) as error:
        where = "The account's own CA file" if ca_pem else f"The CA file {ca_file}"
        raise UsageError(reason=f"{where} holds no certificates that can be read: {error}.") from error
    made.minimum_version = ssl.TLSVersion.TLSv1_2  # RFC 8997: TLS 1.0 and 1.1 are not for mail any more
    return made


def certificates_in(ca_file: Path) -> str:
    """The certificates of a PEM file as text, and nothing else of it: a key may lie there as well. Raises UsageError."""
    try:
        text = ca_file.read_text(errors="replace")
    except OSError as error:
        raise UsageError(reason=f"The CA file {ca_file} cannot be read: {error.strerror}.") from error
    found = "\n".join([*_CERTIFICATE.findall(text), ""])
    if not found.strip():
        raise UsageError(reason=f"The CA file {ca_file} holds no certificates in PEM form.")
    context(None, found)
    return found


def secure(
    plain: socket.socket, *, host: str, ca_file: Path | None, ca_pem: str | None = None, where: str
) -> ssl.SSLSocket:
    """Shake hands on a connected socket; on any refusal the socket is closed and nothing was sent."""
    try:
        return context(ca_file, ca_pem).wrap_socket(plain, server_hostname=host)
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
