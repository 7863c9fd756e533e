"""OAuth, whole: consent, a mailbox that follows, tokens that run out in the middle, and consent taken back."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from postroom.sample import generate
from tests.support.dovecot import Dovecot, running_dovecot
from tests.support.oauth_server import CLIENT_ID, CLIENT_SECRET, OAuthServer
from tests.support.site import Store
from tests.support.smtp import SmtpServer

EMAIL = "alice@example.test"
KEY = b"k" * 32


@pytest.fixture(scope="module")
def mailbox() -> Iterator[Dovecot]:
    with running_dovecot(mechanisms="xoauth2 oauthbearer plain", token_key=KEY) as found:
        found.fill("alice", "INBOX", [each.raw for each in generate(12, 1)])
        yield found


@pytest.fixture
def issuer() -> Iterator[OAuthServer]:
    with OAuthServer(KEY) as found:
        yield found


def _settings(mailbox: Dovecot) -> dict[str, str]:
    return {
        "POSTROOM_OAUTH_CLIENT_ID": CLIENT_ID,
        "POSTROOM_OAUTH_CLIENT_SECRET": CLIENT_SECRET,
        "POSTROOM_CA_FILE": str(mailbox.ca_file),
    }


def _add(store: Store, mailbox: Dovecot, issuer: OAuthServer, *more: str, **options: Any) -> Any:
    tenant = store.tenant()
    protocol = ("--port", str(mailbox.pop3s_port if "pop3" in more else mailbox.imaps_port))
    place = ("--email", EMAIL, "--host", "localhost", "--username", "alice", *protocol)
    done = store.cli(
        *("account", "add", "-t", tenant, *place, "--oauth", issuer.issuer, *more),
        **_settings(mailbox),
        **options,
    )
    return tenant, done


def _sync(store: Store, mailbox: Dovecot, tenant: str, **options: Any) -> Any:
    return store.cli("sync", "-t", tenant, "-a", EMAIL, **_settings(mailbox), **options)


@pytest.fixture
def browser(tmp_path: Path) -> str:
    """A browser that signs in without asking anybody: it opens the page and follows where it leads."""
    script = tmp_path / "browser.py"
    script.write_text("import sys, urllib.request\nurllib.request.urlopen(sys.argv[1], timeout=10).read()\n")
    return f"{sys.executable} {script} %s"


@pytest.mark.parametrize("protocol", ["imap", "pop3"])
def test_the_device_flow_lets_in(store: Store, mailbox: Dovecot, issuer: OAuthServer, protocol: str) -> None:
    issuer.pending_polls = 3
    tenant, done = _add(store, mailbox, issuer, "--protocol", protocol)
    assert f"Open {issuer.issuer}/activate" in done.stderr
    assert "WDJB-MJHT" in done.stderr
    assert "12 stored" in _sync(store, mailbox, tenant).stdout


def test_the_browser_lets_in_with_pkce(
    store: Store, mailbox: Dovecot, issuer: OAuthServer, browser: str
) -> None:
    tenant, _ = _add(store, mailbox, issuer, "--oauth-flow", "browser", BROWSER=browser)
    assert "12 stored" in _sync(store, mailbox, tenant).stdout
    asked = next(query for path, query in issuer.requests if path == "/authorize")
    assert asked["redirect_uri"].startswith("http://127.0.0.1:")
    assert asked["login_hint"] == EMAIL


@pytest.mark.parametrize("flow", ["device", "browser"])
def test_who_says_no_has_added_nothing(
    store: Store, mailbox: Dovecot, issuer: OAuthServer, browser: str, flow: str
) -> None:
    issuer.denies = True
    tenant, done = _add(store, mailbox, issuer, "--oauth-flow", flow, BROWSER=browser, check=False)
    assert done.returncode == 5
    assert done.stderr.count("\n") == 2
    assert store.json("account", "list", "-t", tenant)["items"] == []


def test_a_token_that_runs_out_is_renewed_and_the_new_one_is_kept(
    store: Store, mailbox: Dovecot, issuer: OAuthServer
) -> None:
    issuer.token_seconds = -60  # the server gives tokens that nobody takes any more, as after a revocation
    tenant, _ = _add(store, mailbox, issuer)
    issuer.token_seconds = 3600
    assert "12 stored" in _sync(store, mailbox, tenant).stdout
    assert "0 stored" in _sync(store, mailbox, tenant).stdout
    assert issuer.renewals == 1


def test_a_provider_that_does_not_rotate_keeps_its_refresh_token(
    store: Store, mailbox: Dovecot, issuer: OAuthServer
) -> None:
    issuer.token_seconds, issuer.rotates = -60, False
    tenant, _ = _add(store, mailbox, issuer)
    for _ in range(2):
        done = _sync(store, mailbox, tenant, check=False)
        assert done.returncode == 5
    assert issuer.renewals == 2


def test_consent_taken_back_is_one_sentence_that_says_how_to_go_on(
    store: Store, mailbox: Dovecot, issuer: OAuthServer
) -> None:
    issuer.token_seconds = -60
    tenant, _ = _add(store, mailbox, issuer)
    (secret,) = issuer.refresh_tokens
    issuer.refresh_tokens.clear()
    done = _sync(store, mailbox, tenant, check=False)
    assert done.returncode == 5
    assert "expired or revoked" in done.stderr
    assert f"postroom account add --email {EMAIL} --oauth {issuer.issuer}" in done.stderr
    assert secret not in done.stderr
    assert CLIENT_SECRET not in done.stderr


def test_a_provider_that_is_down_is_no_lost_consent(
    store: Store, mailbox: Dovecot, issuer: OAuthServer
) -> None:
    issuer.token_seconds = -60
    tenant, _ = _add(store, mailbox, issuer)
    issuer.is_down, issuer.token_seconds = True, 3600
    assert _sync(store, mailbox, tenant, check=False).returncode == 6
    issuer.is_down = False
    assert "12 stored" in _sync(store, mailbox, tenant).stdout


def test_mistakes_are_one_sentence(store: Store, mailbox: Dovecot, issuer: OAuthServer) -> None:
    tenant = store.tenant()
    common = ("account", "add", "-t", tenant, "--email", EMAIL, "--host", "localhost")
    for more, settings, said in (
        (("--oauth", "google"), {}, "POSTROOM_OAUTH_GOOGLE_CLIENT_ID"),
        (("--oauth", "microsoft"), {}, "POSTROOM_OAUTH_MICROSOFT_CLIENT_ID"),
        (("--oauth", "http://example.test"), {}, "begins with https://"),
        (("--oauth", "yahoo"), {}, "begins with https://"),
        (("--oauth", issuer.issuer), {}, "POSTROOM_OAUTH_CLIENT_ID"),
        (("--oauth", issuer.issuer + "/x"), {}, "Is it the issuer's URL?"),
        (
            ("--oauth", "google", "--oauth-flow", "device"),
            {"POSTROOM_OAUTH_GOOGLE_CLIENT_ID": "x"},
            "no mail to devices",
        ),
        (
            ("--oauth", issuer.issuer, "--oauth-flow", "phone"),
            {"POSTROOM_OAUTH_CLIENT_ID": "x"},
            "device and browser",
        ),
    ):
        done = store.cli(*common, *more, check=False, **settings)
        assert done.returncode == 2, done.stderr
        assert said in done.stderr
        assert done.stderr.count("\n") == 1


def test_mail_goes_out_and_into_sent_by_the_same_consent(
    store: Store, mailbox: Dovecot, issuer: OAuthServer, smtp: SmtpServer
) -> None:
    tenant, _ = _add(store, mailbox, issuer)
    place = ("--host", smtp.host, "--port", str(smtp.port), "--encryption", "none", "--username", "alice")
    store.cli("account", "smtp", "-t", tenant, "-a", EMAIL, *place, "--same-password")
    _send(store, mailbox, tenant)
    assert [each.recipients for each in smtp.received] == [["bob@example.test"]]
    assert len(list((mailbox.root / "mail" / "alice" / ".Sent").glob("cur/*"))) == 1
    smtp.refused_tokens = 1
    _send(store, mailbox, tenant)
    assert (len(smtp.received), len(smtp.tokens), issuer.renewals) == (2, 3, 1)
    assert len(set(smtp.tokens)) == 2
    smtp.refused_tokens = 2
    done = _send(store, mailbox, tenant, check=False)
    assert done.returncode == 17
    assert "the sign-in was refused" in done.stderr
    assert len(smtp.received) == 2


def _send(store: Store, mailbox: Dovecot, tenant: str, **options: Any) -> Any:
    letter = ("--to", "bob@example.test", "-s", "Hello", "--text", "How are you?")
    return store.cli("send", "-t", tenant, "-a", EMAIL, *letter, **_settings(mailbox), **options)
