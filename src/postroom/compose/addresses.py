"""Addresses that people type: checked, for here a mistake can still be mended."""

from __future__ import annotations

import re
from collections.abc import Iterable

import idna

from postroom.errors import UsageError
from postroom.model import Address

# RFC 5321 4.1.2 dot-string, with the letters of RFC 6531 3.3.
_LOCAL = re.compile(r"[^\s()<>\[\]:;@\\,.\"\x00-\x1f\x7f]+(?:\.[^\s()<>\[\]:;@\\,.\"\x00-\x1f\x7f]+)*")
_ONE = re.compile(r'(?:"(?:[^"\\]|\\.)*+"|<[^<>]*+>|[^,;])++')
_NAMED = re.compile(
    r'(?:"(?P<quoted>(?:[^"\\]|\\.)*+)"|(?P<plain>[^"<>@]*+))\s*<(?P<bracketed>[^<>\s]+)>|(?P<bare>[^<>\s"]+)'
)
_LITERAL = re.compile(r"\[[0-9A-Fa-f:.IPv]{2,60}\]")
_LOCAL_OCTETS, _DOMAIN_OCTETS = 64, 255  # RFC 5321 4.5.3.1


def mailboxes(values: Iterable[str]) -> tuple[Address, ...]:
    """`["Ann <ann@example.com>, bob@example.com"]` as addresses. Raises UsageError for what can reach nobody.

    Unlike the addresses of mail that came, nothing here is guessed: a forgotten comma must not reach a stranger.
    """
    found = [checked(_typed(one, value)) for value in values for one in _separated(value)]
    return tuple(dict.fromkeys(found))


def _separated(value: str) -> list[str]:
    return [found[0] for found in _ONE.finditer(value) if found[0].strip()] or [""]


def _typed(one: str, value: str) -> Address:
    found = _NAMED.fullmatch(one.strip())
    if not found:
        raise UsageError(
            reason=f"{value!r} is no address; write name@example.com or Name <name@example.com>."
        )
    name = re.sub(r"\\(.)", r"\1", found["quoted"]) if found["quoted"] is not None else found["plain"] or ""
    return Address(name=name.strip(), address=found["bracketed"] or found["bare"] or "")


def checked(address: Address) -> Address:
    """The address with its domain in lower case and in its own script; the name without control characters."""
    local, at, domain = address.address.rpartition("@")
    if not at or not _LOCAL.fullmatch(local) or len(local.encode("utf-8", "replace")) > _LOCAL_OCTETS:
        raise _no_address(address)
    name = " ".join("".join(c if c.isprintable() else " " for c in address.name).split())
    return Address(name=name, address=f"{local}@{_domain(domain, address)}")


def for_wire(address: str) -> str:
    """The address with an ASCII domain (RFC 5890 A-labels); with its own where the local part is not ASCII either."""
    local, _, domain = address.rpartition("@")
    if not local.isascii() or domain.isascii():
        return address
    return f"{local}@{idna.encode(domain).decode()}"


def domain_of(address: str) -> str:
    """The domain of a checked address, in ASCII."""
    domain = address.rpartition("@")[2]
    return domain if domain.isascii() else idna.encode(domain).decode()


def same(address: str) -> str:
    """A key that is equal for two spellings of one mailbox, as far as anybody but its server can tell."""
    return for_wire(address).lower()


def _domain(domain: str, address: Address) -> str:
    if _LITERAL.fullmatch(domain):
        return domain
    try:
        ascii_domain = idna.encode(domain, uts46=True, std3_rules=True)
        if len(ascii_domain) > _DOMAIN_OCTETS:
            raise _no_address(address)
        return idna.decode(ascii_domain)
    except (idna.IDNAError, UnicodeError) as error:
        raise _no_address(address) from error


def _no_address(address: Address) -> UsageError:
    shown = address.address or address.name
    return UsageError(reason=f"{shown!r} is no address that mail can be sent to; write name@example.com.")
