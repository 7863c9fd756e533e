"""The client: every operation of the document, values, pages, refusals, and what is done when no answer comes."""

from __future__ import annotations

import asyncio
import inspect
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from postroom.client import (
    AsyncClient,
    Client,
    ClientError,
    CursorGone,
    Event,
    Forbidden,
    Meanwhile,
    NotFound,
    Problem,
    Unauthorized,
    Unreachable,
    values,
)
from postroom.client.calls import Call, Operation
from postroom.client.operations import Operations
from tests.api.client_source import BY_HAND, HOME, document, sources
from tests.api.conftest import House
from tests.support.cut_http import Way, way_to_service
from tests.support.dovecot import free_ports
from tests.support.service import Service, new_key
from tests.support.site import Store


@pytest.fixture
def way(service: Service) -> Iterator[Way]:
    with way_to_service(service.url) as found:
        yield found


@pytest.fixture
def mail(house: House, way: Way) -> Iterator[Client]:
    with Client(way.url, house.key) as found:
        yield found


@pytest.fixture
def account(house: House) -> UUID:
    """With a server to send by. Nobody sends: no worker runs."""
    found = UUID(house.account())
    house.mail.set_sender(found, hostname="127.0.0.1", port=2525, encryption="none", sign_in="none")
    return found


def test_the_source_follows_from_the_document() -> None:
    for name, text in sources(document()).items():
        assert (HOME / name).read_text() == text, f"{name} is not what the document says: make client"


def test_every_operation_of_the_service_can_be_asked(service: Service) -> None:
    said = service.client().get("/openapi.json").json()
    asked = 0
    for template, operations in said["paths"].items():
        for method, of in operations.items():
            name = of["operationId"]
            if name in BY_HAND:
                assert callable(getattr(Client, name))
                assert callable(getattr(AsyncClient, name))
                continue
            call = _call_of(getattr(Operations, name))
            assert call.method == method.upper(), name
            assert re.fullmatch(re.sub(r"\{\w+\}", "x", template), call.path), name
            wanted = {each["name"] for each in of.get("parameters", []) if each["in"] == "query"}
            assert {each.rstrip("_") for each in _parameters(name)} >= wanted, name
            if "requestBody" in of:
                (content,) = of["requestBody"]["content"].values()
                shape = said["components"]["schemas"][content["schema"]["$ref"].rpartition("/")[2]]
                assert set(_parameters(name)) >= set(shape["properties"]), name
            asked += 1
    assert asked > 40


def _parameters(name: str) -> list[str]:
    return list(inspect.signature(getattr(Operations, name).call).parameters)


def _call_of(operation: Operation[..., Any]) -> Call[Any]:
    given = inspect.signature(operation.call).parameters.values()
    return operation.call(**{each.name: "x" for each in given if each.default is each.empty})


def test_values_are_what_the_service_says(mail: Client, house: House) -> None:
    found = mail.search_messages(q="has:attachment", limit=1).items[0]
    message, said = mail.get_message(found.id), house.http.get(f"/v1/messages/{found.id}")
    assert isinstance(message, values.Summary)
    assert (message.subject, message.from_, message.text) == tuple(
        said.json()[name] for name in ("subject", "from", "text")
    )
    assert message.received_at == datetime.fromisoformat(said.json()["received_at"])
    assert message.etag == said.headers["etag"]
    part = message.attachments[0]
    assert len(mail.attachment_content(part.id)) == part.size_bytes
    assert mail.get_attachment(part.id).message_id == message.id
    assert len(mail.raw_message(message.id)) == message.size_bytes
    assert [each.value for each in mail.message_headers(message.id) if each.name == "Subject"]
    assert mail.list_accounts()[0].id == message.account_id
    assert mail.healthz().status == "ok"
    assert "postroom_http_requests_total" in mail.metrics()


def test_an_attribute_that_was_left_out_says_so(mail: Client) -> None:
    few = mail.list_messages(limit=1, fields=["subject", "is_read"]).items[0]
    assert few.subject
    assert repr(few).startswith("Summary(id=UUID(")
    with pytest.raises(AttributeError, match="left out of fields"):
        _ = few.preview


def test_pages_are_gone_through_by_those_who_wait_and_those_who_await(
    mail: Client, house: House, way: Way
) -> None:
    waited = [each.id for each in mail.list_messages.each(limit=50)]
    assert len(waited) == len(set(waited)) > 100

    async def awaited() -> list[UUID]:
        async with AsyncClient(way.url, house.key) as client:
            return [each.id async for each in client.list_messages.each(limit=50)]

    assert asyncio.run(awaited()) == waited
    thread = mail.list_messages(limit=1).items[0].thread_id
    assert {each.thread_id for each in mail.get_thread.each(thread, limit=1)} == {thread}


def test_refusals_are_exceptions_with_code_and_field(
    store: Store, service: Service, mail: Client, house: House
) -> None:
    with pytest.raises(NotFound) as missing:
        mail.get_message(uuid4())
    assert (missing.value.status, missing.value.code) == (404, "not_found")
    assert missing.value.request_id
    with pytest.raises(NotFound):
        mail.get_message("../accounts")
    with pytest.raises(Problem) as wrong:
        mail.search_messages(q="from:")
    assert (wrong.value.code, wrong.value.field) == ("query_syntax", "q")
    with pytest.raises(Unauthorized), Client(service.url) as nobody:
        nobody.list_accounts()
    reading = new_key(store, house.name, "--scope", "read")
    with Client(service.url, reading) as client, pytest.raises(Forbidden):
        client.list_audit()
    (port,) = free_ports(1)
    with Client(f"http://127.0.0.1:{port}", house.key, retries=0) as client:
        with pytest.raises(Unreachable, match="does not answer"):
            client.list_accounts()
        with pytest.raises(Unreachable):
            next(client.events(since="x", give_up_after=1))


@pytest.mark.parametrize("url", ["", "localhost:8420", "ftp://example.com", "http://", "http://[::1", "/v1"])
def test_what_is_no_address_is_said_at_once(url: str) -> None:
    with pytest.raises(ClientError, match="is no address"):
        Client(url)


def test_what_was_changed_meanwhile_is_not_overwritten(mail: Client) -> None:
    seen = mail.get_message(mail.list_messages(limit=1).items[0].id)
    mail.mark_message(seen.id, is_flagged=not seen.is_flagged)
    with pytest.raises(Meanwhile):
        mail.mark_message(seen.id, is_flagged=seen.is_flagged, if_match=seen.etag)
    now = mail.get_message(seen.id)
    assert mail.mark_message(now.id, is_flagged=seen.is_flagged, if_match=now.etag).is_changed


def test_what_is_not_given_stays_and_none_empties(mail: Client, account: UUID) -> None:
    mail.change_account(account, account_name="Mine")
    assert mail.change_account(account, sync_interval_seconds=600).account_name == "Mine"
    assert mail.change_account(account, account_name=None).account_name is None


def test_a_send_whose_answer_was_lost_is_one_letter(mail: Client, way: Way, account: UUID) -> None:
    subject = uuid4().hex
    way.lose_answers(2)
    sent = mail.send(account_id=account, to=["ann@example.com"], subject=subject, text="x")
    assert not way.is_losing
    assert [each.subject for each in mail.list_sends(account_id=account).items].count(subject) == 1
    due = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
    pdf = values.NewFile(filename="x.pdf", mime_type="application/pdf", content=b"%PDF")
    draft = mail.create_draft(account_id=account, to=["a@example.com"], text="x", attachments=[pdf])
    assert [(each.filename, each.size_bytes) for each in draft.attachments] == [("x.pdf", 4)]
    later = mail.send_draft(draft.id, send_at=due, if_match=draft.etag)
    assert (later.due_at, later.id != sent.id) == (due, True)
    assert mail.cancel_send(later.id).draft_id == draft.id


def test_what_may_have_been_done_is_not_asked_again(mail: Client, way: Way, account: UUID) -> None:
    way.lose_answers(1)
    with pytest.raises(Unreachable):
        mail.create_draft(account_id=account, subject="Once")
    assert not way.is_losing
    way.lose_answers(1)
    assert mail.list_drafts(account_id=account)


def test_by_which_server_an_account_sends_is_said_and_no_password_comes_back(
    store: Store, service: Service
) -> None:
    with Client(service.url, new_key(store, store.tenant())) as mail:
        account = mail.create_account(email_address="me@example.com").id
        with pytest.raises(NotFound):
            mail.get_sender(account)
        with pytest.raises(Problem) as without:
            mail.set_sender(account, hostname="smtp.example.com")
        assert without.value.field == "password"
        mail.set_sender(account, hostname="smtp.gmail.com", password="my secret", display_name="Me")
        sender = mail.get_sender(account)
        assert (sender.port, sender.username, sender.sent_copy) == (465, "me@example.com", "server")
        assert mail.set_sender(account, hostname="127.0.0.1", sign_in="none").username is None
        trail = mail.list_audit(object_type="account", object_id=account)
        assert [each.action for each in trail.items][:2] == ["account.smtp"] * 2
        assert "secret" not in repr(trail)


def test_an_account_that_is_removed_goes_with_its_secrets(store: Store, service: Service, box: Path) -> None:
    tenant = store.tenant()
    with Client(service.url, new_key(store, tenant)) as mail:
        account = mail.create_account(
            email_address="me@example.com", hostname="127.0.0.1", password="one secret"
        )
        mail.set_sender(account.id, hostname="127.0.0.1", password="another secret")
        mail.set_sender(account.id, hostname="127.0.0.1", password="a third secret")
        assert _secrets(store, account.id) == 2
        store.cli("import", "-t", tenant, "-a", "me@example.com", str(box))
        assert mail.list_messages().items
        cursor = mail.list_changes(since="now").next
        with pytest.raises(Meanwhile):
            mail.remove_account(account.id, if_match='"x"')
        mail.remove_account(account.id)
        assert _secrets(store, account.id) == 0
        assert mail.list_accounts() == ()
        with pytest.raises(NotFound):
            mail.remove_account(account.id)
        assert mail.list_messages().items  # what came from it stays
        told = {(each.kind, each.object_type) for each in mail.list_changes(since=cursor).items}
        assert ("deleted", "account") in told
        assert mail.create_account(email_address="me@example.com").id != account.id


def _secrets(store: Store, account: UUID) -> int:
    with store.connect("postgres") as connection:
        row = connection.execute(
            b"select count(*) from email_credentials where account_id = %s", [account]
        ).fetchone()
        assert row
        return row[0]


def test_events_go_on_where_the_connection_broke(mail: Client, way: Way, account: UUID) -> None:
    cursor = mail.list_changes(since="now").next
    events = mail.events(since=cursor)
    mail.pause_account(account)
    heard = [next(events)]
    way.cut()
    for change in (mail.resume_account, mail.pause_account, mail.resume_account):
        change(account)
    heard += [next(events) for _ in range(3)]
    feed = mail.list_changes(since=cursor).items
    assert [change for event in heard for change in event.changes] == list(feed)
    assert len(feed) == 4
    assert mail.list_changes(since=heard[-1].cursor).items == ()


def test_events_come_to_those_who_await_from_now_on(house: House, way: Way, account: UUID) -> None:
    async def first() -> list[str]:
        async with AsyncClient(way.url, house.key) as client, aclosing(client.events()) as events:
            heard = asyncio.ensure_future(anext(events))
            while not heard.done():  # a change before its first look is none of "from now on"
                await client.pause_account(account)
                await client.resume_account(account)
                await asyncio.wait([heard], timeout=0.2)
            return [change.object_type for change in heard.result().changes]

    assert asyncio.run(first()) == ["account"]


def test_a_cursor_that_the_feed_does_not_reach_is_said_clearly(
    store: Store, mail: Client, account: UUID
) -> None:
    end = mail.list_changes(since="now").next
    with store.connect("postgres") as connection:
        connection.execute(b"update email_accounts set modseq = modseq - 1 where id = %s", [account])
        with pytest.raises(CursorGone, match="list again") as late:
            next(mail.events(since=end))
        connection.execute(b"update email_accounts set modseq = modseq + 1 where id = %s", [account])
    assert late.value.code == "cursor_gone"


def test_a_stream_ends_with_its_key(
    store: Store, service: Service, house: House, mail: Client, account: UUID
) -> None:
    made = store.json("key", "create", "-t", house.name)
    with Client(service.url, made["key"]) as client:
        events = client.events(since=client.list_changes(since="now").next)
        store.cli("key", "revoke", "-t", house.name, made["prefix"])
        with pytest.raises(Unauthorized):
            _listen_while_something_happens(events, mail, account)


def _listen_while_something_happens(events: Iterator[Event], mail: Client, account: UUID) -> None:
    for _ in range(100):
        mail.pause_account(account)
        mail.resume_account(account)
        next(events)


def test_a_key_is_in_no_trace_of_the_client(mail: Client, house: House) -> None:
    assert house.key not in repr(mail) + repr(vars(mail))
    shown = values.Key(id=uuid4(), prefix="prk_aaaaaaaa", key="prk_aaaaaaaa_secret")
    assert "secret" not in repr(shown)


def test_the_client_brings_no_server_with_it() -> None:
    lines = "import sys, postroom.client; print([m for m in ('fastapi', 'psycopg', 'pydantic') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", lines], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
