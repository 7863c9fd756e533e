"""Tokens of the application's own identity provider: who they open the door to, and who they do not."""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from joserfc.jwk import ECKey, OKPKey, RSAKey

from postroom.api.jwks import FRESH_SECONDS, PAUSE_SECONDS, STALE_SECONDS, Keys, keys_in, reader
from postroom.api.problems import Problem
from postroom.api.tokens import Provider, Tokens, provider_of
from postroom.client import Client, Forbidden, NotFound, Unauthorized
from postroom.errors import SettingError
from postroom.settings import load
from tests.api.conftest import House
from tests.support.identity_provider import IdentityProvider
from tests.support.service import Service, running_service
from tests.support.site import Store

OWNER = str(uuid4())


@pytest.fixture(scope="module")
def provider() -> Iterator[IdentityProvider]:
    with IdentityProvider() as found:
        yield found


@pytest.fixture(scope="module")
def trusting(
    store: Store, provider: IdentityProvider, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    """A service that believes the provider."""
    with running_service(store, tmp_path_factory.mktemp("trusting"), **provider.settings()) as found:
        yield found


@pytest.fixture(scope="module")
def tenant(house: House, store: Store) -> str:
    """The id of the house's tenant, in which the owner has an account of their own."""
    (found,) = [each["id"] for each in store.json("tenant", "list")["items"] if each["name"] == house.name]
    house.mail.create_account(email_address="owner@example.com", user_id=OWNER)
    return found


def _status(service: Service, token: str) -> int:
    return service.client(token).get("/v1/accounts").status_code


def test_a_token_opens_the_accounts_of_its_user(
    trusting: Service, provider: IdentityProvider, house: House, tenant: str
) -> None:
    with Client(trusting.url, provider.token(tenant=tenant, sub=OWNER)) as mail:
        assert [each.email_address for each in mail.list_accounts()] == ["owner@example.com"]
        with pytest.raises(NotFound):
            mail.get_account(house.account())
        assert mail.list_messages().items == ()
    with Client(trusting.url, provider.token(tenant=tenant, sub=str(uuid4()))) as mail:
        assert mail.list_accounts() == ()


def test_scopes_are_those_that_the_token_names(
    trusting: Service, provider: IdentityProvider, tenant: str
) -> None:
    with Client(trusting.url, provider.token(tenant=tenant, sub=OWNER, scope="openid read")) as mail:
        account = mail.list_accounts()[0].id
        with pytest.raises(Forbidden):
            mail.pause_account(account)
    with Client(trusting.url, provider.token(tenant=tenant, sub=OWNER, scope=["read", "write"])) as mail:
        assert not mail.pause_account(account).is_sync_enabled
    nothing = provider.token(tenant=tenant, sub=OWNER, scope=None)
    with Client(trusting.url, nothing) as mail, pytest.raises(Forbidden):
        mail.list_accounts()


def test_what_it_does_stands_in_the_trail_under_the_user(
    trusting: Service, provider: IdentityProvider, house: House, tenant: str
) -> None:
    with Client(trusting.url, provider.token(tenant=tenant, sub=OWNER)) as mail:
        account = mail.list_accounts()[0].id
        mail.change_account(account, account_name=uuid4().hex)
    entry = house.mail.list_audit(object_type="account", object_id=account, limit=1).items[0]
    assert (entry.action, str(entry.user_id), entry.api_key_id) == ("account.change", OWNER, None)


@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")
@pytest.mark.parametrize("key", [RSAKey.generate_key(2048), OKPKey.generate_key("Ed25519")])
def test_rsa_and_ed25519_are_good_too(provider: IdentityProvider, key: Any) -> None:
    believed = Provider(
        jwks=provider.address, issuer=provider.issuer, audience="postroom", algorithms=("RS256", "EdDSA"),
        tenant_claim="tenant", user_claim="sub", scope_claim="scope", scope_prefix="",
    )  # fmt: skip
    provider.keys = {"other": key} | provider.keys
    try:
        tokens = Tokens(believed, Keys(reader(provider.address)))
        token = provider.token(kid="other", tenant=str(uuid4()), sub=OWNER)
        of_ec = provider.token(kid="first", tenant=str(uuid4()), sub=OWNER)
        assert _known(tokens.identity_of, token)
        assert not _known(tokens.identity_of, of_ec)  # signed well, in a way that is not on the list
    finally:
        del provider.keys["other"]


def _known(ask: Callable[[str], Awaitable[Any]], token: str) -> bool:
    async def asked() -> bool:
        return await ask(token) is not None

    return asyncio.run(asked())


def _b64(data: bytes | dict[str, Any]) -> str:
    text = json.dumps(data).encode() if isinstance(data, dict) else data
    return base64.urlsafe_b64encode(text).decode().rstrip("=")


def _by_secret(claims: dict[str, Any], secret: bytes) -> str:
    """By hand: no library lends itself to that."""
    signed = f"{_b64({'alg': 'HS256', 'kid': 'first'})}.{_b64(claims)}"
    return f"{signed}.{_b64(hmac.digest(secret, signed.encode(), 'sha256'))}"


def _forged(provider: IdentityProvider, tenant: str) -> dict[str, str]:
    good = {"tenant": tenant, "sub": OWNER}
    now, foreign = int(time.time()), ECKey.generate_key("P-256")
    public = provider.keys["first"]
    claims, signed = provider.claims(**good), provider.token(**good)
    head, body, signature = signed.split(".")
    secrets = {
        "pem": public.as_pem(private=False),
        "der": public.as_der(private=False),
        "jwk": json.dumps(public.as_dict(private=False)).encode(),
        "empty": b"\0",
    }
    confused = {
        f"HS256 with the public key as {name}": _by_secret(claims, secret) for name, secret in secrets.items()
    }
    return confused | {
        "no algorithm": f"{_b64({'alg': 'none'})}.{_b64(claims)}.",
        "no algorithm, the key named": f"{_b64({'alg': 'none', 'kid': 'first'})}.{_b64(claims)}.",
        "None in capitals": f"{_b64({'alg': 'nOnE', 'kid': 'first'})}.{_b64(claims)}.{signature}",
        "no signature": f"{head}.{body}.",
        "another's signature": provider.token(kid="first", key=foreign, **good),
        "a key that it brings along": provider.token(
            kid="first", key=foreign, head={"jwk": foreign.as_dict(private=False)}, **good
        ),
        "an address of keys that it brings along": provider.token(
            kid="first", key=foreign, head={"jku": "http://127.0.0.1:1/"}, **good
        ),
        "another body": f"{head}.{_b64(claims | {'tenant': str(uuid4())})}.{signature}",
        "a key that nobody has": provider.token(key=foreign, kid="nobody", **good),
        "a critical header": provider.token(head={"crit": ["exp"], "exp": 1}, **good),
        "over for longer than clocks differ": provider.token(exp=now - 61, **good),
        "no end": provider.token(exp=None, **good),
        "an end that is none": provider.token(exp="never", **good),
        "no number as an end": provider.token(exp=float("nan"), **good),
        "no end of the end": provider.token(exp=float("inf"), **good),
        "not yet": provider.token(nbf=now + 70, **good),
        "made in the future": provider.token(iat=now + 70, **good),
        "another issuer": provider.token(iss="https://evil.example", **good),
        "no issuer": provider.token(iss=None, **good),
        "for somebody else": provider.token(aud="shop", **good),
        "for nobody": provider.token(aud=None, **good),
        "a tenant that is not there": provider.token(tenant=str(uuid4()), sub=OWNER),
        "a tenant by its name": provider.token(tenant="acme", sub=OWNER),
        "no tenant": provider.token(sub=OWNER),
        "a list of tenants": provider.token(tenant=[tenant], sub=OWNER),
        "no user": provider.token(tenant=tenant),
        "a user without an id": provider.token(tenant=tenant, sub="alice"),
        "five parts": f"{signed}.x.x",
        "two parts": f"{head}.{body}",
        "more than a header holds well": f"{head}.{_b64(claims | {'x': 'x' * 8000})}.{signature}",
        "letters that are none": f"{head}.!.{signature}",
    }


def test_what_is_not_the_providers_word_for_somebody_is_refused_in_one_way(
    trusting: Service, provider: IdentityProvider, tenant: str
) -> None:
    assert _status(trusting, provider.token(tenant=tenant, sub=OWNER)) == 200
    said = set()
    for name, token in _forged(provider, tenant).items():
        response = trusting.client(token).get("/v1/accounts")
        assert response.status_code == 401, f"{name}: {response.text}"
        said.add(json.dumps({**response.json(), "request_id": None}))
    assert len(said) == 1
    log = trusting.log.read_text()
    assert "Traceback" not in log
    assert provider.token(tenant=tenant, sub=OWNER).split(".")[0] not in log


def test_clocks_may_differ_by_a_minute(trusting: Service, provider: IdentityProvider, tenant: str) -> None:
    now = int(time.time())
    for claims in ({"exp": now - 30}, {"nbf": now + 30}, {"iat": now + 30}, {"aud": ["shop", "postroom"]}):
        assert _status(trusting, provider.token(tenant=tenant, sub=OWNER, **claims)) == 200, claims


def test_a_service_that_was_told_of_no_provider_believes_none(
    service: Service, provider: IdentityProvider, tenant: str
) -> None:
    assert _status(service, provider.token(tenant=tenant, sub=OWNER)) == 401


def test_a_stream_ends_with_its_token(
    trusting: Service, provider: IdentityProvider, tenant: str, house: House
) -> None:
    token = provider.token(tenant=tenant, sub=OWNER, exp=int(time.time()) - 57)
    with Client(trusting.url, token) as mail, Client(trusting.url, house.key) as other:
        account = mail.list_accounts()[0].id
        events = mail.events(since=mail.list_changes(since="now").next)
        with pytest.raises(Unauthorized):
            _listen(events, lambda: other.change_account(account, account_name=uuid4().hex))


def _listen(events: Iterator[Any], something: Callable[[], Any]) -> None:
    for _ in range(200):
        something()
        next(events)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("POSTROOM_JWT_ISSUER", ""),
        ("POSTROOM_JWT_AUDIENCE", ""),
        ("POSTROOM_JWT_ALGORITHMS", "ES256,HS256"),
        ("POSTROOM_JWT_ALGORITHMS", "none"),
        ("POSTROOM_JWT_JWKS", "http://login.example.com/jwks.json"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(name: str, value: str) -> None:
    good = {"POSTROOM_JWT_JWKS": "/x", "POSTROOM_JWT_ISSUER": "x", "POSTROOM_JWT_AUDIENCE": "x"}
    assert provider_of(load(good, home=Path("/x")))
    with pytest.raises(SettingError, match=name):
        provider_of(load(good | {name: value}, home=Path("/x")))


def test_the_service_says_so_in_one_sentence_and_does_not_start(store: Store) -> None:
    done = store.cli("serve", "--port", "1", check=False, POSTROOM_JWT_JWKS="/x")
    assert done.returncode == 2, done.stderr
    assert "POSTROOM_JWT_ISSUER" in done.stderr
    assert "Traceback" not in done.stderr


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_new_key_is_asked_for_once_and_a_withdrawn_one_is_forgotten(provider: IdentityProvider) -> None:
    clock, before = Clock(), dict(provider.keys)

    async def story() -> None:
        keys = Keys(reader(provider.address), clock=clock)
        asked = provider.asked
        assert await keys.find("first") is not None
        provider.keys["second"] = ECKey.generate_key("P-256")
        assert await keys.find("second") is None  # asked a moment ago
        clock.now += PAUSE_SECONDS
        found = await asyncio.gather(*(keys.find("second") for _ in range(20)))
        assert all(found)
        for turn in range(50):
            assert await keys.find(f"made up {turn}") is None
        assert provider.asked == asked + 2
        del provider.keys["first"]
        clock.now += FRESH_SECONDS + 1
        assert await keys.find("first") is not None  # answered at once, while the set is looked at again
        assert keys.looking is not None
        await keys.looking
        assert provider.asked == asked + 3
        assert await keys.find("first") is None
        provider.is_down = True
        clock.now += STALE_SECONDS - 1
        assert await keys.find("second") is not None
        clock.now += 2
        with pytest.raises(Problem) as late:
            await keys.find("second")
        assert late.value.status == 503

    try:
        asyncio.run(story())
    finally:
        provider.keys, provider.is_down = before, False


def test_only_keys_that_may_check_signatures_are_taken(provider: IdentityProvider, tmp_path: Path) -> None:
    good = provider.document()["keys"][0]
    rsa = RSAKey.generate_key(2048).as_dict(private=False)
    bad = [
        {"kty": "oct", "kid": "secret", "k": _b64(b"x" * 32)},
        {**good, "kid": "for sealing", "use": "enc"},
        {**good, "kid": "for signing", "key_ops": ["sign"]},
        {"kty": "EC", "kid": "half", "crv": "P-256", "x": good["x"]},
        {**rsa, "kid": "short", "n": _b64(b"\xff" * 128)},
        {"kty": "new", "kid": "unknown"},
        "no key",
    ]
    assert list(keys_in(json.dumps({"keys": [*bad, good]}).encode())) == ["first"]
    for document in (b"", b"[]", b"{}", b'{"keys": 1}', b'{"keys": []}', json.dumps({"keys": bad}).encode()):
        with pytest.raises(ValueError):
            keys_in(document)
    file = tmp_path / "jwks.json"
    file.write_text(json.dumps(provider.document()))

    async def from_file() -> bool:
        return await Keys(reader(str(file))).find(None) is not None  # the only key needs no name

    assert asyncio.run(from_file())
