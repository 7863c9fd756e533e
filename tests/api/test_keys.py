"""Who is asking: keys, what they may do, whose they are, and when they end."""

from __future__ import annotations

import time
from uuid import uuid4

import pytest

from tests.api.conftest import House
from tests.support.service import Service, new_key
from tests.support.site import Store


def _is_problem(response: object, status: int, code: str) -> None:
    found = response.json()  # type: ignore[attr-defined]
    assert (response.status_code, found["code"]) == (status, code), found  # type: ignore[attr-defined]
    assert response.headers["content-type"] == "application/problem+json"  # type: ignore[attr-defined]
    assert found["detail"].endswith((".", ")"))
    assert found["request_id"] == response.headers["x-request-id"]  # type: ignore[attr-defined]


def test_without_a_good_key_nothing_opens(service: Service, house: House) -> None:
    wrong = house.key[:-1] + ("A" if house.key[-1] != "A" else "B")
    for key in (None, "", "nonsense", wrong, "prk_" + "x" * 5000, house.key.upper()):
        response = service.client(key).get("/v1/messages")
        _is_problem(response, 401, "unauthorized")
        assert response.headers["www-authenticate"].startswith("Bearer")
    basic = service.client().get("/v1/messages", headers={"Authorization": f"Basic {house.key}"})
    _is_problem(basic, 401, "unauthorized")


@pytest.mark.parametrize(
    ("scope", "method", "path"),
    [
        ("send", "GET", "/v1/messages"),
        ("read", "POST", "/v1/drafts"),
        ("write", "POST", "/v1/sends"),
        ("read", "GET", "/v1/audit"),
    ],
)
def test_a_key_does_what_its_scopes_say_and_no_more(
    store: Store, service: Service, house: House, scope: str, method: str, path: str
) -> None:
    key = new_key(store, house.name, "--scope", scope)
    body = {"account_id": house.account()} if method == "POST" else None
    _is_problem(service.client(key).request(method, path, json=body), 403, "forbidden")


def test_a_revoked_key_is_over_within_two_seconds(store: Store, service: Service, house: House) -> None:
    made = store.json("key", "create", "-t", house.name)
    client = service.client(made["key"])
    assert client.get("/v1/accounts").status_code == 200
    store.cli("key", "revoke", "-t", house.name, made["prefix"])
    deadline = time.monotonic() + 10
    while client.get("/v1/accounts").status_code == 200:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    _is_problem(client.get("/v1/accounts"), 401, "unauthorized")
    listed = {row["prefix"]: row["state"] for row in store.json("key", "list", "-t", house.name)["items"]}
    assert listed[made["prefix"]] == "revoked"


def test_a_key_that_is_rotated_makes_room_for_another(store: Store, service: Service, house: House) -> None:
    made = store.json("key", "create", "-t", house.name, "--name", "shop")
    other = store.json("key", "rotate", "-t", house.name, made["prefix"], "--grace", "0s")
    time.sleep(0.01)
    assert service.client(made["key"]).get("/v1/accounts").status_code == 401
    assert service.client(other["key"]).get("/v1/accounts").status_code == 200


def test_a_key_that_is_over_is_not_rotated(store: Store) -> None:
    tenant = store.tenant()
    made = store.json("key", "create", "-t", tenant, "--expires", "0s")
    refused = store.cli("key", "rotate", "-t", tenant, made["prefix"], check=False)
    assert (refused.returncode, "Make one: postroom key create." in refused.stderr) == (2, True)


def test_an_expired_key_is_over(store: Store, service: Service, house: House) -> None:
    made = store.json("key", "create", "-t", house.name, "--expires", "1s")
    time.sleep(1.1)
    _is_problem(service.client(made["key"]).get("/v1/accounts"), 401, "unauthorized")


def test_the_database_keeps_nothing_that_opens(store: Store, house: House) -> None:
    with store.connect("postgres") as connection:
        rows = connection.execute(b"select t::text from email_api_keys t").fetchall()
    secret = house.key.rpartition("_")[2]
    assert rows
    assert not any(secret in row[0] for row in rows)


def test_a_key_of_one_user_sees_the_accounts_of_that_user(
    store: Store, service: Service, house: House
) -> None:
    user = str(uuid4())
    key = new_key(store, house.name, "--user", user)
    client = service.client(key)
    assert client.get("/v1/accounts").json() == {"items": []}
    assert client.get("/v1/messages").json()["items"] == []
    store.cli(
        "account", "share", "-t", house.name, "-a", "me@example.com", "--user", user, "--access", "read"
    )
    account = house.account()
    assert [each["id"] for each in client.get("/v1/accounts").json()["items"]] == [account]
    assert client.get("/v1/messages").json()["items"]
    body = {"account_id": account, "to": ["ann@example.com"], "text": "Hello"}
    _is_problem(client.post("/v1/drafts", json=body), 403, "forbidden")
    _is_problem(client.post(f"/v1/accounts/{account}/pause"), 403, "forbidden")
    store.cli(
        "account", "share", "-t", house.name, "-a", "me@example.com", "--user", user, "--access", "write"
    )
    assert client.post("/v1/drafts", json=body).status_code == 201


def test_a_key_of_one_account_sees_that_account(store: Store, service: Service) -> None:
    tenant = store.tenant()
    whole = service.client(new_key(store, tenant))
    for address in ("one@example.com", "two@example.com"):
        assert whole.post("/v1/accounts", json={"email_address": address}).status_code == 201
    client = service.client(new_key(store, tenant, "-a", "one@example.com"))
    assert [each["email_address"] for each in client.get("/v1/accounts").json()["items"]] == [
        "one@example.com"
    ]
    draft = {"account_id": client.get("/v1/accounts").json()["items"][0]["id"], "text": "Hello"}
    made = client.post("/v1/drafts", json=draft)
    assert made.status_code == 201, made.text
    other = next(
        each for each in whole.get("/v1/accounts").json()["items"] if each["email_address"].startswith("two")
    )
    _is_problem(client.get(f"/v1/accounts/{other['id']}"), 404, "not_found")
    _is_problem(client.post("/v1/drafts", json=draft | {"account_id": other["id"]}), 404, "not_found")


def test_the_trail_names_the_key(service: Service, house: House) -> None:
    account = house.account()
    assert house.http.post(f"/v1/accounts/{account}/pause").json()["is_sync_enabled"] is False
    assert house.http.post(f"/v1/accounts/{account}/resume").json()["is_sync_enabled"] is True
    page = house.http.get(
        "/v1/audit", params={"object_type": "account", "object_id": account, "limit": 1}
    ).json()
    assert page["items"][0]["action"] == "account.change"
    assert page["items"][0]["api_key_id"] is not None


def test_a_key_of_the_installation_makes_tenants_and_their_keys_and_reads_no_mail(
    store: Store, service: Service, house: House
) -> None:
    made = store.json("key", "create", "--installation", "--name", "setup")
    client = service.client(made["key"])
    name = f"t{uuid4().hex[:12]}"
    tenant = client.post("/v1/tenants", json={"name": name}).json()
    _is_problem(client.post("/v1/tenants", json={"name": name}), 409, "taken")
    assert name in {each["name"] for each in client.get("/v1/tenants").json()["items"]}
    key = client.post(f"/v1/tenants/{tenant['id']}/keys", json={"name": "first", "scopes": ["read"]}).json()
    assert service.client(key["key"]).get("/v1/accounts").json() == {"items": []}
    _is_problem(client.post(f"/v1/tenants/{uuid4()}/keys", json={"scopes": ["read"]}), 404, "not_found")
    _is_problem(client.get("/v1/messages"), 401, "unauthorized")
    _is_problem(house.http.get("/v1/tenants"), 401, "unauthorized")
    _is_problem(service.client("pra_aaaaaaaa_" + "A" * 43).get("/v1/tenants"), 401, "unauthorized")
    store.cli("key", "revoke", "--installation", made["prefix"])
    _is_problem(client.get("/v1/tenants"), 401, "unauthorized")


def test_a_suspended_tenant_is_shut_out(store: Store, service: Service) -> None:
    tenant = store.tenant()
    client = service.client(new_key(store, tenant))
    store.cli("tenant", "suspend", tenant)
    _is_problem(client.get("/v1/accounts"), 403, "tenant_suspended")
    store.cli("tenant", "resume", tenant)
    assert client.get("/v1/accounts").status_code == 200
