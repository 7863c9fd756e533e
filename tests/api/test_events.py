"""Changes and events: whoever follows them sees every change, once, in order, also after a break."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.api.conftest import House
from tests.support.service import Service, new_key, running_service
from tests.support.site import Store

Seen = list[tuple[str, int, str, str]]


def _flat(items: list[dict[str, Any]]) -> Seen:
    return [(each["account_id"], each["modseq"], each["kind"], each["object_type"]) for each in items]


def _feed(client: httpx.Client, since: str | None = None, limit: int = 200) -> tuple[Seen, str]:
    """Everything from there on, and where it ends."""
    seen: Seen = []
    while True:
        parameters = {"limit": limit} | ({"since": since} if since else {})
        page = client.get("/v1/changes", params=parameters).json()
        seen += _flat(page["items"])
        since = page["next"]
        if not page["has_more"]:
            return seen, since


@contextmanager
def _listening(client: httpx.Client, **headers: str) -> Iterator[Iterator[tuple[str, dict[str, Any]]]]:
    """Cursor and data of each event."""
    with client.stream("GET", "/v1/events", headers=headers) as response:
        assert response.status_code == 200, response.read()
        assert response.headers["content-type"].startswith("text/event-stream")
        lines = response.iter_lines()
        assert next(lines).startswith("retry:")

        def parsed() -> Iterator[tuple[str, dict[str, Any]]]:
            fields: dict[str, str] = {}
            for line in lines:
                name, _, value = line.partition(": ")
                if not line and "data" in fields:
                    yield fields.get("id", ""), json.loads(fields["data"])
                    fields = {}
                elif name:
                    fields[name] = value

        yield parsed()


def _pause(house: House, account: str, *, paused: bool) -> None:
    assert house.http.post(f"/v1/accounts/{account}/{'pause' if paused else 'resume'}").status_code == 200


def test_small_pages_hold_the_feed_once(house: House) -> None:
    account = house.account()
    for turn in range(60):
        _pause(house, account, paused=turn % 2 == 0)
    whole, end = _feed(house.http)
    small, _ = _feed(house.http, limit=20)
    assert small == whole
    assert len(whole) > 60
    assert _feed(house.http, end) == ([], end)
    now = house.http.get("/v1/changes", params={"since": "now"}).json()
    assert (now["items"], now["next"]) == ([], end)


def test_a_cursor_of_another_tenant_or_feed_is_none(house: House, neighbour: House) -> None:
    _, end = _feed(house.http)
    account = house.account()
    for response in (
        neighbour.http.get("/v1/changes", params={"since": end}),
        house.http.get("/v1/changes", params={"since": end, "account_id": account}),
        house.http.get("/v1/changes", params={"since": "x" * 40}),
        house.http.get("/v1/events", headers={"Last-Event-ID": "x" * 40}),
    ):
        assert (response.status_code, response.json()["code"]) == (400, "bad_cursor")


def test_a_cursor_ahead_of_its_feed_is_gone(store: Store, house: House) -> None:
    """As after a restore from a backup."""
    account = house.account()
    _pause(house, account, paused=True)
    _, end = _feed(house.http)
    with store.connect("postgres") as connection:
        connection.execute(b"update email_accounts set modseq = modseq - 1 where id = %s", [account])
        late = house.http.get("/v1/changes", params={"since": end})
        connection.execute(b"update email_accounts set modseq = modseq + 1 where id = %s", [account])
    assert (late.status_code, late.json()["code"]) == (410, "cursor_gone")
    _pause(house, account, paused=False)


def test_a_listener_hears_what_happens_and_goes_on_where_it_was(service: Service, house: House) -> None:
    account, before = house.account(), _feed(house.http)[1]
    heard: Seen = []
    with _listening(service.client(house.key)) as events:
        _pause(house, account, paused=True)
        cursor, data = next(events)
        heard += _flat(data["items"])
    _pause(house, account, paused=False)  # while nobody listens
    _pause(house, account, paused=True)
    with _listening(service.client(house.key), **{"Last-Event-ID": cursor}) as events:
        for _ in range(2):
            cursor, data = next(events)
            heard += _flat(data["items"])
        _pause(house, account, paused=False)
        cursor, data = next(events)
        heard += _flat(data["items"])
    feed, end = _feed(house.http, before)
    assert heard == feed
    assert len(feed) == 4
    assert _feed(house.http, cursor) == ([], end)


def test_a_listener_of_another_tenant_hears_nothing_of_it(
    service: Service, house: House, neighbour: House
) -> None:
    account = house.account()
    with _listening(service.client(neighbour.key)) as events:
        _pause(house, account, paused=True)
        _pause(house, account, paused=False)
        theirs = neighbour.account()
        _pause(neighbour, theirs, paused=True)
        _, data = next(events)
        assert {each["account_id"] for each in data["items"]} == {theirs}
    _pause(neighbour, theirs, paused=False)


def test_a_stream_ends_when_its_key_is_revoked(store: Store, service: Service, house: House) -> None:
    made = store.json("key", "create", "-t", house.name)
    account = house.account()
    with service.client(made["key"]).stream("GET", "/v1/events") as response:
        lines = response.iter_lines()
        next(lines)
        store.cli("key", "revoke", "-t", house.name, made["prefix"])
        for turn in range(100):
            _pause(house, account, paused=turn % 2 == 0)
            if any('"unauthorized"' in line for line in _until_blank(lines)):
                break
        else:
            raise AssertionError("it goes on")
        assert list(lines) == [""]
    _pause(house, account, paused=False)


def _until_blank(lines: Iterator[str]) -> list[str]:
    found = []
    for line in lines:
        if not line and found and not found[0].startswith((":", "retry")):
            return found
        if line:
            found.append(line)
        if line.startswith("data:"):
            return found
    return found


def test_the_service_stops_with_listeners_and_says_so_well(store: Store, tmp_path: Path) -> None:
    tenant = store.tenant()
    key = new_key(store, tenant)
    with running_service(store, tmp_path) as service:
        with service.client(key).stream("GET", "/v1/events") as response:
            lines = response.iter_lines()
            next(lines)
            assert service.stop() == 0
            assert list(lines)[-1] == ""
        log = service.log.read_text()
        assert "Traceback" not in log
        requests = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
        assert any(each.get("route") == "/v1/events" and each["status"] == 200 for each in requests)
        assert key not in log
