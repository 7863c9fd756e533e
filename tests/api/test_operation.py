"""The service as an operator sees it: health, figures, limits, sizes, logs, documents."""

from __future__ import annotations

import json
import re
import socket
from pathlib import Path

from tests.api.conftest import House
from tests.flow.moving import until
from tests.support.service import Service, new_key, running_service
from tests.support.site import Store


def test_it_says_that_it_is_alive_and_ready(service: Service) -> None:
    client = service.client()
    assert client.get("/healthz").json() == {"status": "ok"}
    assert client.get("/readyz").json()["status"] == "ready"


def test_the_figures_name_routes_and_nobody(service: Service, house: House) -> None:
    house.http.get("/v1/messages")
    text = service.client().get("/metrics").text
    assert re.search(
        r'postroom_http_requests_total\{method="GET",route="/v1/messages",status="200"\} \d', text
    )
    assert house.name not in text
    assert house.account() not in text


def test_a_key_that_asks_too_often_is_told_when_to_go_on(store: Store, tmp_path: Path) -> None:
    tenant = store.tenant()
    with running_service(
        store, tmp_path, POSTROOM_SERVICE_RATE="3/hour", POSTROOM_SERVICE_TENANT_RATE="5/hour"
    ) as service:
        client, other = service.client(new_key(store, tenant)), service.client(new_key(store, tenant))
        answers = [client.get("/v1/accounts") for _ in range(4)]
        assert [each.status_code for each in answers] == [200, 200, 200, 429]
        assert answers[0].headers["ratelimit-policy"] == '"key";q=3;w=3600'
        assert re.fullmatch(r'"key";r=2;t=\d+', answers[0].headers["ratelimit"])
        assert answers[3].json()["code"] == "rate_limited"
        assert int(answers[3].headers["retry-after"]) > 0
        assert [other.get("/v1/accounts").status_code for _ in range(3)] == [200, 200, 429]


def test_a_body_that_is_too_large_is_refused_before_it_is_read(service: Service, house: House) -> None:
    host, _, port = service.url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), 10) as connection:
        head = f"POST /v1/drafts HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {house.key}\r\n"
        connection.sendall(
            f"{head}Content-Type: application/json\r\nContent-Length: 1073741824\r\n\r\n".encode()
        )
        assert connection.recv(100).startswith(b"HTTP/1.1 413 ")

    def endless() -> object:
        for _ in range(40):
            yield b" " * 1024 * 1024

    chunked = house.http.post("/v1/drafts", content=endless(), headers={"Content-Type": "application/json"})
    assert (chunked.status_code, chunked.json()["code"]) == (413, "too_large")


def test_bodies_that_are_no_json_end_well(house: House) -> None:
    for body in (b"", b"{", b"[" * 100_000, b'{"account_id": 1e999}', b"\xff\xfe", b'"\\ud800"', b"NaN"):
        response = house.http.post("/v1/drafts", content=body, headers={"Content-Type": "application/json"})
        assert (response.status_code, response.json()["code"]) == (400, "invalid"), body[:20]


def test_a_request_has_one_id_in_answer_and_log(service: Service, house: House) -> None:
    given = house.http.get("/v1/accounts", headers={"X-Request-Id": "abc-123"})
    assert given.headers["x-request-id"] == "abc-123"
    made = house.http.get("/v1/accounts", headers={"X-Request-Id": "no good!"}).headers["x-request-id"]
    assert re.fullmatch("[0-9a-f]{32}", made)
    until(lambda: f'"{made}"' in service.log.read_text())  # the line is written when the answer has gone
    lines = [json.loads(line) for line in service.log.read_text().splitlines() if line.startswith("{")]
    told = {each["request_id"]: each for each in lines if "request_id" in each}
    assert told["abc-123"]["route"] == "/v1/accounts"
    assert house.key.startswith(told[made]["key"])
    assert house.key not in service.log.read_text()


def test_the_documents_need_nothing_from_elsewhere(service: Service) -> None:
    client = service.client()
    page = client.get("/docs")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert not re.search(r"(src|href)=[\"']?(https?:)?//", page.text)
    document = client.get("/openapi.json").json()
    assert document["openapi"] == "3.1.0"
    for path, operations in document["paths"].items():
        assert f"<code>{path.replace('&', '&amp;')}</code>" in page.text
        for method, operation in operations.items():
            assert operation["responses"]["404"]["content"]["application/problem+json"], (method, path)
            assert operation["security"] or path in ("/healthz", "/readyz", "/metrics")
            assert operation.get("description"), (method, path)


def test_every_operation_is_described(service: Service) -> None:
    text = (Path(__file__).parents[2] / "docs/reference/api.md").read_text()
    for path, operations in service.client().get("/openapi.json").json()["paths"].items():
        for method in operations:
            assert re.search(rf"`{method.upper()} {re.escape(path)}`", text), f"{method} {path}"


def test_pages_of_an_allowed_origin_may_call(store: Store, tmp_path: Path) -> None:
    asked = {"Origin": "https://app.example.com", "Access-Control-Request-Method": "GET"}
    with running_service(store, tmp_path, POSTROOM_SERVICE_ORIGINS="https://app.example.com") as service:
        allowed = service.client().options("/v1/accounts", headers=asked)
        assert allowed.headers["access-control-allow-origin"] == "https://app.example.com"
        other = service.client().options("/v1/accounts", headers=asked | {"Origin": "https://evil.example"})
        assert "access-control-allow-origin" not in other.headers


def test_a_port_that_is_taken_is_said_in_one_sentence(store: Store, service: Service) -> None:
    port = service.url.rpartition(":")[2]
    done = store.cli("serve", "--port", port, check=False)
    assert done.returncode == 2
    assert f"cannot listen on 127.0.0.1:{port}" in done.stderr
    for name, value in {"FLASK_ENV": "testing", "POSTROOM_SERVICE_RATE": "lots"}.items():
        done = store.cli("serve", "--port", "1", check=False, **{name: value})
        assert done.returncode == 2
        assert value in done.stderr
