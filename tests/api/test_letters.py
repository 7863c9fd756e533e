"""Drafts and sends: what is written is kept, and goes into the outbox once."""

from __future__ import annotations

import base64
from uuid import uuid4

import httpx
import pytest

from tests.api.conftest import House
from tests.support.site import Store


@pytest.fixture(scope="module")
def account(store: Store, house: House) -> str:
    """The house's account, with a server to send by. Nobody sends: no worker runs."""
    store.cli(
        *(
            "account",
            "smtp",
            "-t",
            house.name,
            "-a",
            "me@example.com",
            "--host",
            "127.0.0.1",
            "--port",
            "2525",
        ),
        *("--encryption", "none", "--no-sign-in"),
    )
    return house.account()


def _etag(response: httpx.Response) -> dict[str, str]:
    return {"If-Match": response.headers["etag"]}


def test_a_draft_is_written_changed_and_deleted(house: House, account: str) -> None:
    pdf = base64.b64encode(b"%PDF-1.7").decode()
    body = {
        "account_id": account,
        "to": ["Ann Example <ann@example.com>", "bob@example.com"],
        "bcc": ["boss@example.com"],
        "subject": "The plan ☂",
        "text": "Hello\nAnn",
        "attachments": [{"filename": "plan.pdf", "mime_type": "application/pdf", "content": pdf}],
    }
    made = house.http.post("/v1/drafts", json=body)
    assert made.status_code == 201, made.text
    draft = made.json()
    assert draft["to"] == body["to"]
    assert draft["bcc"] == body["bcc"]
    assert draft["attachments"][0]["filename"] == "plan.pdf"
    path = made.headers["location"]
    assert house.http.get(path).json() == draft
    assert draft["id"] in [
        each["id"] for each in house.http.get("/v1/drafts", params={"account_id": account}).json()["items"]
    ]
    changed = house.http.patch(
        path, json={"text": "Hello again", "cc": ["c@example.com"]}, headers=_etag(made)
    )
    assert changed.status_code == 200, changed.text
    assert (changed.json()["text"].rstrip(), changed.json()["to"]) == ("Hello again", body["to"])
    late = house.http.patch(path, json={"text": "Too late"}, headers=_etag(made))
    assert (late.status_code, late.json()["code"]) == (412, "changed")
    assert house.http.patch(path, json={"to": [], "attachments": []}).json()["to"] == []
    assert house.http.delete(path, headers=_etag(made)).status_code == 412
    assert house.http.delete(path).status_code == 204
    assert house.http.get(path).status_code == 404


def test_an_answer_and_a_forward_follow_from_their_message(house: House, account: str) -> None:
    original = house.http.get("/v1/search", params={"q": "from:alice", "limit": 1}).json()["items"][0]
    message = house.http.get(f"/v1/messages/{original['id']}").json()
    answer = house.http.post(
        "/v1/drafts", json={"account_id": account, "text": "Thanks", "reply_to_message_id": original["id"]}
    ).json()
    assert answer["in_reply_to"] == message["message_id"]
    assert answer["subject"].startswith("Re: ")
    assert message["authors"][0]["address"] in answer["to"][0]
    forward = house.http.post(
        "/v1/drafts", json={"account_id": account, "text": "See", "forward_message_id": original["id"]}
    ).json()
    assert forward["subject"].startswith("Fwd: ")
    both = house.http.post(
        "/v1/drafts",
        json={
            "account_id": account,
            "reply_to_message_id": original["id"],
            "forward_message_id": original["id"],
        },
    )
    assert both.status_code == 400


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("to", ["ann@example.com\r\nBcc: all@example.com"]),
        ("to", ["not an address"]),
        ("cc", ["a@b@c"]),
        ("to", ["ann@example.com\x00"]),
    ],
)
def test_what_is_no_address_is_refused_by_the_name_of_its_field(
    house: House, account: str, field: str, value: list[str]
) -> None:
    response = house.http.post("/v1/drafts", json={"account_id": account, field: value})
    assert response.status_code == 400, response.text
    assert response.json()["field"].startswith(field)


def test_a_line_break_in_a_subject_makes_no_field(house: House, account: str) -> None:
    body = {"account_id": account, "to": ["ann@example.com"], "subject": "x\r\nBcc: all@example.com"}
    draft = house.http.post("/v1/drafts", json=body).json()
    assert draft["bcc"] == []


def test_the_same_key_twice_sends_one_letter(house: House, account: str) -> None:
    body = {"account_id": account, "to": ["ann@example.com"], "subject": "Once", "text": "x"}
    headers = {"Idempotency-Key": uuid4().hex}
    first = house.http.post("/v1/sends", json=body, headers=headers)
    again = house.http.post("/v1/sends", json=body, headers=headers)
    assert (first.status_code, again.status_code) == (202, 200), first.text
    assert first.json() == again.json()
    assert first.json()["state"] == "pending"
    assert house.http.get(first.headers["location"]).json()["recipients"][0]["address"] == "ann@example.com"
    assert house.http.post("/v1/sends", json=body).json()["id"] != first.json()["id"]
    listed = house.http.get("/v1/sends", params={"account_id": account, "limit": 1}).json()
    assert listed["items"][0]["recipients"] == ["ann@example.com"]
    assert listed["next"]


def test_what_waits_can_be_taken_back_and_is_a_draft_again(house: House, account: str) -> None:
    draft = house.http.post(
        "/v1/drafts", json={"account_id": account, "to": ["ann@example.com"], "subject": "Later", "text": "x"}
    ).json()
    when = {"send_at": "2027-01-01T08:00:00+01:00"}
    sent = house.http.post(f"/v1/drafts/{draft['id']}/send", json=when)
    assert sent.status_code == 202, sent.text
    assert sent.json()["due_at"] == "2027-01-01T07:00:00.000Z"
    assert house.http.get(f"/v1/drafts/{draft['id']}").status_code == 404
    back = house.http.post(f"{sent.headers['location']}/cancel").json()
    assert back["draft_id"] == draft["id"]
    assert house.http.get(f"/v1/drafts/{draft['id']}").json()["subject"] == "Later"
    late = house.http.post(f"{sent.headers['location']}/cancel")
    assert (late.status_code, late.json()["code"]) == (409, "too_late")


@pytest.mark.parametrize("send_at", ["tomorrow", "2027-01-01T08:00:00", "2999-01-01T00:00:00Z"])
def test_a_time_that_cannot_be_meant_is_refused(house: House, account: str, send_at: str) -> None:
    body = {"account_id": account, "to": ["ann@example.com"], "text": "x", "send_at": send_at}
    response = house.http.post("/v1/sends", json=body)
    assert (response.status_code, response.json()["field"]) == (400, "send_at")


def test_a_letter_to_nobody_is_refused(house: House, account: str) -> None:
    response = house.http.post("/v1/sends", json={"account_id": account, "text": "x"})
    assert (response.status_code, response.json()["field"]) == (400, "to")
