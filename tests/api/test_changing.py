"""Flags, moves, copies, deletions and folders: done here at once, seen in the feed, told to no one but the trail."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from tests.api.conftest import House
from tests.support.service import Service, new_key
from tests.support.site import Store


@pytest.fixture
def message(house: House) -> dict[str, Any]:
    folders = _folders(house)
    page = house.http.get("/v1/messages", params={"folder_id": folders["INBOX"]["id"], "limit": 1}).json()
    return page["items"][0]


@pytest.fixture(autouse=True)
def _counted(store: Store, house: House) -> Iterator[None]:
    """Whatever was done, the counters of the folders are what lies in them."""
    yield
    for each in _folders(house).values():
        total = 0
        with store.connect("postgres") as connection:
            row = connection.execute(
                b"select count(*) from email_placements where folder_id = %s and vanished_at is null and not is_hidden",
                [each["id"]],
            ).fetchone()
            assert row
            total = row[0]
        assert each["total_count"] == total, each["name"]


def _folders(house: House) -> dict[str, dict[str, Any]]:
    found = house.http.get(f"/v1/accounts/{house.account()}/folders").json()["items"]
    return {each["name"]: each for each in found}


def test_a_flag_is_set_and_taken_away(house: House, message: dict[str, Any]) -> None:
    path = f"/v1/messages/{message['id']}"
    since = house.http.get("/v1/changes", params={"since": "now"}).json()["next"]
    flip = not message["is_flagged"]
    done = house.http.patch(path, json={"is_flagged": flip, "add_keywords": ["todo"]})
    assert done.status_code == 200, done.text
    assert (done.json()["is_flagged"], done.json()["is_changed"]) == (flip, True)
    now = house.http.get(path)
    assert now.headers["etag"] == done.headers["etag"]
    assert all("todo" in each["keywords"] for each in now.json()["folders"])
    changed = house.http.get("/v1/changes", params={"since": since}).json()["items"]
    assert [(each["kind"], each["ids"]) for each in changed] == [("updated", [message["id"]])]
    again = house.http.patch(path, json={"is_flagged": flip}).json()
    assert again["is_changed"] is False
    house.http.patch(path, json={"is_flagged": not flip, "remove_keywords": ["todo"]})


def test_whoever_saw_an_older_message_is_told(house: House, message: dict[str, Any]) -> None:
    path = f"/v1/messages/{message['id']}"
    old = house.http.get(path).headers["etag"]
    house.http.patch(path, json={"is_answered": True}, headers={"If-Match": old})
    late = house.http.patch(path, json={"is_answered": False}, headers={"If-Match": old})
    assert (late.status_code, late.json()["code"]) == (412, "changed")
    assert house.http.patch(
        path, json={"is_answered": False}, headers={"If-Match": late.headers["etag"]}
    ).is_success


def test_a_message_is_moved_copied_deleted_and_restored(house: House, message: dict[str, Any]) -> None:
    path, folders = f"/v1/messages/{message['id']}", _folders(house)
    archive, inbox = folders["Archive"]["id"], folders["INBOX"]["id"]

    def lies() -> set[str]:
        return {each["id"] for each in house.http.get(path).json()["folders"]}

    assert house.http.post(f"{path}/move", json={"folder_id": archive}).json()["folder_id"] == archive
    assert lies() == {archive}
    assert house.http.post(f"{path}/copy", json={"folder_id": inbox}).status_code == 200
    assert lies() == {archive, inbox}
    assert house.http.delete(path).json()["is_deleted"] is True
    listed = house.http.get("/v1/messages", params={"limit": 200}).json()["items"]
    assert message["id"] not in [each["id"] for each in listed]
    assert house.http.get(path).json()["is_deleted"] is True
    assert house.http.post(f"{path}/restore").json()["is_deleted"] is False
    assert lies() == {archive, inbox}
    house.http.post(f"{path}/move", json={"folder_id": inbox, "from_folder_id": archive})


def test_a_batch_is_done_as_a_whole(house: House) -> None:
    inbox = _folders(house)["INBOX"]["id"]
    page = house.http.get("/v1/messages", params={"folder_id": inbox, "limit": 20}).json()["items"]
    ids, nobody = [each["id"] for each in page], str(uuid4())
    marked = house.http.post(
        "/v1/messages/batch", json={"action": "mark", "ids": [*ids, nobody], "is_flagged": True}
    )
    assert marked.status_code == 200, marked.text
    assert set(marked.json()["changed"]) == {each["id"] for each in page if not each["is_flagged"]}
    assert marked.json()["not_found"] == [nobody]
    gone = house.http.post("/v1/messages/batch", json={"action": "delete", "ids": ids}).json()
    assert set(gone["changed"]) == set(ids)
    back = house.http.post("/v1/messages/batch", json={"action": "restore", "ids": ids}).json()
    assert set(back["changed"]) == set(ids)
    wrong = house.http.post("/v1/messages/batch", json={"action": "move", "ids": ids})
    assert (wrong.status_code, wrong.json()["field"]) == (400, "folder_id")
    many = house.http.post(
        "/v1/messages/batch", json={"action": "delete", "ids": [str(uuid4()) for _ in range(1001)]}
    )
    assert (many.status_code, many.json()["field"]) == (400, "ids")


def test_what_no_server_could_keep_is_refused(house: House, message: dict[str, Any]) -> None:
    path = f"/v1/messages/{message['id']}"
    for body in (
        {},
        {"add_keywords": ["two words"]},
        {"add_keywords": ["\\Deleted"]},
        {"add_keywords": ["a"], "remove_keywords": ["a"]},
        {"is_read": "maybe"},
        {"colour": "red"},
    ):
        assert house.http.patch(path, json=body).status_code == 400, body
    assert house.http.post(f"{path}/move", json={"folder_id": str(uuid4())}).status_code == 404


def test_a_folder_is_made_renamed_and_deleted(house: House) -> None:
    name = f"Projects {uuid4().hex[:6]}"
    made = house.http.post(f"/v1/accounts/{house.account()}/folders", json={"name": name})
    assert made.status_code == 201, made.text
    path = made.headers["location"]
    assert house.http.post(f"/v1/accounts/{house.account()}/folders", json={"name": name}).status_code == 400
    assert house.http.patch(path, json={"name": f"{name}!"}).json()["name"] == f"{name}!"
    assert house.http.delete(path).status_code == 204
    assert house.http.get(path).status_code == 404
    inbox = _folders(house)["INBOX"]["id"]
    assert house.http.delete(f"/v1/folders/{inbox}").status_code == 400


def test_a_user_who_may_read_changes_nothing(
    store: Store, service: Service, house: House, message: dict[str, Any]
) -> None:
    user = str(uuid4())
    store.cli(
        "account", "share", "-t", house.name, "-a", "me@example.com", "--user", user, "--access", "read"
    )
    client = service.client(new_key(store, house.name, "--user", user))
    path = f"/v1/messages/{message['id']}"
    assert client.get(path).status_code == 200
    for answer in (
        client.patch(path, json={"is_read": True}),
        client.delete(path),
        client.post(f"{path}/move", json={"folder_id": message["folder_id"]}),
        client.post("/v1/messages/batch", json={"action": "delete", "ids": [message["id"]]}),
        client.post(f"/v1/accounts/{house.account()}/folders", json={"name": "Mine"}),
        client.delete(f"/v1/folders/{message['folder_id']}"),
    ):
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    store.cli(
        "account", "share", "-t", house.name, "-a", "me@example.com", "--user", user, "--access", "write"
    )
    client.patch(path, json={"is_read": not message["is_read"]})
    done = client.patch(path, json={"is_read": message["is_read"]})
    assert done.status_code == 200, done.text
    moved = client.post(f"{path}/move", json={"folder_id": _folders(house)["Archive"]["id"]})
    assert moved.status_code == 200, moved.text
    assert client.post(f"{path}/move", json={"folder_id": message["folder_id"]}).status_code == 200
    assert client.delete(path).status_code == 200
    assert client.post(f"{path}/restore").status_code == 200


def test_an_account_is_made_paused_and_due_at_once(store: Store, service: Service) -> None:
    client = service.client(new_key(store, store.tenant()))
    body = {"email_address": "Me@Example.com", "hostname": "127.0.0.1", "port": 1, "password": "secret word"}
    made = client.post("/v1/accounts", json=body)
    assert made.status_code == 201, made.text
    assert made.json()["email_address"] == "me@example.com"
    assert "secret word" not in made.text
    assert client.post("/v1/accounts", json=body).json()["code"] == "taken"
    path = made.headers["location"]
    assert client.get(f"{path}/health").json()["state"] == "never"
    due = b"select due_at from email_sync_jobs where account_id = %s"
    assert client.post(f"{path}/sync").status_code == 202
    with store.connect("postgres") as connection:
        assert connection.execute(due, [made.json()["id"]]).fetchall() == [(0,)]
    changed = client.patch(
        path,
        json={"sync_interval_seconds": 60, "account_name": "Work"},
        headers={"If-Match": made.headers["etag"]},
    )
    assert (changed.json()["sync_interval_seconds"], changed.json()["account_name"]) == (60, "Work")
    late = client.patch(path, json={"account_name": "Play"}, headers={"If-Match": made.headers["etag"]})
    assert (late.status_code, late.headers["etag"]) == (412, changed.headers["etag"])
    assert client.post(f"{path}/pause").json()["is_sync_enabled"] is False
    assert client.get(f"{path}/health").json()["state"] == "paused"
    assert client.post(f"{path}/sync").json()["code"] == "not_followed"
    for wrong in (
        {"email_address": "nobody"},
        {"email_address": "a@b.example", "hostname": "x"},
        {"email_address": "a@b.example", "port": 1},
    ):
        assert client.post("/v1/accounts", json=wrong).status_code == 400, wrong


def test_an_address_that_somebody_else_has_is_taken(store: Store, service: Service) -> None:
    tenant = store.tenant()
    of_all = service.client(new_key(store, tenant))
    assert of_all.post("/v1/accounts", json={"email_address": "me@example.com"}).status_code == 201
    one_user = service.client(new_key(store, tenant, "--user", str(uuid4())))
    assert one_user.get("/v1/accounts").json()["items"] == []
    refused = one_user.post("/v1/accounts", json={"email_address": "me@example.com"})
    assert (refused.status_code, refused.json()["code"]) == (409, "taken")
    made = one_user.post("/v1/accounts", json={"email_address": "you@example.com"})
    assert made.status_code == 201, made.text
