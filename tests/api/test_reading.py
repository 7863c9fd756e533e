"""Mail is listed, read, found and carried away."""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import Any
from uuid import UUID, uuid4

import pytest

from postroom.client import values
from tests.api.conftest import House
from tests.support.site import Store


def _all(house: House, path: str, **parameters: str) -> list[dict[str, Any]]:
    found, cursor = [], None
    while True:
        page = house.http.get(path, params=parameters | ({"cursor": cursor} if cursor else {})).json()
        found += page["items"]
        cursor = page["next"]
        if cursor is None:
            return found


def test_pages_hold_every_message_once_newest_first(house: House) -> None:
    whole = list(house.mail.list_messages.each(limit=200))
    assert list(house.mail.list_messages.each(limit=7)) == whole
    assert len({each.id for each in whole}) == len(whole) > 50
    times = [each.received_at for each in whole]
    assert times == sorted(times, reverse=True)


def test_a_folder_holds_what_its_counter_says(house: House) -> None:
    mail, account = house.mail, house.account()
    inbox = next(each for each in mail.list_folders(account) if each.type == "inbox")
    assert mail.get_folder(inbox.id) == inbox
    assert len(list(mail.list_messages.each(folder_id=inbox.id))) == inbox.total_count
    unread = list(mail.list_messages.each(account_id=account, is_="unread"))
    assert len([each for each in unread if each.folder_id == inbox.id]) == inbox.unread_count
    assert not any(each.is_read for each in unread)


def test_only_the_fields_that_were_named_come(house: House) -> None:
    page = house.http.get("/v1/messages", params={"fields": "subject", "limit": 3}).json()
    assert all(set(each) == {"id", "subject"} for each in page["items"])
    wrong = house.http.get("/v1/messages", params={"fields": "subject,secret"})
    assert (wrong.status_code, wrong.json()["field"]) == (400, "fields")


def test_a_cursor_is_of_its_list_and_its_tenant(house: House, neighbour: House) -> None:
    cursor = house.http.get("/v1/messages", params={"limit": 3}).json()["next"]
    assert house.http.get("/v1/messages", params={"cursor": cursor}).status_code == 200
    changed = cursor[:10] + ("A" if cursor[10] != "A" else "B") + cursor[11:]
    folder = house.http.get(f"/v1/accounts/{house.account()}/folders").json()["items"][0]["id"]
    refused = [
        house.http.get("/v1/messages", params={"cursor": changed}),
        house.http.get("/v1/messages", params={"cursor": cursor + "AAAA"}),
        house.http.get("/v1/messages", params={"cursor": "!"}),
        house.http.get("/v1/messages", params={"cursor": cursor, "folder_id": folder}),
        house.http.get("/v1/search", params={"cursor": cursor}),
        neighbour.http.get("/v1/messages", params={"cursor": cursor}),
    ]
    assert [(each.status_code, each.json()["code"]) for each in refused] == [(400, "bad_cursor")] * len(
        refused
    )


def test_a_message_is_read_as_the_command_line_shows_it(store: Store, house: House) -> None:
    listed = house.http.get("/v1/messages", params={"limit": 20}).json()["items"]
    for each in listed:
        message = house.http.get(f"/v1/messages/{each['id']}").json()
        shown = store.json("show", "-t", house.name, each["id"]) if each is listed[0] else None
        assert {name: message[name] for name in each} == each
        if shown:
            assert (message["text"], message["subject"]) == (shown["text"], shown["subject"])
            headers = house.http.get(f"/v1/messages/{each['id']}/headers").json()["items"]
            assert [[field["name"], field["value"]] for field in headers] == shown["headers"]


def test_the_raw_message_is_the_very_bytes(store: Store, house: House) -> None:
    listed = house.http.get("/v1/messages", params={"limit": 50}).json()["items"]
    for each in listed:
        raw = house.http.get(f"/v1/messages/{each['id']}/raw")
        message = house.http.get(f"/v1/messages/{each['id']}", params={"fields": "sha256"}).json()
        assert hashlib.sha256(raw.content).hexdigest() == message["sha256"]
        assert len(raw.content) == each["size_bytes"]
    assert raw.headers["content-type"] == "message/rfc822"


def test_what_is_known_already_is_not_sent_again(house: House) -> None:
    for path in ("/v1/messages", f"/v1/accounts/{house.account()}", "/v1/accounts"):
        first = house.http.get(path)
        again = house.http.get(path, headers={"If-None-Match": first.headers["etag"]})
        assert (again.status_code, again.content) == (304, b""), path
    message = first.json() and house.http.get("/v1/messages", params={"limit": 1}).json()["items"][0]["id"]
    one = house.http.get(f"/v1/messages/{message}")
    again = house.http.get(
        f"/v1/messages/{message}", headers={"If-None-Match": f'"x", W/{one.headers["etag"]}'}
    )
    assert again.status_code == 304


def test_an_attachment_comes_whole_in_ranges_or_not_at_all(house: House) -> None:
    found = house.http.get("/v1/search", params={"q": "has:attachment", "limit": 50}).json()["items"]
    parts = [
        part
        for each in found
        for part in house.http.get(f"/v1/messages/{each['id']}").json()["attachments"]
        if part["size_bytes"] > 100
    ]
    assert parts
    for part in parts:
        whole = house.http.get(part["url"])
        assert hashlib.sha256(whole.content).hexdigest() == part["sha256"]
        assert whole.headers["content-disposition"].startswith("attachment; filename=")
        assert whole.headers["x-content-type-options"] == "nosniff"
        assert not any(word in whole.headers["content-type"] for word in ("html", "svg", "xml"))
        known = house.http.get(f"/v1/attachments/{part['id']}").json()
        assert {name: known[name] for name in part} == part
    size, url, tag = part["size_bytes"], part["url"], whole.headers["etag"]

    def ranged(value: str, **more: str) -> tuple[int, bytes, str | None]:
        got = house.http.get(url, headers={"Range": value, **more})
        return got.status_code, got.content, got.headers.get("content-range")

    assert ranged("bytes=0-9") == (206, whole.content[:10], f"bytes 0-9/{size}")
    assert ranged("bytes=-5") == (206, whole.content[-5:], f"bytes {size - 5}-{size - 1}/{size}")
    assert ranged("bytes=90-") == (206, whole.content[90:], f"bytes 90-{size - 1}/{size}")
    assert ranged("bytes=0-9", **{"If-Range": '"other"'})[:2] == (200, whole.content)
    assert ranged("bytes=0-1,4-5")[0] == ranged("lines=1-2")[0] == 200
    assert ranged(f"bytes={size}-")[::2] == (416, f"bytes */{size}")
    assert house.http.get(url, headers={"If-None-Match": tag}).status_code == 304


def test_a_thread_is_read_in_its_order(house: House) -> None:
    threads: dict[UUID, list[values.Summary]] = {}
    for each in house.mail.list_messages.each():
        threads.setdefault(each.thread_id, []).append(each)
    longest = max(threads, key=lambda each: len(threads[each]))
    found = list(house.mail.get_thread.each(longest, limit=2))
    assert len(found) > 2
    assert found == sorted(threads[longest], key=lambda each: (each.received_at, each.id))


def test_a_search_finds_what_the_command_line_finds(store: Store, house: House) -> None:
    for query in ("invoice", "from:alice has:attachment", "is:unread -invoice"):
        theirs = store.json("search", "-t", house.name, "--limit", "100", query)["items"]
        ours = list(house.mail.search_messages.each(q=query, limit=3))
        assert [str(each.id) for each in ours] == [each["id"] for each in theirs]
        assert [each.snippet for each in ours] == [each["snippet"] for each in theirs]
        assert list(house.mail.search_messages.each(q=query, account_id=house.account())) == ours
    wrong = house.http.get("/v1/search", params={"q": "from:"})
    assert (wrong.status_code, wrong.json()["code"], wrong.json()["field"]) == (400, "query_syntax", "q")
    assert house.http.get("/v1/search", params={"q": "on:today", "tz": "Nowhere/Land"}).status_code == 400


@pytest.mark.parametrize(
    "path",
    [
        "/v1/accounts/{}",
        "/v1/accounts/{}/folders",
        "/v1/accounts/{}/health",
        "/v1/folders/{}",
        "/v1/messages/{}",
        "/v1/messages/{}/raw",
        "/v1/messages/{}/headers",
        "/v1/threads/{}",
        "/v1/attachments/{}",
        "/v1/attachments/{}/content",
        "/v1/drafts/{}",
        "/v1/sends/{}",
    ],
)
def test_what_is_not_there_is_refused_in_one_way(house: House, path: str) -> None:
    response = house.http.get(path.format(uuid4()))
    assert (response.status_code, response.json()["code"]) == (404, "not_found")
    assert house.http.get(path.format("not-an-id")).status_code == 400


def test_what_is_found_is_counted_by_folder_sender_and_year(house: House) -> None:
    found = _all(house, "/v1/search", q="")
    page = house.http.get("/v1/search", params={"facets": "folder,sender,year", "limit": 1}).json()
    facets = page["facets"]
    assert (facets["counted"], facets["is_whole"]) == (len(found), True)
    years = Counter(int(each["received_at"][:4]) for each in found)
    assert {each["year"]: each["count"] for each in facets["year"]} == years
    counts = {each["id"]: each["count"] for each in facets["folder"]}
    folders = house.http.get(f"/v1/accounts/{house.account()}/folders").json()["items"]
    assert counts == {each["id"]: each["total_count"] for each in folders if each["total_count"]}
    sender = facets["sender"][0]
    of_sender = _all(house, "/v1/search", q=f"from:{sender['address']}")
    assert len(of_sender) == sender["count"] == max(each["count"] for each in facets["sender"])
    some = house.http.get("/v1/search", params={"q": "from:x@nowhere.example", "facets": "year"}).json()
    assert some["facets"] == {"counted": 0, "is_whole": True, "folder": [], "sender": [], "year": []}
    assert house.http.get("/v1/search").json()["facets"] is None
    assert house.http.get("/v1/search", params={"facets": "size"}).json()["field"] == "facets"


def test_conversations_are_listed_by_their_newest_message(house: House) -> None:
    newest: dict[str, Any] = {}
    for each in _all(house, "/v1/messages"):
        newest.setdefault(each["thread_id"], each)
    listed = _all(house, "/v1/threads", limit="7")
    assert [each["id"] for each in listed] == list(newest)
    assert [each["latest"] for each in listed] == list(newest.values())
    largest = max(listed, key=lambda each: each["message_count"])
    thread = house.http.get(f"/v1/threads/{largest['id']}", params={"limit": 200}).json()["items"]
    assert len(thread) == largest["message_count"] > 1
    assert sum(not each["is_read"] for each in thread) == largest["unread_count"]
    folder = thread[0]["folder_id"]
    there = _all(house, "/v1/threads", folder_id=folder)
    mail = _all(house, "/v1/messages", folder_id=folder)
    assert [each["id"] for each in there] == list(dict.fromkeys(each["thread_id"] for each in mail))
