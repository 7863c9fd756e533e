"""From an address to its server: what the domain says over HTTP, what DNS says, and whom not to believe."""

from __future__ import annotations

import pytest

from postroom.errors import NoServerFound, UsageError
from postroom.model import Protocol_
from postroom.wire import autoconfig
from postroom.wire.discover import Places, discover
from postroom.wire.known_providers import Server
from tests.support.name_server import running_name_server, running_pages

ME = "me.too@example.test"


def config(*servers: str) -> bytes:
    text = "".join(servers)
    return f'<?xml version="1.0"?><clientConfig version="1.1"><emailProvider id="x">{text}</emailProvider></clientConfig>'.encode()


def incoming(
    kind: str,
    host: str,
    port: object,
    socket: str,
    username: str = "%EMAILADDRESS%",
    how: str = "password-cleartext",
) -> str:
    return (
        f'<incomingServer type="{kind}"><hostname>{host}</hostname><port>{port}</port>'
        f"<socketType>{socket}</socketType><username>{username}</username>"
        f"<authentication>{how}</authentication></incomingServer>"
    )


GOOD = config(
    incoming("imap", "imap.%EMAILDOMAIN%", 143, "STARTTLS"),
    incoming("imap", "imap.%EMAILDOMAIN%", 993, "SSL", "%EMAILLOCALPART%"),
    incoming("pop3", "pop.example.test", 110, "STARTTLS"),
)


def look(
    protocol: Protocol_ = "imap", *, own_word: tuple[str, ...] = (), zone: str = "", ispdb: str | None = None
):
    with running_name_server(zone) as (address, _):
        return discover(ME, protocol, Places(own_word=own_word, ispdb=ispdb, dns_server=address))


def where(found: Server) -> tuple[str, int, str, str]:
    return found.hostname, found.port, found.encryption, found.username


@pytest.mark.parametrize(
    ("email", "protocol", "host", "oauth"),
    [
        ("me@gmail.com", "imap", "imap.gmail.com", "google"),
        ("Me@Outlook.com", "pop3", "outlook.office365.com", "microsoft"),
        ("me@gmx.de", "imap", "imap.gmx.net", None),
    ],
)
def test_known_providers_need_no_question(email: str, protocol: Protocol_, host: str, oauth: str | None):
    with running_name_server("") as (address, asked):
        found = discover(email, protocol, Places(dns_server=address))
        assert asked == []
    assert (found.hostname, found.oauth, found.encryption) == (host, oauth, "tls")


def test_the_domains_own_word_comes_first_and_tls_before_starttls():
    with running_pages({"/example.test": GOOD}) as (base, asked):
        found = look(own_word=(f"{base}/nothing", f"{base}/{{domain}}?emailaddress={{email}}"))
        assert asked == ["/nothing", "/example.test?emailaddress=me.too%40example.test"]
    assert where(found) == ("imap.example.test", 993, "tls", "me.too")


def test_pop3_is_asked_for_by_its_name():
    with running_pages({"/x": GOOD}) as (base, _):
        assert where(look("pop3", own_word=(f"{base}/x",))) == ("pop.example.test", 110, "starttls", ME)


def test_the_list_of_providers_is_asked_last_and_not_told_who_asks():
    with running_pages({"/v1.1/example.test": GOOD}) as (base, asked):
        found = look(ispdb=f"{base}/v1.1/{{domain}}")
        assert asked == ["/v1.1/example.test"]
    assert found.hostname == "imap.example.test"


def test_dns_names_the_preferred_host():
    zone = (
        "_imaps._tcp.example.test. 60 IN SRV 20 1 993 late.example.test.\n"
        "_imaps._tcp.example.test. 60 IN SRV 10 1 9930 light.example.test.\n"
        "_imaps._tcp.example.test. 60 IN SRV 10 5 9931 heavy.example.test.\n"
        "_imap._tcp.example.test. 60 IN SRV 0 1 143 plain.example.test.\n"
    )
    assert where(look(zone=zone)) == ("heavy.example.test", 9931, "tls", ME)


def test_a_dot_says_that_there_is_no_such_service():
    zone = (
        "_imaps._tcp.example.test. 60 IN SRV 0 0 0 .\n"
        "_imap._tcp.example.test. 60 IN SRV 0 1 143 mail.example.test.\n"
    )
    assert where(look(zone=zone)) == ("mail.example.test", 143, "starttls", ME)


def test_a_host_of_somebody_else_that_dns_alone_names_is_not_believed():
    zone = "_imaps._tcp.example.test. 60 IN SRV 0 1 993 imap.evil.test.\n"
    with pytest.raises(UsageError, match=r"--host imap\.evil\.test --port 993"):
        look(zone=zone)
    with pytest.raises(UsageError):
        look(zone=zone.replace("imap.evil.test", "notexample.test"))


def test_a_domain_whose_mail_goes_to_a_large_provider():
    found = look(zone="example.test. 60 IN MX 10 aspmx.l.google.com.\n")
    assert (found.hostname, found.oauth) == ("imap.gmail.com", "google")
    found = look(zone="example.test. 60 IN MX 0 example-test.mail.protection.outlook.com.\n")
    assert (found.hostname, found.oauth) == ("outlook.office365.com", "microsoft")
    with pytest.raises(NoServerFound):
        look(zone="example.test. 60 IN MX 10 evilgoogle.com.\n")


def test_nothing_found_is_one_sentence_also_where_nobody_answers():
    with pytest.raises(NoServerFound, match=r"No IMAP server is found for me\.too@example\.test.*--host"):
        look()
    with running_name_server("", silent=True) as (address, _), pytest.raises(NoServerFound):
        discover(ME, "imap", Places(own_word=("http://127.0.0.1:1/",), ispdb=None, dns_server=address))


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"<html>not found</html>",
        b"\xff\xfe\x00",
        config(),
        config(incoming("imap", "imap.example.test", 143, "plain")),
        config(incoming("imap", "imap.example.test", "99999", "SSL")),
        config(incoming("imap", "a b;rm", 993, "SSL")),
        config(incoming("imap", "", 993, "SSL")),
        config(incoming("pop3", "pop.example.test", 995, "SSL")),
        b'<!DOCTYPE x [<!ENTITY a "b">]>' + GOOD[21:],
    ],
)
def test_what_is_not_safe_or_no_answer_is_passed_over(raw: bytes):
    assert autoconfig.server(raw, ME, "imap", found_by="x") is None


def test_a_page_without_end_is_not_waited_for():
    with running_pages({"/x": b"<a>" + b" " * 2**20}) as (base, _), pytest.raises(NoServerFound):
        look(own_word=(f"{base}/x",))


@pytest.mark.parametrize(
    "email", ["me", "me@", "@example.test", "me@localhost", "me@a b.test", "me@exa/mple.test", "me@.test"]
)
def test_what_is_no_address_is_said_before_anybody_is_asked(email: str):
    with pytest.raises(UsageError, match="no mail address"):
        discover(email, "imap", Places(own_word=(), ispdb=None, dns_server="127.0.0.1:1"))


def test_a_domain_in_its_own_letters_is_asked_in_ascii():
    with running_pages({"/xn--mnchen-3ya.test": GOOD}) as (base, _), running_name_server("") as (address, _):
        places = Places(own_word=(f"{base}/{{domain}}",), ispdb=None, dns_server=address)
        assert discover("me@münchen.test", "imap", places).port == 993
