"""Signing in to a real Dovecot by every mechanism, over IMAP and POP3, and to servers that cheat."""

from __future__ import annotations

import base64
from collections.abc import Iterator

import pytest

from postroom.errors import ServerMisbehaved, SignInRefused
from postroom.wire import imap_login, pop3_login, sasl
from postroom.wire.sasl import Bearer, Credentials, Password
from tests.support.dovecot import Dovecot, running_dovecot
from tests.support.hostile_imap import HostileImap
from tests.support.hostile_pop3 import HostilePop3
from tests.support.oauth_server import OAuthServer

KEY = b"k" * 32
ALL = "scram-sha-256 scram-sha-1 plain login xoauth2 oauthbearer"
ORDER = ["SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN", "LOGIN"]


@pytest.fixture(scope="module")
def server() -> Iterator[Dovecot]:
    with running_dovecot(mechanisms=ALL, token_key=KEY) as found:
        yield found


def _sign_in(server: Dovecot, protocol: str, who: Credentials, *, but: set[str] | None = None) -> str:
    """Sign in as if the server did not offer what is in `but`."""
    common = {"host": "localhost", "ca_file": server.ca_file, "timeout_seconds": 10}
    if protocol == "imap":
        imap = imap_login.connect(port=server.imaps_port, encryption="tls", **common)
        imap.run(b"CAPABILITY")
        imap.capabilities -= {f"AUTH={each}" for each in but or ()}
        try:
            return imap_login.sign_in(imap, who)
        finally:
            imap.close()
    pop3 = pop3_login.connect(port=server.pop3s_port, encryption="tls", **common)
    pop3.capabilities["SASL"] -= but or set()
    try:
        return pop3_login.sign_in(pop3, who)
    finally:
        pop3.close()


@pytest.mark.parametrize("protocol", ["imap", "pop3"])
@pytest.mark.parametrize("mechanism", [*ORDER, ""])
def test_the_best_mechanism_that_is_offered_is_taken(server: Dovecot, protocol: str, mechanism: str):
    worse_than = set(ORDER[: ORDER.index(mechanism)]) if mechanism else set(ORDER)
    who = Password(username="alice", password=server.password("alice"))
    last = {"imap": "LOGIN", "pop3": "USER/PASS"}[protocol]
    assert _sign_in(server, protocol, who, but=worse_than) == (mechanism or last)


@pytest.mark.parametrize("protocol", ["imap", "pop3"])
@pytest.mark.parametrize("mechanism", ORDER)
def test_a_wrong_password_is_refused_by_every_mechanism(server: Dovecot, protocol: str, mechanism: str):
    who = Password(username="alice", password="sesame open")
    with pytest.raises(SignInRefused) as caught:
        _sign_in(server, protocol, who, but=set(ORDER) - {mechanism})
    assert "sesame" not in str(caught.value)


@pytest.mark.parametrize("protocol", ["imap", "pop3"])
@pytest.mark.parametrize("password", ["päß wörd", "x" * 400, "a=b,c=d", "soft\u00adhyphen", "½ ﬀ", " x "])
def test_odd_passwords_sign_in(server: Dovecot, protocol: str, password: str):
    user = f"odd{abs(hash(password))}"
    server.add_user(user, password)
    assert _sign_in(server, protocol, Password(username=user, password=password))


@pytest.mark.parametrize("protocol", ["imap", "pop3"])
@pytest.mark.parametrize("mechanism", ["XOAUTH2", "OAUTHBEARER"])
def test_a_token_signs_in_and_one_that_ran_out_is_renewed_once(
    server: Dovecot, protocol: str, mechanism: str
):
    issuer = OAuthServer(KEY)
    asked: list[str | None] = []

    def tokens(refused: str | None) -> str:
        asked.append(refused)
        return issuer.access_token(seconds=3600 if refused else -60)

    other = {"XOAUTH2", "OAUTHBEARER"} - {mechanism}
    issuer._http.server_close()
    assert _sign_in(server, protocol, Bearer(username="alice", tokens=tokens), but=other) == mechanism
    assert asked[0] is None
    assert asked[1]
    assert len(asked) == 2


@pytest.mark.parametrize("protocol", ["imap", "pop3"])
def test_a_forged_token_is_refused(server: Dovecot, protocol: str):
    forger = OAuthServer(b"f" * 32)
    forger._http.server_close()
    with pytest.raises(SignInRefused):
        _sign_in(server, protocol, Bearer(username="alice", tokens=lambda _: forger.access_token()))


def test_a_server_that_does_not_know_the_password_cannot_pretend_to_by_scram():
    """It says OK without a signature: somebody in the middle who let us in to read what we send."""
    with HostileImap() as server:
        server.capabilities = "IMAP4rev1 AUTH=SCRAM-SHA-256 SASL-IR"
        server.answers["AUTHENTICATE"] = b"{tag} OK come in\r\n"
        link = imap_login.connect(
            host="127.0.0.1", port=server.port, encryption="none", ca_file=None, timeout_seconds=5
        )
        with pytest.raises(ServerMisbehaved, match="without proving"):
            imap_login.sign_in(link, Password(username="a", password="b"))
        assert not link.is_open


def test_without_tls_no_password_follows_a_refused_scram():
    with HostilePop3() as server:
        server.capabilities.append("SASL SCRAM-SHA-256 PLAIN LOGIN")
        server.answers["AUTH SCRAM"] = b"-ERR no\r\n"
        link = pop3_login.connect(
            host="127.0.0.1", port=server.port, encryption="none", ca_file=None, timeout_seconds=5
        )
        with pytest.raises(SignInRefused):
            pop3_login.sign_in(link, Password(username="a", password="b"))
        assert [each.split()[1] for each in server.commands if each.startswith("AUTH")] == ["SCRAM-SHA-256"]
        assert not [each for each in server.commands if each.startswith("USER")]


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        (b"???", "no base64"),
        (base64.b64encode(b"r=nonsense"), "cannot be right"),
        (base64.b64encode(b"\xff\xfe"), "cannot be right"),
    ],
)
def test_challenges_that_are_none(raw: bytes, problem: str):
    mechanism = sasl.ScramSha256(Password(username="a", password="b"))
    sasl.answered(mechanism, b"", where="x")
    with pytest.raises(ServerMisbehaved, match=problem):
        sasl.answered(mechanism, sasl.challenge_of(raw, where="x"), where="x")


def test_secrets_do_not_show_themselves():
    assert "hush" not in repr(Password(username="a", password="hush"))
    assert "tokens" not in repr(Bearer(username="a", tokens=lambda _: "hush"))
