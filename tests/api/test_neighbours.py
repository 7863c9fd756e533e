"""Ids of another tenant, in every position: they are answered as ids that nobody has."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import httpx

from tests.api.conftest import House
from tests.support.service import Service


def _ids(house: House) -> dict[str, str]:
    """One of each thing that a tenant has."""
    account = house.account()
    folder = house.http.get(f"/v1/accounts/{account}/folders").json()["items"][0]["id"]
    message = house.http.get("/v1/search", params={"q": "has:attachment"}).json()["items"][0]
    attachment = house.http.get(f"/v1/messages/{message['id']}").json()["attachments"][0]["id"]
    draft = house.http.post("/v1/drafts", json={"account_id": account, "subject": "zebra"}).json()["id"]
    key = house.http.get("/v1/audit", params={"limit": 1}).json()["items"][0]["api_key_id"]
    search = house.http.post("/v1/searches", json={"name": "zebra", "query": "zebra"}).json()["id"]
    hook = {"url": "https://zebra.example/"}
    return {
        "search_id": search,
        "webhook_id": house.http.post("/v1/webhooks", json=hook).json()["id"],
        "account_id": account,
        "folder_id": folder,
        "message_id": message["id"],
        "thread_id": message["thread_id"],
        "attachment_id": attachment,
        "draft_id": draft,
        "send_id": str(uuid4()),
        "object_id": account,
        "tenant_id": str(uuid4()) if key is None else key,
    }


def _bodies(ids: dict[str, str], own_account: str) -> dict[str, list[dict[str, Any]]]:
    """What is sent to each operation that takes a body, with the ids wherever one can stand."""
    hook = {"url": "https://app.example.com/"}
    letter = {"account_id": own_account, "to": ["ann@example.com"], "text": "x"}
    return {
        "/v1/drafts": [
            {"account_id": ids["account_id"]},
            letter | {"reply_to_message_id": ids["message_id"]},
            letter | {"forward_message_id": ids["message_id"]},
            letter | {"attachments": [{"attachment_id": ids["attachment_id"]}]},
        ],
        "/v1/sends": [
            letter | {"account_id": ids["account_id"]},
            letter | {"reply_to_message_id": ids["message_id"]},
            letter | {"attachments": [{"attachment_id": ids["attachment_id"]}]},
        ],
        "/v1/drafts/{draft_id}": [{"subject": "taken over"}],
        "/v1/accounts/{account_id}": [{"account_name": "taken over"}],
        "/v1/searches": [{"name": "x", "query": "x", "account_id": ids["account_id"]}],
        "/v1/searches/{search_id}": [{"name": "taken over"}],
        "/v1/accounts/{account_id}/sender": [{"hostname": "smtp.example.com", "sign_in": "none"}],
        "/v1/webhooks": [hook | {name: ids[name]} for name in ("account_id", "folder_id", "search_id")],
        "/v1/webhooks/{webhook_id}": [{"url": "https://evil.example/"}],
        "/v1/webhooks/{webhook_id}/replay": [{"what": "feed"}],
    }


def _said(response: httpx.Response, ids: dict[str, str], nobody: dict[str, str]) -> tuple[int, str]:
    """The answer with the other tenant's ids replaced, so that both can be compared."""
    text = response.text.replace(str(response.headers.get("x-request-id")), "-")
    for name, value in ids.items():
        text = text.replace(value, nobody[name])
    return response.status_code, text


def test_an_id_of_another_tenant_is_answered_like_one_of_nobody(
    service: Service, house: House, neighbour: House
) -> None:
    theirs = _ids(neighbour)
    nobody = {name: str(uuid4()) for name in theirs}
    own = house.account()
    document = service.client().get("/openapi.json").json()
    asked = 0
    for path, operations in document["paths"].items():
        if path.startswith("/v1/tenants") or path == "/v1/events":
            continue
        for method, operation in operations.items():
            named = {each["name"] for each in operation.get("parameters", []) if each["name"] in theirs}
            queries = {each["name"] for each in operation.get("parameters", []) if each["in"] == "query"}
            more = {"is": "unread"} if "is" in queries else {}
            more |= {"object_type": "account"} if "object_type" in queries else {}
            for count in range(max(1, len(_bodies(theirs, own).get(path, [])))):
                answers = []
                for ids in (theirs, nobody):
                    body = _bodies(ids, own).get(path, [None])[count] if method != "get" else None
                    if body is None and method in ("post", "put", "patch") and "requestBody" in operation:
                        body = {}
                    if not named and body is None:
                        continue
                    query = {name: ids[name] for name in named & queries}
                    if "folder_id" in query:
                        query = {"folder_id": query["folder_id"]}
                    else:
                        query |= more
                    answers.append(
                        _said(
                            house.http.request(method, path.format(**ids), params=query, json=body),
                            theirs,
                            nobody,
                        )
                    )
                if answers:
                    asked += 1
                    assert answers[0] == answers[1], f"{method} {path}"
                    assert "zebra" not in answers[0][1]
    assert asked > 20
    kept = neighbour.http.get(f"/v1/drafts/{theirs['draft_id']}").json()
    assert kept["subject"] == "zebra"


def test_no_list_or_search_shows_another_tenants_mail(house: House, neighbour: House) -> None:
    def ids(of: House) -> set[str]:
        listed = of.http.get("/v1/messages", params={"limit": 200}).json()["items"]
        found = of.http.get("/v1/search", params={"limit": 200}).json()["items"]
        changed = [i for each in of.http.get("/v1/changes").json()["items"] for i in each["ids"]]
        return {each["id"] for each in [*listed, *found]} | set(changed)

    mine, theirs = ids(house), ids(neighbour)
    assert mine
    assert theirs
    assert not mine & theirs
