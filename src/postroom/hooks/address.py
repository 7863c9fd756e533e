"""Address: what a webhook may call. Not this machine, nor what is behind it, unless somebody allowed it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import TypeAlias
from urllib.parse import urlsplit

from postroom.errors import SettingError, UsageError

Network: TypeAlias = IPv4Network | IPv6Network
_MOST_CHARACTERS = 2000
_NAT64 = IPv6Network("64:ff9b::/96")  # RFC 6052 2.1
_PORTS = {"https": 443, "http": 80}


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A URL in its parts. `path` goes with its query."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def host_field(self) -> str:
        """What the field Host says (RFC 9110 7.2)."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


def networks(text: str) -> tuple[Network, ...]:
    """`10.0.0.0/8, 127.0.0.1`: networks that may be called although they are not public. Raises SettingError."""
    try:
        return tuple(ip_network(each.strip(), strict=False) for each in text.split(",") if each.strip())
    except ValueError as error:
        name = "POSTROOM_WEBHOOK_NETWORKS"
        expected = "a list of networks such as 10.0.0.0/8, 192.168.1.7"
        raise SettingError(name=name, value=text, expected=expected) from error


def target_of(url: str, allowed: Sequence[Network]) -> Target:
    """The parts of a URL that a webhook may have, as far as can be told without asking for its host. Raises UsageError."""
    if len(url) > _MOST_CHARACTERS:
        raise UsageError(reason=f"The URL is longer than {_MOST_CHARACTERS} characters.")
    if not url.isascii() or any(each <= " " or each == "\x7f" for each in url):
        raise UsageError(reason="Write the URL in ASCII, without blanks: the host as xn--…, the rest as %41.")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise UsageError(reason="That is no URL: write https://host/path.") from None
    if parts.scheme not in _PORTS or not host or parts.fragment:
        raise UsageError(reason="That is no address to call: write https://host/path.")
    if "@" in parts.netloc or "\\" in url:
        raise UsageError(reason="A URL with a user name is not called: the signature says who calls.")
    if parts.scheme == "http" and not allowed:
        raise UsageError(reason="Use https: what happens to mail is nobody else's business.")
    try:
        address = ip_address(host)
    except ValueError:
        address = None
    if port == 0 or (address is not None and not may_be_called(address, parts.scheme, allowed)):
        raise UsageError(reason="This address may not be called: it is not a public one.")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(scheme=parts.scheme, host=host, port=port or _PORTS[parts.scheme], path=path)


def may_be_called(address: IPv4Address | IPv6Address, scheme: str, allowed: Iterable[Network]) -> bool:
    """Public, or allowed by somebody; without TLS only the latter."""
    inside = list(_meant(address))
    if any(each in network for network in allowed for each in inside if each.version == network.version):
        return True
    return scheme == "https" and all(each.is_global and not each.is_multicast for each in inside)


def _meant(address: IPv4Address | IPv6Address) -> Iterable[IPv4Address | IPv6Address]:
    """The address, and those that others would make of it on the way."""
    if isinstance(address, IPv4Address):
        yield address
        return
    if address.ipv4_mapped:
        yield address.ipv4_mapped
        return
    yield address
    if address.sixtofour:
        yield address.sixtofour
    if address.teredo:
        yield from address.teredo
    if address in _NAT64:
        yield IPv4Address(int(address) & 0xFFFFFFFF)
