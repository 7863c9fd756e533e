"""What a webhook may call: public addresses by https, whatever they look like, and what somebody allowed."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom.errors import SettingError, UsageError
from postroom.hooks.address import may_be_called, networks, target_of

_INSIDE = networks("10.0.0.0/8, 127.0.0.1")
_NAT64 = int(IPv6Address("64:ff9b::"))
_6TO4 = int(IPv6Address("2002::"))


@pytest.mark.parametrize(
    "address",
    "127.0.0.1 10.1.2.3 172.16.0.1 192.168.1.1 169.254.169.254 100.64.0.1 0.0.0.0 224.0.0.1 255.255.255.255 192.0.2.1"
    " ::1 :: fe80::1 fe80::1%eth0 fc00::1 ff02::1 ::ffff:127.0.0.1 64:ff9b::7f00:1 2002:7f00:1::1 2001:db8::1".split(),
)
def test_what_is_not_public_may_not_be_called(address: str) -> None:
    assert not may_be_called(ip_address(address), "https", ())


@pytest.mark.parametrize("address", ["1.1.1.1", "2606:4700::1111", "64:ff9b::101:101", "::ffff:1.1.1.1"])
def test_what_is_public_may_be_called_by_https_alone(address: str) -> None:
    assert may_be_called(ip_address(address), "https", ())
    assert not may_be_called(ip_address(address), "http", _INSIDE)


def test_what_somebody_allowed_may_be_called_and_nothing_beside_it() -> None:
    for address in ("10.9.9.9", "127.0.0.1", "::ffff:10.9.9.9"):
        assert may_be_called(ip_address(address), "http", _INSIDE)
    for address in ("127.0.0.2", "192.168.0.1", "::1"):
        assert not may_be_called(ip_address(address), "https", _INSIDE)
    with pytest.raises(SettingError):
        networks("10.0.0.0/8, the office")


@given(st.ip_addresses(v=4))
def test_an_address_inside_another_is_judged_as_itself(inner: IPv4Address) -> None:
    is_public = may_be_called(inner, "https", ())
    mapped, translated = IPv6Address(0xFFFF << 32 | int(inner)), IPv6Address(_NAT64 | int(inner))
    assert may_be_called(mapped, "https", ()) == is_public
    assert not may_be_called(translated, "https", ()) or is_public
    assert not may_be_called(IPv6Address(_6TO4 | int(inner) << 80), "https", ()) or is_public


@given(st.text(max_size=60) | st.from_regex(r"https?://[^/]{0,20}/.{0,20}"))
def test_whatever_is_written_is_an_address_or_refused(text: str) -> None:
    try:
        target = target_of(text, _INSIDE)
    except UsageError:
        return
    assert target.host
    assert target.scheme in ("https", "http")
    assert (target.host_field + target.path).isprintable()
    assert "@" not in target.host_field


def test_a_url_is_taken_apart() -> None:
    target = target_of("https://[2606:4700::1111]:8443/a/b?c=d", ())
    assert (target.host, target.port, target.path) == ("2606:4700::1111", 8443, "/a/b?c=d")
    assert target.host_field == "[2606:4700::1111]:8443"
    assert target_of("https://example.com", ()).host_field == "example.com"
    assert target_of("https://example.com", ()).path == "/"
