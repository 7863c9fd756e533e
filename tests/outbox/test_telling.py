"""Webhooks: every change is told at least once, under one id, whatever the receiver does; and only where it may be."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psycopg
import pytest

from postroom.hooks.address import networks
from postroom.model import AccountId, SourceFolder, TenantId, UserId
from postroom.outbox.tell import Telephone, Told, tell
from postroom.settings import load
from postroom.store import accounts, changes, deliveries, folders, webhooks
from postroom.store.database import Database
from postroom.store.webhooks import Claimed, Wanted, WebhookId
from tests.outbox.desk import MASTER
from tests.store.mailroom import new_tenant, store_message
from tests.support.receiver import Call, Receiver, receiver
from tests.support.site import Store

pytestmark = pytest.mark.anyio
DAY_MS = 24 * 60 * 60 * 1000


@dataclass
class Exchange:
    """A tenant with an account and a webhook, and who tells it."""

    db: Database
    store: Store
    tenant_id: TenantId
    account_id: AccountId
    webhook_id: WebhookId
    secret: str
    phone: Telephone
    there: Receiver

    async def happen(self, count: int = 1) -> None:
        """So many transactions that change something."""
        for _ in range(count):
            async with self.db.tenant(self.tenant_id) as tx:
                modseq = await changes.next_modseq(tx, self.account_id)
                await changes.append(tx, self.account_id, modseq, "updated", "account", [self.account_id])

    async def claim(self) -> list[Claimed]:
        async with self.db.system() as tx:
            lease_ms = self.phone.lease_ms
            found = await webhooks.claim(tx, limit=50, lease_ms=lease_ms, look_again_ms=300_000)
        return [each for each in found if each.tenant_id == self.tenant_id]

    async def tell(self) -> Told | None:
        """As a worker does when its turn has come; None where nothing is due."""
        found = await self.claim()
        return await tell(self.db, found[0], self.phone, asyncio.Event()) if found else None

    def later(self, ms: int) -> None:
        """As if so much time had gone by."""
        with self._connection() as connection:
            for statement in (
                "update email_webhooks set due_at = due_at - %s, lease_until = lease_until - %s,"
                " failing_since = failing_since - %s, previous_until = previous_until - %s where tenant_id = %s",
                "update email_webhook_deliveries set not_before = not_before - %s, created_at = created_at - %s"
                " where tenant_id = %s",
            ):
                connection.execute(statement.encode(), [ms] * (statement.count("%s") - 1) + [self.tenant_id])

    async def row(self) -> dict[str, Any]:
        async with self.db.tenant(self.tenant_id) as tx:
            return await webhooks.get(tx, self.webhook_id)

    async def listed(self, state: deliveries.State) -> list[dict[str, Any]]:
        async with self.db.tenant(self.tenant_id) as tx:
            return await deliveries.list_of(tx, self.webhook_id, state, limit=100)

    async def feed(self) -> list[tuple[int, str, str]]:
        async with self.db.tenant(self.tenant_id) as tx:
            rows = await changes.since(tx, self.account_id, 0)
        return [(each.modseq, each.kind, each.object_type) for each in rows]

    def _connection(self) -> psycopg.Connection[Any]:
        return psycopg.connect(self.store.site.url("postgres"), autocommit=True)


def _places(calls: list[Call]) -> list[tuple[int, str, str]]:
    said = [each.said["data"] for each in calls if each.said["type"] != "test"]
    return [(each["modseq"], each["kind"], each["object_type"]) for each in said]


@pytest.fixture
def there() -> Iterator[Receiver]:
    with receiver() as found:
        yield found


@pytest.fixture
async def exchange(db: Database, store: Store, there: Receiver, tmp_path: Path) -> Exchange:
    tenant_id = new_tenant(store)
    settings = replace(load({}, home=tmp_path), webhook_networks="127.0.0.0/8", webhook_timeout_seconds=1)
    async with db.tenant(tenant_id) as tx:
        account = await accounts.ensure(tx, "me@example.com")
        webhook_id, secret = await webhooks.create(tx, Wanted(url=there.url), MASTER, user_id=None)
    phone = replace(Telephone.of(settings, MASTER), chance=lambda: 0.0)
    return Exchange(
        db=db, store=store, tenant_id=tenant_id, account_id=account.id, webhook_id=webhook_id,
        secret=secret, phone=phone, there=there,
    )  # fmt: skip


async def test_every_change_is_told_once_in_order_and_signed(exchange: Exchange, there: Receiver) -> None:
    await exchange.happen(30)
    told = await exchange.tell()
    assert told
    assert told.arrived == 30
    assert _places(there.calls) == await exchange.feed()
    assert all(each.is_signed(exchange.secret) for each in there.calls)
    assert len(there.ids()) == 30
    first = there.calls[0]
    assert first.headers["content-type"] == "application/json"
    assert first.said["type"] == "account.updated"
    assert first.said["data"]["ids"] == [str(exchange.account_id)]
    assert exchange.secret not in first.body.decode()
    assert await exchange.tell() is None  # nothing is due: nothing was heard of it
    await exchange.happen()
    assert (await exchange.tell() or Told()).arrived == 1


async def test_what_fails_is_told_again_under_the_same_id(exchange: Exchange, there: Receiver) -> None:
    await exchange.happen(3)
    there.faults += ["500", "drop"]
    told = await exchange.tell()
    assert told
    assert (told.arrived, told.failed) == (1, 2)
    assert (await exchange.row())["failing_since"] is None  # the third has arrived
    exchange.later(10_000)
    told = await exchange.tell()
    assert told
    assert told.arrived == 2
    assert sorted(_places(there.calls)) == await exchange.feed()
    assert len(there.attempts) == 5
    assert len({each.id for each in there.attempts}) == 3
    assert len({each.body for each in there.attempts}) == 3


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("slow", "no answer within 1 seconds"),
        ("drip", "no answer within 1 seconds"),
        ("404", "answered 404"),
        ("redirect http://127.0.0.1:1/", "redirects are not followed"),
    ],
)
async def test_what_a_receiver_may_do_to_us(
    exchange: Exchange, there: Receiver, fault: str, said: str
) -> None:
    await exchange.happen()
    there.faults.append(fault)
    told = await exchange.tell()
    assert told
    assert told.failed == 1
    assert said in (await exchange.row())["last_error"]
    exchange.later(10_000)
    assert (await exchange.tell() or Told()).arrived == 1
    assert {each.path for each in there.attempts} == {"/hook"}


async def test_an_answer_without_end_is_not_read_to_its_end(exchange: Exchange, there: Receiver) -> None:
    await exchange.happen(2)
    there.faults += ["big", "big"]
    told = await exchange.tell()
    assert told
    assert (told.arrived, told.failed) == (2, 0)


async def test_a_receiver_that_is_away_is_left_alone(exchange: Exchange, there: Receiver) -> None:
    await exchange.happen(10)
    there.always = "503"
    await exchange.tell()
    assert len(there.attempts) == 3
    await exchange.happen()  # nothing that happens hastens it
    assert await exchange.tell() is None
    there.always = None
    exchange.later(4 * 60 * 60 * 1000)
    while await exchange.tell():
        pass
    assert sorted(_places(there.calls)) == await exchange.feed()


async def test_a_receiver_may_say_when(exchange: Exchange, there: Receiver) -> None:
    await exchange.happen()
    there.faults.append("429 1800")
    await exchange.tell()
    exchange.later(1700_000)
    await exchange.tell()
    assert len(there.attempts) == 1
    exchange.later(200_000)
    assert (await exchange.tell() or Told()).arrived == 1


async def test_what_fails_for_three_days_is_a_dead_letter_and_is_told_when_somebody_asks(
    exchange: Exchange, there: Receiver
) -> None:
    await exchange.happen()
    there.faults.append("500")
    await exchange.tell()
    async with exchange.db.tenant(exchange.tenant_id) as tx:
        await webhooks.arrived(tx, exchange.webhook_id)  # others get through
    exchange.later(3 * DAY_MS + 1000)
    there.faults.append("500")
    await exchange.tell()
    (dead,) = await exchange.listed("dead")
    assert dead["attempts"] == 2
    exchange.later(10 * DAY_MS)
    await exchange.tell()
    assert len(there.attempts) == 2
    async with exchange.db.tenant(exchange.tenant_id) as tx:
        assert await deliveries.renew(tx, exchange.webhook_id, "dead") == 1
    assert (await exchange.tell() or Told()).arrived == 1
    assert there.calls[0].id == str(dead["id"])
    assert await exchange.listed("dead") == []


async def test_a_webhook_that_fails_for_three_days_is_disabled_with_a_notice_and_goes_on_later(
    exchange: Exchange, there: Receiver
) -> None:
    await exchange.happen(5)
    there.always = "500"
    await exchange.tell()
    exchange.later(3 * DAY_MS + 1000)
    told = await exchange.tell()
    assert told
    assert told.problem
    assert told.problem.startswith("disabled: no call succeeded for three days")
    row = await exchange.row()
    assert (row["is_enabled"], "answered 500" in row["disabled_reason"]) == (False, True)
    assert (await exchange.feed())[-1][1:] == ("updated", "webhook")
    await exchange.happen(5)
    assert await exchange.tell() is None
    there.always = None
    async with exchange.db.tenant(exchange.tenant_id) as tx:
        await webhooks.enable(tx, exchange.webhook_id)
        await deliveries.renew(tx, exchange.webhook_id, "pending")
    while await exchange.tell():
        pass
    assert sorted(_places(there.calls)) == await exchange.feed()


async def test_a_receiver_that_is_gone_is_believed(exchange: Exchange, there: Receiver) -> None:
    await exchange.happen(2)
    there.faults.append("410")
    await exchange.tell()
    assert not (await exchange.row())["is_enabled"]
    assert len(there.attempts) == 1


async def test_for_a_while_both_secrets_sign(exchange: Exchange, there: Receiver) -> None:
    async with exchange.db.tenant(exchange.tenant_id) as tx:
        fresh = await webhooks.rotate(tx, exchange.webhook_id, MASTER, overlap_ms=60_000)
    await exchange.happen()
    await exchange.tell()
    assert there.calls[0].is_signed(exchange.secret)
    assert there.calls[0].is_signed(fresh)
    exchange.later(61_000)
    await exchange.happen()
    await exchange.tell()
    assert not there.calls[1].is_signed(exchange.secret)
    assert there.calls[1].is_signed(fresh)
    with exchange.store.connect("postgres") as connection:
        count = connection.execute(
            b"select count(*), min(octet_length(ciphertext)) from email_credentials where account_id = %s",
            [exchange.webhook_id],
        ).fetchone()
        assert count
        assert count[0] == 1
        async with exchange.db.tenant(exchange.tenant_id) as tx:
            await webhooks.remove(tx, exchange.webhook_id)
        left = connection.execute(
            b"select count(*) from email_credentials where account_id = %s", [exchange.webhook_id]
        ).fetchone()
        assert left == (0,)


async def test_told_again_from_a_cursor_ids_are_the_same(exchange: Exchange, there: Receiver) -> None:
    await exchange.happen(6)
    await exchange.tell()
    async with exchange.db.tenant(exchange.tenant_id) as tx:
        await webhooks.go_on_from(tx, exchange.webhook_id, {exchange.account_id: 4})
    assert (await exchange.tell() or Told()).arrived == 2
    assert [each.id for each in there.calls[6:]] == [each.id for each in there.calls[4:6]]
    assert [each.body for each in there.calls[6:]] == [each.body for each in there.calls[4:6]]


async def test_it_hears_of_what_it_wants_to(exchange: Exchange, there: Receiver) -> None:
    async with exchange.db.tenant(exchange.tenant_id) as tx:
        wanted = [SourceFolder(name=name, type="custom") for name in ("A", "B")]
        made = await folders.ensure(tx, exchange.account_id, wanted)
        ids = [
            await store_message(tx, exchange.account_id, made[name].id, subject=f"{name} {number}")
            for number, name in enumerate("ABA")
        ]
        modseq = await changes.next_modseq(tx, exchange.account_id)
        await changes.append(tx, exchange.account_id, modseq, "created", "message", ids)
        await changes.append(tx, exchange.account_id, modseq, "updated", "folder", [made["B"].id])
        other = await accounts.ensure(tx, "other@example.com")
        modseq = await changes.next_modseq(tx, other.id)
        await changes.append(tx, other.id, modseq, "updated", "account", [other.id])
        await webhooks.remove(tx, exchange.webhook_id)
        for wanted in (
            Wanted(url=f"{there.url}/events", events=["message.created"]),
            Wanted(url=f"{there.url}/folder", folder_id=made["A"].id),
            Wanted(url=f"{there.url}/account", account_id=other.id),
        ):
            webhook_id, _ = await webhooks.create(tx, wanted, MASTER, user_id=None)
            await webhooks.go_on_from(tx, webhook_id, {})
    for claimed in await exchange.claim():
        await tell(exchange.db, claimed, exchange.phone, asyncio.Event())
    heard = {each.path: each.said for each in there.calls}
    assert len(there.calls) == 3
    assert heard["/hook/events"]["data"]["ids"] == [str(each) for each in ids]
    assert heard["/hook/folder"]["data"]["ids"] == [str(ids[0]), str(ids[2])]
    assert heard["/hook/account"]["data"]["account_id"] == str(other.id)


async def test_a_users_webhook_hears_of_that_users_accounts_only(exchange: Exchange, there: Receiver) -> None:
    async with exchange.db.tenant(exchange.tenant_id) as tx:
        user = UserId((await accounts.by_id(tx, exchange.account_id)).user_id)
        stranger = UserId(exchange.webhook_id)
        for user_id, path in ((user, "own"), (stranger, "strange")):
            await webhooks.create(tx, Wanted(url=f"{there.url}/{path}"), MASTER, user_id=user_id)
        await webhooks.remove(tx, exchange.webhook_id)
    await exchange.happen(2)
    for claimed in await exchange.claim():
        await tell(exchange.db, claimed, exchange.phone, asyncio.Event())
    assert [each.path for each in there.calls] == ["/hook/own", "/hook/own"]


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1:1/",
        "https://localhost/",
        "https://169.254.169.254/latest/meta-data/",
        "https://[::1]/",
        "https://[::ffff:10.0.0.1]/",
        "https://[64:ff9b::a00:1]/",
        "https://2130706433/",
        "https://0x7f.1/",
    ],
)
async def test_what_is_not_public_is_not_called(exchange: Exchange, url: str) -> None:
    exchange.phone = replace(exchange.phone, allowed=())
    async with exchange.db.tenant(exchange.tenant_id) as tx:
        await webhooks.change(tx, exchange.webhook_id, Wanted(url=url))
    await exchange.happen()
    told = await exchange.tell()
    assert told
    assert told.problem
    assert "may not be called" in told.problem


async def test_a_name_that_moves_to_a_private_address_is_not_followed_there(
    exchange: Exchange, there: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DNS rebinding: the name is asked for once for each call, and what it says then is what is connected to."""
    said, asked = iter(["127.0.0.1", "127.0.0.2"]), list[str]()

    async def name_server(host: str, port: int, **_: object) -> list[Any]:
        asked.append(host)
        return [(2, 1, 6, "", (next(said), port))]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", name_server)
    exchange.phone = replace(exchange.phone, allowed=networks("127.0.0.1"))
    url = f"http://moves.example:{there.port}/"
    async with exchange.db.tenant(exchange.tenant_id) as tx:
        await webhooks.change(tx, exchange.webhook_id, Wanted(url=url))
    await exchange.happen()
    assert (await exchange.tell() or Told()).arrived == 1
    assert there.calls[0].headers["host"] == f"moves.example:{there.port}"
    await exchange.happen()
    told = await exchange.tell()
    assert told
    assert told.problem == "moves.example is at an address that may not be called"
    assert asked == ["moves.example", "moves.example"]
    assert len(there.attempts) == 1


async def test_two_workers_do_not_tell_one_webhook_at_once_and_none_takes_over_what_is_held(
    exchange: Exchange, there: Receiver
) -> None:
    await exchange.happen(4)
    first = await exchange.claim()
    await exchange.happen()
    assert await exchange.claim() == []
    exchange.later(exchange.phone.lease_ms + 1)
    second = await exchange.claim()
    late = await tell(exchange.db, first[0], exchange.phone, asyncio.Event())
    assert (late.arrived, len(there.attempts)) == (0, 0)
    assert (await tell(exchange.db, second[0], exchange.phone, asyncio.Event())).arrived == 5


async def test_a_test_call_is_made_once(exchange: Exchange, there: Receiver) -> None:
    async with exchange.db.tenant(exchange.tenant_id) as tx:
        id_ = await deliveries.put_test(tx, exchange.webhook_id)
    await exchange.tell()
    assert [(each.id, each.said["type"]) for each in there.calls] == [(str(id_), "test")]
    there.faults.append("500")
    async with exchange.db.tenant(exchange.tenant_id) as tx:
        await deliveries.put_test(tx, exchange.webhook_id)
    await exchange.tell()
    assert [each["last_error"] for each in await exchange.listed("dead")] == ["the receiver answered 500"]
    assert (await exchange.row())["failures"] == 0
