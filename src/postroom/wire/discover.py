"""Discovery: from an address to its server, by what is known, what the domain says, and what DNS says.

Only what can be believed is taken: the domain's own word comes over HTTPS; a host that DNS alone names must be of
the domain itself (RFC 6186 6), for whoever forges an answer would be sent the password.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from urllib.parse import quote

import dns.exception
import dns.inet
import dns.resolver
import httpx2

from postroom.errors import NoServerFound, UsageError
from postroom.model import Encryption, Protocol_
from postroom.wire import autoconfig, known_providers, tls
from postroom.wire.known_providers import Server

ISPDB = "https://autoconfig.thunderbird.net/v1.1/{domain}"
_OWN_WORD = (
    "https://autoconfig.{domain}/mail/config-v1.1.xml?emailaddress={email}",
    "https://{domain}/.well-known/autoconfig/mail/config-v1.1.xml?emailaddress={email}",
)
_TIMEOUT_SECONDS = 4.0
_MAX_BYTES = 256 * 2**10
_SERVICES: dict[Protocol_, tuple[tuple[str, Encryption], ...]] = {
    "imap": (("_imaps._tcp", "tls"), ("_imap._tcp", "starttls")),
    "pop3": (("_pop3s._tcp", "tls"), ("_pop3._tcp", "starttls")),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where to ask. `dns_server` is `address:port`; without it the system's. No `ispdb`: nobody else is asked."""

    ispdb: str | None = ISPDB
    dns_server: str | None = None
    ca_file: Path | None = None
    own_word: Sequence[str] = _OWN_WORD


def discover(email: str, protocol: Protocol_, places: Places) -> Server:
    """The server of this address. Raises NoServerFound, and UsageError for what is no address."""
    domain = _domain_of(email)
    known = known_providers.by_domain(email, protocol)
    if known:
        return known
    resolver = _resolver(places)
    answers = chain(  # each is asked only when those before it knew nothing
        _asked(places.own_word, email, domain, protocol, places),
        _named_by_dns(resolver, domain, email, protocol),
        _by_exchanger(resolver, domain, email, protocol),
        _asked([places.ispdb] if places.ispdb else [], email, domain, protocol, places),
    )
    found = next(answers, None)
    if found is None:
        raise NoServerFound(email=email, protocol=protocol.upper())
    return found


def _domain_of(email: str) -> str:
    local, at, domain = email.rpartition("@")
    try:
        ascii_domain = domain.encode("idna").decode().lower()
    except UnicodeError:
        ascii_domain = ""
    labels = ascii_domain.split(".")
    fits = all(label and label.replace("-", "").isalnum() for label in labels)
    if not at or not local or not fits or len(labels) < 2:
        raise UsageError(reason=f"{email!r} is no mail address; it looks like me@example.com.")
    return ascii_domain


def _asked(
    templates: Sequence[str], email: str, domain: str, protocol: Protocol_, places: Places
) -> Iterator[Server]:
    """Thunderbird's autoconfiguration, from whoever answers first. Silence and nonsense are no answer."""
    verify = tls.context(places.ca_file)
    with httpx2.Client(
        verify=verify, timeout=_TIMEOUT_SECONDS, follow_redirects=True, max_redirects=3
    ) as http:
        for template in templates:
            url = template.format(domain=domain, email=quote(email))
            raw = _get(http, url)
            server = raw and autoconfig.server(raw, email, protocol, found_by=url.partition("?")[0])
            if server:
                yield server
                return


def _get(http: httpx2.Client, url: str) -> bytes | None:
    is_safe = url.startswith("https://")
    try:
        with http.stream("GET", url) as answer:
            if answer.status_code != 200 or (is_safe and answer.url.scheme != "https"):
                return None
            held = b""
            for piece in answer.iter_bytes():
                held += piece
                if len(held) > _MAX_BYTES:
                    return None
            return held
    except (httpx2.HTTPError, httpx2.InvalidURL, ValueError):
        return None


def _resolver(places: Places) -> dns.resolver.Resolver:
    try:
        found = dns.resolver.Resolver(configure=places.dns_server is None)
    except dns.resolver.NoResolverConfiguration:
        found = dns.resolver.Resolver(configure=False)
    if places.dns_server is not None:
        address, _, port = (
            places.dns_server.rpartition(":") if ":" in places.dns_server else (places.dns_server, "", "53")
        )
        if not dns.inet.is_address(address) or not port.isdigit():
            reason = f"POSTROOM_DNS_SERVER is {places.dns_server!r}, which is not ADDRESS or ADDRESS:PORT."
            raise UsageError(reason=reason)
        found.nameservers, found.port = [address], int(port)
    found.timeout = found.lifetime = _TIMEOUT_SECONDS
    return found


def _named_by_dns(
    resolver: dns.resolver.Resolver, domain: str, email: str, protocol: Protocol_
) -> Iterator[Server]:
    """SRV (RFC 6186), the preferred host first. A target of `.` says that there is no such service."""
    for service, encryption in _SERVICES[protocol]:
        records = _records(resolver, f"{service}.{domain}", "SRV")
        for record in sorted(records, key=lambda each: (each.priority, -each.weight)):
            host = record.target.to_text(omit_final_dot=True).lower()
            if host in ("", "."):
                continue
            if host != domain and not host.endswith(f".{domain}"):
                reason = (
                    f"DNS names {host} for {domain}, which DNS alone cannot prove; if that is right, "
                    f"say so: --host {host} --port {record.port}."
                )
                raise UsageError(reason=reason)
            yield Server(
                protocol=protocol,
                hostname=host,
                port=record.port,
                encryption=encryption,
                username=email,
                found_by=f"DNS ({service}.{domain})",
            )
            return


def _by_exchanger(
    resolver: dns.resolver.Resolver, domain: str, email: str, protocol: Protocol_
) -> Iterator[Server]:
    """A known provider that the domain's mail goes to: forging this answer leads to nobody else."""
    for record in sorted(_records(resolver, domain, "MX"), key=lambda each: each.preference):
        found = known_providers.by_exchanger(record.exchange.to_text(), email, protocol)
        if found:
            yield found
            return


def _records(resolver: dns.resolver.Resolver, name: str, kind: str) -> list:
    try:
        return list(resolver.resolve(name, kind, search=False))
    except (dns.exception.DNSException, OSError):
        return []
