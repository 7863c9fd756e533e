"""What the server says decides what follows, and what it does not say is never guessed."""

from __future__ import annotations

import asyncio

import pytest

from postroom.compose.letter import File
from postroom.errors import UsageError
from postroom.model import Address, OutboxId
from postroom.posting import cancel, settle
from postroom.store import sends
from postroom.store.database import Database
from tests.outbox.desk import Desk
from tests.support.site import Store
from tests.support.smtp import SmtpServer, running_smtp

pytestmark = pytest.mark.anyio


async def test_a_burst_goes_over_one_connection(desk: Desk, smtp: SmtpServer) -> None:
    written = [await desk.write(f"Number {number}") for number in range(20)]
    tally = await desk.run()
    assert (tally.sent, tally.problems, smtp.connections) == (20, [], 1)
    assert {await desk.state(each) for each in written} == {"done"}
    assert set(smtp.counts().values()) == {1}
    row = await desk.row(written[0])
    assert row["server_reply"] == "250 2.0.0 Taken as 4711"
    assert await desk.recipients(written[0]) == {"bob@example.com": "accepted"}


async def test_bcc_is_in_the_envelope_alone(desk: Desk, smtp: SmtpServer) -> None:
    await desk.write(bcc=(Address(address="secret@example.com"),))
    await desk.run()
    assert smtp.received[0].recipients == ["bob@example.com", "secret@example.com"]
    assert b"secret" not in smtp.received[0].raw


async def test_lines_that_begin_with_a_dot_arrive_as_they_were(desk: Desk, smtp: SmtpServer) -> None:
    outbox_id = await desk.write(html="<p>x</p>\n.\n..\n")
    await desk.run()
    async with desk.db.tenant(desk.tenant_id) as tx:
        kept = await desk.blobs.read_all(tx, bytes((await sends.get(tx, outbox_id))["raw_blob"]))
    assert smtp.received[0].raw == kept


async def test_the_same_key_twice_is_one_message(desk: Desk, smtp: SmtpServer) -> None:
    assert await desk.write(key="order 12") == await desk.write("Other", key="order 12")
    await desk.run()
    assert await desk.write(key="order 12")
    await desk.run()
    assert len(smtp.received) == 1


async def test_what_is_for_later_waits(desk: Desk, smtp: SmtpServer) -> None:
    outbox_id = await desk.write(in_seconds=3600)
    await desk.run()
    assert (await desk.state(outbox_id), smtp.connections) == ("pending", 0)
    desk.later()
    await desk.run()
    assert await desk.state(outbox_id) == "done"


async def test_what_is_taken_back_in_time_is_not_sent(desk: Desk, smtp: SmtpServer) -> None:
    outbox_id = await desk.write(in_seconds=10)
    async with desk.db.tenant(desk.tenant_id) as tx:
        await cancel(tx, outbox_id)
    desk.later()
    await desk.run()
    assert (await desk.state(outbox_id), smtp.received) == ("cancelled", [])
    async with desk.db.tenant(desk.tenant_id) as tx:
        with pytest.raises(UsageError, match="taken back before"):
            await cancel(tx, outbox_id)


async def test_what_is_taken_back_while_a_worker_asks_is_not_sent(desk: Desk, smtp: SmtpServer) -> None:
    outbox_id = await desk.write()
    async with desk.db.tenant(desk.tenant_id) as tx:
        claimed = await sends.claim(tx, desk.account.id, lease_seconds=60)
    assert claimed
    async with desk.db.tenant(desk.tenant_id) as tx:
        await cancel(tx, outbox_id)
        assert not await sends.start(tx, claimed)


async def test_two_workers_never_send_the_same(desk: Desk, smtp: SmtpServer) -> None:
    for number in range(30):
        await desk.write(f"Number {number}")
    first, second = await asyncio.gather(desk.run(), desk.run())
    assert (first.sent + second.sent, set(smtp.counts().values())) == (30, {1})


async def test_a_worker_whose_lease_ran_out_starts_nothing(desk: Desk, smtp: SmtpServer) -> None:
    await desk.write()
    async with desk.db.tenant(desk.tenant_id) as tx:
        slow = await sends.claim(tx, desk.account.id, lease_seconds=0)
        quick = await sends.claim(tx, desk.account.id, lease_seconds=60)
        assert slow
        assert quick
        assert not await sends.start(tx, slow)
        assert await sends.start(tx, quick)


async def test_the_application_writes_what_a_worker_sends(desk: Desk, smtp: SmtpServer, store: Store) -> None:
    async with Database(store.site.url("email_service")) as application:
        worker, desk.db = desk.db, application
        outbox_id, other = await desk.write(), await desk.write(in_seconds=60)
        async with application.tenant(desk.tenant_id) as tx:
            await cancel(tx, other)
        desk.db = worker
    await desk.run()
    assert (await desk.state(outbox_id), await desk.state(other)) == ("done", "cancelled")


async def test_a_connection_that_was_closed_between_two_messages_is_opened_again(
    desk: Desk, smtp: SmtpServer
) -> None:
    written = [await desk.write(f"Number {number}") for number in range(4)]
    smtp.fault = "one message a connection"
    assert (await desk.run()).sent == 4
    assert {await desk.state(each) for each in written} == {"done"}
    assert (set(smtp.counts().values()), smtp.connections) == ({1}, 4)


@pytest.mark.parametrize("address", ["a@b.example>\r\nRCPT TO:<c@d.example", "a", "a@b c", "ä@-.example"])
async def test_only_addresses_get_into_the_envelope(desk: Desk, smtp: SmtpServer, address: str) -> None:
    with pytest.raises(UsageError, match="no address"):
        await desk.write(bcc=(Address(address=address),))


# What the server refuses ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("defer data", "451 4.7.1 Try again later"),
        ("defer sender", "451 4.3.0 Come back later"),
        ("drop before data", "the server closed the connection"),
    ],
)
async def test_what_passes_is_tried_again(desk: Desk, smtp: SmtpServer, fault: str, said: str) -> None:
    outbox_id = await desk.write()
    smtp.fault = fault
    tally = await desk.run()
    row = await desk.row(outbox_id)
    assert (row["state"], row["attempts"], tally.put_off, smtp.received) == ("pending", 1, 1, [])
    assert said in row["last_error"]
    assert 40_000 < row["not_before"] - row["updated_at"] <= 60_000
    smtp.fault = ""
    await desk.run()
    assert await desk.state(outbox_id) == "pending"
    desk.later()
    await desk.run()
    assert (await desk.state(outbox_id), len(smtp.received)) == ("done", 1)


async def test_lost_before_the_final_dot_is_not_sent_and_tried_again(desk: Desk, smtp: SmtpServer) -> None:
    large = File(filename="large", mime_type="application/x-large", data=bytes(15_000_000))
    outbox_id = await desk.write(files=(large,))
    smtp.fault = "drop in data"
    await desk.run()
    assert (await desk.state(outbox_id), smtp.received) == ("pending", [])
    assert await desk.recipients(outbox_id) == {"bob@example.com": "waiting"}
    smtp.fault = ""
    desk.later()
    await desk.run()
    assert (await desk.state(outbox_id), len(smtp.received)) == ("done", 1)


@pytest.mark.parametrize(
    ("fault", "said"),
    [("refuse data", "554 5.7.1 Spam"), ("refuse sender", "553 5.7.1 You are not who you say")],
)
async def test_what_is_refused_for_good_fails_with_the_servers_words(
    desk: Desk, smtp: SmtpServer, fault: str, said: str
) -> None:
    outbox_id, after = await desk.write(), None
    smtp.fault = fault
    tally = await desk.run()
    assert (tally.failed, (await desk.row(outbox_id))["last_error"]) == (1, said)
    smtp.fault = ""
    after = await desk.write("Next")
    desk.later()
    await desk.run()
    assert (await desk.state(outbox_id), await desk.state(after), len(smtp.received)) == ("failed", "done", 1)


async def test_each_recipient_has_an_answer(desk: Desk, smtp: SmtpServer) -> None:
    outbox_id = await desk.write(to="a@example.com, b@example.com, c@example.com")
    smtp.refused, smtp.deferred = {"b@example.com"}, {"c@example.com"}
    await desk.run()
    assert await desk.recipients(outbox_id) == {
        "a@example.com": "accepted",
        "b@example.com": "refused",
        "c@example.com": "waiting",
    }
    assert await desk.state(outbox_id) == "pending"
    smtp.deferred = set()
    desk.later()
    await desk.run()
    assert (await desk.recipients(outbox_id))["c@example.com"] == "accepted"
    assert await desk.state(outbox_id) == "done"
    assert [each.recipients for each in smtp.received] == [["a@example.com"], ["c@example.com"]]


async def test_nobody_accepted_is_nothing_sent(desk: Desk, smtp: SmtpServer) -> None:
    outbox_id = await desk.write()
    smtp.refused = {"bob@example.com"}
    await desk.run()
    row = await desk.row(outbox_id)
    assert (row["state"], row["last_error"]) == ("failed", "bob@example.com: 550 5.1.1 No such user here")


async def test_after_four_days_it_is_given_up(desk: Desk, smtp: SmtpServer) -> None:
    outbox_id = await desk.write(to="a@example.com, c@example.com")
    smtp.deferred = {"c@example.com"}
    await desk.run()
    with desk.store.connect("postgres") as connection:
        connection.execute(
            b"update email_outbox set created_at = 0, not_before = 0 where id = %s", [outbox_id]
        )
    await desk.run()
    row = await desk.row(outbox_id)
    assert row["state"] == "done"
    assert "given up after four days" in row["last_error"]
    assert await desk.recipients(outbox_id) == {"a@example.com": "accepted", "c@example.com": "refused"}


async def test_a_server_that_is_away_is_asked_once_a_run(desk: Desk) -> None:
    written = [await desk.write() for _ in range(3)]
    await desk.send_by(port=1)
    tally = await desk.run()
    assert (tally.put_off, len(tally.problems)) == (1, 1)
    assert "nothing listens there" in tally.problems[0]
    assert {await desk.state(each) for each in written} == {"pending"}


async def test_what_is_too_large_is_not_even_offered(desk: Desk) -> None:
    with running_smtp(size_limit=1000) as small:
        await desk.send_by(port=small.port)
        outbox_id = await desk.write("x" * 2000)
        await desk.run()
        row = await desk.row(outbox_id)
        assert row["state"] == "failed"
        assert "takes 1000 bytes" in row["last_error"]
        assert small.received == []


async def test_a_wrong_password_fails_no_message(desk: Desk, smtp: SmtpServer) -> None:
    from postroom.store import credentials
    from tests.outbox.desk import MASTER

    smtp.users = {"me": "right"}
    outbox_id = await desk.write()
    for password, state in (("wrong", "pending"), ("right", "done")):
        async with desk.db.tenant(desk.tenant_id) as tx:
            credential_id = await credentials.put_password(tx, desk.account.id, password, MASTER)
        await desk.send_by(username="me", credential_id=credential_id)
        desk.later()
        tally = await desk.run()
        assert await desk.state(outbox_id) == state
        assert ("the sign-in was refused" in "".join(tally.problems)) is (state == "pending")


async def test_an_account_without_a_server_says_so(desk: Desk) -> None:
    with desk.store.connect("postgres") as connection:
        connection.execute(b"delete from email_senders where tenant_id = %s", [desk.tenant_id])
    with pytest.raises(UsageError, match="account smtp"):
        await desk.write()


# What nobody knows ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["drop after data", "drop, not taken"])
async def test_lost_behind_the_final_dot_is_unknown_and_never_sent_again(
    desk: Desk, smtp: SmtpServer, fault: str
) -> None:
    outbox_id = await desk.write()
    smtp.fault = fault
    tally = await desk.run()
    assert (tally.unknown, await desk.state(outbox_id)) == (1, "unknown")
    assert await desk.recipients(outbox_id) == {"bob@example.com": "unknown"}
    smtp.fault = ""
    desk.later()
    await desk.run()
    assert len(smtp.received) == (fault == "drop after data")


async def test_an_answer_that_is_neither_yes_nor_no_is_unknown(desk: Desk, smtp: SmtpServer) -> None:
    outbox_id = await desk.write()
    smtp.fault = "answer 354 Go on"
    await desk.run()
    row = await desk.row(outbox_id)
    assert (row["state"], "it answered 354 Go on" in row["last_error"]) == ("unknown", True)


async def test_no_answer_in_time_is_unknown(
    desk: Desk, smtp: SmtpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    outbox_id = await desk.write()
    desk.impatient(outbox_lost_after_seconds=60)
    monkeypatch.setattr("postroom.wire.smtp.ANSWER_TIMES", 0.3)
    smtp.fault = "slow 3"
    await desk.run()
    row = await desk.row(outbox_id)
    assert row["state"] == "unknown"
    assert "no answer in time" in row["last_error"]


async def test_a_worker_that_died_in_data_leaves_an_open_question(desk: Desk, smtp: SmtpServer) -> None:
    outbox_id = await _half_sent(desk)
    await desk.run()
    assert await desk.state(outbox_id) == "running"  # its worker may be alive
    desk.later(61)
    tally = await desk.run()
    assert (tally.unknown, await desk.state(outbox_id), smtp.received) == (1, "unknown", [])


async def test_a_slow_worker_that_was_thought_dead_is_believed(desk: Desk, smtp: SmtpServer) -> None:
    outbox_id = await desk.write()
    smtp.fault = "slow 1.5"
    running = asyncio.create_task(desk.run())
    while await desk.state(outbox_id) != "running":  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    desk.later(61)
    async with desk.db.tenant(desk.tenant_id) as tx:
        assert await sends.lost(tx, desk.account.id, before=2**60, error="lost")
    await running
    assert (await desk.state(outbox_id), len(smtp.received)) == ("done", 1)


async def test_a_beating_heart_keeps_a_slow_send_from_being_lost(desk: Desk, smtp: SmtpServer) -> None:
    outbox_id = await desk.write()
    desk.impatient(smtp_timeout_seconds=10, outbox_lost_after_seconds=1)
    smtp.fault = "slow 3"
    running = asyncio.create_task(desk.run())
    while not running.done():
        assert await desk.state(outbox_id) in ("pending", "running", "done")
        assert (await desk.run()).unknown == 0
        await asyncio.sleep(0.1)
    assert await desk.state(outbox_id) == "done"


async def test_somebody_settles_it(desk: Desk, smtp: SmtpServer) -> None:
    sent, unsent = await _half_sent(desk), await _half_sent(desk)
    desk.later(61)
    await desk.run()
    async with desk.db.tenant(desk.tenant_id) as tx:
        assert await settle(tx, sent, was_sent=True) == "done"
        assert await settle(tx, unsent, was_sent=False) == "pending"
        with pytest.raises(UsageError, match="nothing to settle"):
            await settle(tx, sent, was_sent=True)
    await desk.run()
    assert (await desk.state(sent), await desk.state(unsent)) == ("done", "done")
    assert [each.message_id for each in smtp.received] == [(await desk.row(unsent))["message_id"]]
    assert await desk.recipients(sent) == {"bob@example.com": "accepted"}


async def _half_sent(desk: Desk) -> OutboxId:
    """As a worker leaves it that is killed in DATA."""
    outbox_id = await desk.write()
    async with desk.db.tenant(desk.tenant_id) as tx:
        claimed = await sends.claim(tx, desk.account.id, lease_seconds=60)
        assert claimed
        assert await sends.start(tx, claimed)
        waiting = await sends.waiting_recipients(tx, outbox_id)
        await sends.answered(tx, outbox_id, [sends.Answer(address=each, state="unknown") for each in waiting])
    return outbox_id
