"""The OpenAPI document and what the service does agree, whatever is asked: tried by schemathesis.

A long run by hand: `POSTROOM_EXAMPLES=1000 uv run pytest tests/api/test_schema.py`.
"""

from __future__ import annotations

import os
from typing import Any

import httpx
import hypothesis
import requests
import schemathesis
from hypothesis import HealthCheck
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.api.conftest import House
from tests.support.service import Service
from tests.support.site import Store

EXAMPLES = int(os.environ.get("POSTROOM_EXAMPLES", "12"))
_CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    response_headers_conformance,
]
_ENDLESS = {"GET /v1/events"}
"""Tried in test_events.py: a stream has no end to wait for."""
_FATAL = {"DELETE /v1/accounts/{account_id}"}
"""Not with an id that is there: it is everybody's. Tried in test_client.py."""


def _known_ids(house: House, neighbour: House) -> list[str]:
    """Ids that are there, the own and another tenant's: chance alone would find none."""
    found: list[str] = []
    for each in (house, neighbour):
        account = each.account()
        folders = each.http.get(f"/v1/accounts/{account}/folders").json()["items"]
        messages = each.http.get("/v1/search", params={"q": "has:attachment", "limit": 5}).json()["items"]
        parts = each.http.get(f"/v1/messages/{messages[0]['id']}").json()["attachments"]
        draft = each.http.post("/v1/drafts", json={"account_id": account, "subject": "x"}).json()
        search = each.http.post("/v1/searches", json={"name": "x", "query": "x"}).json()
        hook = each.http.post("/v1/webhooks", json={"url": "https://app.example.com/"}).json()
        found += [account, draft["id"], messages[0]["thread_id"], search["id"], hook["id"]]
        found += [item["id"] for item in (*folders[:2], *messages, *parts)]
    return found


def _with_known_ids(case: Case, ids: list[str], choice: int) -> None:
    for parameters in (case.path_parameters, case.query, case.body):
        if not isinstance(parameters, dict):
            continue
        for name in parameters:
            if name.endswith("_id") and name not in ("list_id", "content_id"):
                choice = choice * 31 + 7
                parameters[name] = ids[choice % len(ids)]
            elif name == "ids" and isinstance(parameters[name], list):
                parameters[name] = ids[choice % len(ids) :][:5]


def test_the_service_is_what_its_document_says(
    store: Store, service: Service, house: House, neighbour: House
) -> None:
    schema = schemathesis.openapi.from_dict(service.client().get("/openapi.json").json())
    ids = _known_ids(house, neighbour)
    setup = service.client(store.json("key", "create", "--installation")["key"])
    operations = [each.ok() for each in schema.get_all_operations()]
    faults: list[str] = []
    asked: list[int] = []
    for operation in operations:
        if operation.label in _ENDLESS:
            continue
        client = setup if "/v1/tenants" in operation.label else house.http
        with requests.Session() as session:
            for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
                faults += _tried(operation, mode, client, session, ids, asked)
    assert faults == []
    assert {200, 201, 400, 404} <= set(asked)
    assert len(operations) > 30


def _tried(
    operation: Any,
    mode: GenerationMode,
    client: httpx.Client,
    session: requests.Session,
    ids: list[str],
    asked: list[int],
) -> list[str]:
    faults: list[str] = []
    headers = {"Authorization": client.headers["Authorization"]}

    @hypothesis.settings(
        max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck)
    )
    @hypothesis.given(st.data())
    def once(data: st.DataObject) -> None:
        case = data.draw(operation.as_strategy(generation_mode=mode))
        if operation.label not in _FATAL and data.draw(st.booleans()):
            _with_known_ids(case, ids, data.draw(st.integers(0, 1000)))
        response = case.call(base_url=str(client.base_url), session=session, headers=headers, timeout=30)
        if response.content == b"Invalid HTTP request received.":
            hypothesis.reject()  # it was no HTTP, and came to nobody
        asked.append(response.status_code)
        case.validate_response(response, checks=_CHECKS)

    try:
        once()
    except Unsatisfiable:
        pass  # nothing can be wrong with a request that has no parameters
    except (Exception, BaseExceptionGroup) as error:
        faults.append(f"{operation.label}: {str(error)[:1500]}")
    return faults
