"""Standing searches over the API: made, asked of what comes in, told by changes and by a webhook, and nobody else's."""

from __future__ import annotations

import mailbox
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.api.conftest import House
from tests.support.receiver import receiver
from tests.support.service import Service, new_key, running_service
from tests.support.site import Store
from tests.support.workers import until, worker

_INSIDE = {"POSTROOM_WEBHOOK_NETWORKS": "127.0.0.0/8"}


def _bring(store: Store, tenant: str, folder: Path, *subjects: str) -> None:
    """So many messages by import."""
    folder.mkdir()
    box = mailbox.mbox(folder / "INBOX.mbox")
    for subject in subjects:
        message = EmailMessage()
        message["From"], message["Subject"] = "ann@example.com", subject
        message.set_content(f"About {subject}.")
        box.add(message)
    box.close()
    store.cli("import", "-t", tenant, "-a", "me@example.com", str(folder / "INBOX.mbox"))


def _matched(client: httpx.Client, search_id: str) -> list[str]:
    """Every message that it matched, in small pages."""
    found, cursor = [], None
    while True:
        parameters = {"limit": 1} | ({"cursor": cursor} if cursor else {})
        page = client.get(f"/v1/searches/{search_id}/matches", params=parameters).json()
        found += [each["message_id"] for each in page["items"]]
        cursor = page["next"]
        if cursor is None:
            return found


def test_what_comes_in_matches_and_is_told_once(store: Store, tmp_path: Path) -> None:
    tenant = store.tenant()
    with (
        running_service(store, tmp_path, **_INSIDE) as service,
        receiver() as there,
        worker(store, "--no-push", **_INSIDE),
    ):
        http = service.client(new_key(store, tenant))
        _bring(store, tenant, tmp_path / "before", "An early invoice")
        made = http.post("/v1/searches", json={"name": "invoices", "query": "subject:invoice"})
        assert made.status_code == 201
        search_id = made.json()["id"]
        hook = {"url": there.url, "search_id": search_id}
        assert http.post("/v1/webhooks", json=hook).status_code == 201
        begun = http.get("/v1/changes", params={"since": "now"}).json()["next"]
        _bring(store, tenant, tmp_path / "after", "Your invoice", "Lunch", "Another invoice")
        plain = http.get("/v1/search", params={"q": "subject:invoice -early"}).json()["items"]
        assert sorted(_matched(http, search_id)) == sorted(each["id"] for each in plain)
        said = http.get("/v1/changes", params={"since": begun}).json()["items"]
        told = [one for each in said for one in each.get("matches", [])]
        assert {(each["search_id"], each["message_id"]) for each in told} == {
            (search_id, each["id"]) for each in plain
        }
        assert len(told) == 2
        until(lambda: there.calls)
        data: dict[str, Any] = there.calls[0].said["data"]
        assert there.calls[0].said["type"] == "match.created"
        assert data["matches"] == told
        _bring(store, tenant, tmp_path / "again", "Your invoice", "Last invoice")
        until(lambda: len(there.calls) == 2)
        assert len(_matched(http, search_id)) == 3
        removed = http.delete(f"/v1/searches/{search_id}")
        assert removed.status_code == 204
        late = http.get("/v1/changes", params={"since": begun}).json()["items"]
        assert [each for each in late if each["object_type"] == "match"] == []


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"query": "("}, "query"),
        ({"query": "invoice", "timezone": "Nowhere/At_all"}, "timezone"),
        ({"query": "x" * 2001}, "query"),
    ],
)
def test_what_cannot_be_asked_is_refused(house: House, wrong: dict[str, str], field: str) -> None:
    response = house.http.post("/v1/searches", json={"name": "x", **wrong})
    assert (response.status_code, response.json()["field"]) == (400, field)


def test_a_standing_search_is_its_tenants_and_its_users_own(
    store: Store, service: Service, house: House, neighbour: House
) -> None:
    made = house.http.post("/v1/searches", json={"name": "all", "query": "has:attachment"}).json()
    path = f"/v1/searches/{made['id']}"
    scopes = ("--scope", "read", "--scope", "write")
    user = service.client(new_key(store, house.name, *scopes, "--user", "0" * 31 + "1"))
    for client in (neighbour.http, user):
        for response in (
            client.get(path),
            client.patch(path, json={"name": "mine"}),
            client.get(f"{path}/matches"),
            client.delete(path),
            client.post("/v1/searches", json={"name": "x", "query": "y", "account_id": house.account()}),
        ):
            assert response.status_code == 404, response.text
    mine = user.post("/v1/searches", json={"name": "mine", "query": "x"})
    assert mine.json()["user_id"] == "00000000-0000-0000-0000-000000000001"
    assert [each["name"] for each in user.get("/v1/searches").json()["items"]] == ["mine"]
    assert user.delete(f"/v1/searches/{mine.json()['id']}").status_code == 204
    changed = house.http.patch(path, json={"query": "is:unread", "account_id": house.account()})
    assert (changed.json()["query"], changed.json()["account_id"]) == ("is:unread", house.account())
    assert house.http.delete(path).status_code == 204
