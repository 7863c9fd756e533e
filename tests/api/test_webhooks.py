"""Webhooks over the API: made, changed, tested, listed and told again; and what a worker tells while it is being killed."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from tests.api.conftest import House
from tests.support.receiver import Receiver, receiver
from tests.support.service import Service, new_key, running_service
from tests.support.site import Store
from tests.support.workers import until, worker

KILLS = int(os.environ.get("POSTROOM_TEST_KILLS", "4"))
_INSIDE = {
    "POSTROOM_WEBHOOK_NETWORKS": "127.0.0.0/8",
    "POSTROOM_WEBHOOK_TIMEOUT_SECONDS": "1",
    "POSTROOM_LEASE_SECONDS": "1",
}
Feed = set[tuple[str, int, str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Office:
    """A tenant with an account, a key that may do everything, and a service that may call 127.0.0.1."""

    name: str
    http: httpx.Client
    account: str


@pytest.fixture(scope="module")
def inside(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running_service(store, tmp_path_factory.mktemp("inside"), **_INSIDE) as found:
        yield found


@pytest.fixture
def there() -> Iterator[Receiver]:
    with receiver() as found:
        yield found


@pytest.fixture
def office(store: Store, inside: Service) -> Office:
    tenant = store.tenant()
    http = inside.client(new_key(store, tenant))
    made = http.post("/v1/accounts", json={"email_address": "me@example.com"})
    return Office(name=tenant, http=http, account=made.json()["id"])


def _change(office: Office, times: int = 1) -> None:
    for _ in range(times):
        for verb in ("pause", "resume"):
            assert office.http.post(f"/v1/accounts/{office.account}/{verb}").status_code == 200


def _feed(office: Office) -> Feed:
    found, since = set(), None
    while True:
        page = office.http.get("/v1/changes", params={"since": since} if since else {}).json()
        found |= {
            (each["account_id"], each["modseq"], each["kind"], each["object_type"]) for each in page["items"]
        }
        since = page["next"]
        if not page["has_more"]:
            return found


def _heard(there: Receiver) -> Feed:
    said = [each.said["data"] for each in there.calls if each.said["type"] != "test"]
    return {(each["account_id"], each["modseq"], each["kind"], each["object_type"]) for each in said}


def _later(store: Store, office: Office) -> bool:
    """As if time had gone by: whatever waits is due."""
    whose = "where tenant_id = (select tenant_id from email_tenants where name = %s)"
    with store.connect("postgres") as connection:
        connection.execute(f"update email_webhooks set due_at = 0 {whose}".encode(), [office.name])
        connection.execute(
            f"update email_webhook_deliveries set not_before = 0 {whose}".encode(), [office.name]
        )
    return True


def _made(office: Office, url: str, **more: Any) -> dict[str, Any]:
    response = office.http.post("/v1/webhooks", json={"url": url, **more})
    assert response.status_code == 201, response.text
    return response.json()


def test_a_webhook_is_made_changed_and_removed(office: Office) -> None:
    made = _made(office, "https://app.example.com/hook", description="tickets", events=["message.created"])
    assert made["secret"].startswith("whsec_")
    path = f"/v1/webhooks/{made['id']}"
    listed = office.http.get("/v1/webhooks").json()["items"]
    assert [each["id"] for each in listed] == [made["id"]]
    assert "secret" not in listed[0]
    assert (listed[0]["state"], listed[0]["events"]) == ("ok", ["message.created"])
    changed = office.http.patch(path, json={"events": [], "is_enabled": False, "account_id": office.account})
    assert changed.status_code == 200
    assert (changed.json()["state"], changed.json()["events"]) == ("off", [])
    assert office.http.post(f"{path}/test").json()["code"] == "not_enabled"
    assert office.http.patch(path, json={"is_enabled": True, "account_id": None}).json()["account_id"] is None
    fresh = office.http.post(f"{path}/rotate", json={"overlap_seconds": 60}).json()
    assert fresh["secret"] != made["secret"]
    actions = [each["action"] for each in office.http.get("/v1/audit").json()["items"]]
    assert actions[:2] == ["webhook.rotate", "webhook.enable"]
    assert "tickets" not in office.http.get("/v1/audit").text
    assert office.http.delete(path).status_code == 204
    assert office.http.get(path).status_code == 404


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://example.com/", "Use https"),
        ("https://169.254.169.254/latest/meta-data/", "not a public one"),
        ("https://[::1]/", "not a public one"),
        ("https://10.0.0.7:8443/", "not a public one"),
        ("https://user:secret@example.com/", "user name"),
        ("https://example.com/\r\nX: y", "without blanks"),
        ("ftp://example.com/", "no address to call"),
        ("https://bücher.example/", "ASCII"),
        ("https://example.com:99999/", "no URL"),
        ("nonsense", "no address to call"),
    ],
)
def test_an_address_that_may_not_be_called_is_refused(house: House, url: str, said: str) -> None:
    response = house.http.post("/v1/webhooks", json={"url": url})
    assert (response.status_code, response.json()["field"]) == (400, "url")
    assert said in response.json()["detail"]


def test_a_webhook_is_its_tenants_and_its_users_own(
    store: Store, inside: Service, office: Office, neighbour: House
) -> None:
    made = _made(office, "https://app.example.com/hook")
    user = store.json("key", "create", "-t", office.name, "--scope", "admin", "--user", "0" * 31 + "1")["key"]
    reader = store.json("key", "create", "-t", office.name, "--scope", "read")["key"]
    for client, status in ((neighbour.http, 404), (inside.client(user), 404), (inside.client(reader), 403)):
        path = f"/v1/webhooks/{made['id']}"
        for response in (
            client.get(path),
            client.patch(path, json={"url": "https://evil.example/"}),
            client.delete(path),
            client.post(f"{path}/rotate", json={}),
            client.post(f"{path}/test"),
            client.post(f"{path}/replay", json={"what": "feed"}),
            client.get(f"{path}/deliveries"),
        ):
            assert response.status_code == status, response.text
    assert inside.client(user).get("/v1/webhooks").json()["items"] == []
    mine = inside.client(user).post("/v1/webhooks", json={"url": "https://app.example.com/mine"})
    assert mine.status_code == 201
    assert inside.client(user).post(f"/v1/webhooks/{mine.json()['id']}/rotate", json={}).status_code == 200
    assert inside.client(user).delete(f"/v1/webhooks/{mine.json()['id']}").status_code == 204
    for strange in ({"account_id": neighbour.account()}, {"folder_id": office.account}):
        response = office.http.post("/v1/webhooks", json={"url": "https://app.example.com/", **strange})
        assert response.status_code == 404


def test_a_worker_tells_what_happens_and_tells_it_again_when_asked(
    store: Store, office: Office, there: Receiver
) -> None:
    made = _made(office, there.url)
    path = f"/v1/webhooks/{made['id']}"
    begun = office.http.get("/v1/changes", params={"since": "now"}).json()["next"]
    with worker(store, "--no-push", **_INSIDE):
        test = office.http.post(f"{path}/test").json()["id"]
        until(lambda: test in there.ids())
        _change(office, 3)
        until(lambda: len(there.ids()) == 7)
        assert all(each.is_signed(made["secret"]) for each in there.calls)
        until(lambda: office.http.get(path).json()["pending"] == 0)
        row = office.http.get(path).json()
        assert (row["state"], row["dead"], row["last_error"]) == ("ok", 0, None)
        before = [each.id for each in there.calls[1:]]
        assert office.http.post(f"{path}/replay", json={"what": "feed", "since": begun}).status_code == 202
        until(lambda: len(there.calls) == 13)
        assert [each.id for each in there.calls[7:]] == before
        there.always = "500"
        _change(office)
        until(lambda: len(there.attempts) > 13)
        waiting = until(lambda: office.http.get(f"{path}/deliveries?state=pending").json()["items"])
        until(lambda: office.http.get(path).json()["state"] == "failing")
        assert waiting[0]["body"]["type"] == "account.updated"
        assert office.http.post(f"{path}/test").status_code == 202
        (dead,) = until(lambda: office.http.get(f"{path}/deliveries").json()["items"])
        assert (dead["event"], dead["last_error"]) == ("test", "the receiver answered 500")
        there.always = None
        assert office.http.post(f"{path}/replay", json={"what": "dead"}).json()["renewed"] == 1
        until(lambda: dead["id"] in there.ids())


def test_webhooks_at_the_command_line(store: Store, office: Office) -> None:
    made = store.json(
        "webhook", "add", "-t", office.name, "https://app.example.com/hook", "-e", "folder.created"
    )
    assert made["secret"].startswith("whsec_")
    short = made["id"][:18]
    for command, state in (
        ("test", "to be tried"),
        ("disable", "off"),
        ("enable", "enabled"),
        ("replay", "told once more"),
    ):
        assert store.json("webhook", command, "-t", office.name, short)["state"] == state
    assert store.json("webhook", "rotate", "-t", office.name, short)["secret"] != made["secret"]
    (listed,) = store.json("webhook", "list", "-t", office.name)["items"]
    assert (listed["state"], listed["pending"], listed["events"]) == ("ok", 1, ["folder.created"])
    assert "app.example.com" in store.cli("webhook", "list", "-t", office.name).stdout
    refused = store.cli("webhook", "add", "-t", office.name, "https://10.0.0.1/", check=False)
    assert (refused.returncode, "not a public one" in refused.stderr) == (2, True)
    with store.connect("postgres") as connection:
        statement = (
            "update email_webhooks set is_enabled = false, disabled_reason = 'it failed' where id = %s"
        )
        connection.execute(statement.encode(), [made["id"]])
    troubles = [each for each in store.json("status")["webhooks"] if each["tenant"] == office.name]
    assert [(each["state"], each["error"]) for each in troubles] == [("disabled", "it failed")]
    assert f"of {office.name} is disabled" in " ".join(store.cli("status").stdout.split())
    store.cli("webhook", "remove", "-t", office.name, short)
    assert store.json("webhook", "list", "-t", office.name)["items"] == []


def test_a_worker_that_is_killed_at_any_moment_loses_nothing(
    store: Store, office: Office, there: Receiver
) -> None:
    """The union of what arrived is the feed, and each change has one id."""
    made = _made(office, there.url)
    office.http.post(f"/v1/webhooks/{made['id']}/replay", json={"what": "feed"})
    chance = random.Random(20261124)
    for _ in range(KILLS):
        with worker(store, "--no-push", **_INSIDE) as running:
            there.faults += chance.choices(["", "500", "drop", "late 0.2", "slow 0.1"], k=6)
            heard = len(there.attempts)
            _change(office, 4)
            until(lambda: _later(store, office) and len(there.attempts) > heard)  # noqa: B023
            time.sleep(chance.uniform(0, 0.5))
            running.kill()
    there.faults.clear()
    with worker(store, "--no-push", **_INSIDE):
        until(lambda: _later(store, office) and _heard(there) == _feed(office))
    places: dict[str, set[tuple[Any, ...]]] = {}
    for each in there.attempts:
        data = each.said["data"]
        places.setdefault(each.id, set()).add((data["modseq"], data["kind"], data["object_type"]))
    assert all(len(found) == 1 for found in places.values())
    assert len(places) == len(_feed(office))


def test_networks_that_are_none_are_said_when_the_service_and_the_worker_start(store: Store) -> None:
    for command in ("serve", "worker"):
        done = store.cli(command, check=False, POSTROOM_WEBHOOK_NETWORKS="the office")
        assert done.returncode == 2
        assert "POSTROOM_WEBHOOK_NETWORKS is 'the office'" in done.stderr
