"""Run: the due messages of one account, sent over one connection, each once.

A crash at any instant leaves a row that tells how far it came: see queries/sends.sql and docs/explain/sending.md.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TypeAlias

from postroom.blobs import Blobs
from postroom.errors import (
    BlobDamaged,
    BlobMissing,
    CertificateRefused,
    DatabaseUnreachable,
    SendingInDoubt,
    SendingUnavailable,
    SourceError,
    UsageError,
)
from postroom.ids import now_ms
from postroom.model import AccountId, TenantId
from postroom.outbox import copies, retry, verdict
from postroom.outbox.dkim import Signer
from postroom.outbox.signing_in import TokensOf, sign_in_of
from postroom.outbox.verdict import Verdict
from postroom.settings import Settings
from postroom.store import credentials, senders, sends
from postroom.store.credentials import MasterKey
from postroom.store.database import Database
from postroom.store.sends import Answer, Claimed
from postroom.wire.smtp import ANSWER_TIMES, Envelope, Reply, SmtpConnection, SmtpServer, connect

LOST = (
    "the connection or the worker was lost while the message was being sent: whether it arrived is not known"
)
FOUND = "found in the mailbox"
_COMMANDS_AT_MOST = 8
"""A lease outlasts so many answers that take as long as they may, and one more for each recipient."""
_WRITE_TRIES = 6
_Offered: TypeAlias = tuple[SmtpConnection, Reply, dict[str, Reply]]


@dataclass(slots=True)
class Tally:
    """What was done."""

    sent: int = 0
    put_off: int = 0
    failed: int = 0
    unknown: int = 0
    copied: int = 0
    problems: list[str] = field(default_factory=list)
    """Why something was left undone: sentences for a person."""

    def add(self, other: Tally) -> None:
        self.sent += other.sent
        self.put_off += other.put_off
        self.failed += other.failed
        self.unknown += other.unknown
        self.copied += other.copied
        self.problems += other.problems


async def run_due(
    db: Database,
    blobs: Blobs,
    settings: Settings,
    tenant_id: TenantId,
    account_id: AccountId,
    *,
    master: MasterKey,
    tokens: TokensOf | None = None,
    chance: Callable[[], float] = random.random,
) -> Tally:
    """Send what is due, settle what can be settled, put copies into the Sent folder. Safe beside other workers."""
    run = _Run(db, blobs, settings, tenant_id, account_id, master, tokens, chance)
    try:
        await run.settle()
        await run.send()
    finally:
        await run.close()
    copied, problem = await copies.run(
        db, blobs, settings, tenant_id, account_id, master=master, tokens=tokens
    )
    run.tally.copied = copied
    run.tally.problems += [problem] if problem else []
    return run.tally


class _Run:
    def __init__(
        self,
        db: Database,
        blobs: Blobs,
        settings: Settings,
        tenant_id: TenantId,
        account_id: AccountId,
        master: MasterKey,
        tokens: TokensOf | None,
        chance: Callable[[], float],
    ) -> None:
        self._db = db
        self._blobs = blobs
        self._settings = settings
        self._tenant_id = tenant_id
        self._account_id = account_id
        self._master = master
        self._tokens_of = tokens
        self._chance = chance
        self._connection: SmtpConnection | None = None
        self._is_fresh = True
        """Nobody was served over the connection yet."""
        self._wants_copy = False
        self._signer: Signer | None = None
        self.tally = Tally()

    async def close(self) -> None:
        if self._connection is not None:
            await self._connection.close()

    async def settle(self) -> None:
        """What was on its way when its worker died is unknown; what the mailbox holds was sent."""
        before = now_ms() - self._settings.outbox_lost_after_seconds * 1000
        async with self._db.tenant(self._tenant_id) as tx:
            lost = await sends.lost(tx, self._account_id, before=before, error=LOST)
            for outbox_id in await sends.found_in_mailbox(tx, self._account_id):
                if await sends.settle(tx, outbox_id, was_sent=True, error=None):
                    await sends.accepted(tx, outbox_id, FOUND, wants_copy=False)
        self.tally.unknown += len(lost)

    async def send(self) -> None:
        """One message after the other until nothing is due, or the server is away."""
        while claimed := await self._claim():
            try:
                await self._one(claimed)
            except (SendingUnavailable, CertificateRefused, UsageError) as error:
                await self._put_off(claimed, str(error))
                self.tally.problems.append(str(error))
                return
            except (BlobMissing, BlobDamaged) as error:
                await self._conclude(claimed, Verdict(state="failed", answers=(), error=str(error)))
            except SendingInDoubt as error:
                self.tally.unknown += 1
                self.tally.problems.append(str(error))

    async def _claim(self) -> Claimed | None:
        # Until `start` nothing is sent, so a lease that is too short wastes a try and harms nobody.
        lease_seconds = self._settings.smtp_timeout_seconds * _COMMANDS_AT_MOST
        async with self._db.tenant(self._tenant_id) as tx:
            return await sends.claim(tx, self._account_id, lease_seconds=lease_seconds)

    async def _one(self, claimed: Claimed) -> None:
        async with self._db.tenant(self._tenant_id) as tx:
            recipients = await sends.waiting_recipients(tx, claimed.id)
            raw = await self._blobs.read_all(tx, claimed.raw_blob)
        connection = await self._connected()
        raw = await asyncio.to_thread(self._signer.signed, raw) if self._signer else raw
        envelope = Envelope(
            sender=claimed.sender,
            recipients=recipients,
            size_bytes=len(raw),
            needs_smtputf8=claimed.needs_smtputf8,
            needs_8bitmime=claimed.needs_8bitmime,
            envelope_id=claimed.id.hex,
        )
        if reason := connection.impossible(envelope):
            refused = [Answer(address=each, state="refused", reply=reason) for each in recipients]
            await self._conclude(claimed, Verdict(state="failed", answers=refused, error=reason))
            return
        connection, mail, replies = await self._offer(connection, envelope)
        if not mail.is_ok:
            await connection.reset()
            await self._conclude(claimed, verdict.of_sender(mail, recipients))
            return
        others = verdict.before_data(replies)
        accepted = [address for address, reply in replies.items() if reply.is_ok]
        if not accepted:
            await connection.reset()
            await self._conclude(claimed, verdict.of_recipients(others))
        elif await self._start(claimed, accepted, others):
            await self._data(connection, claimed, raw, accepted, others)
        else:
            await connection.reset()

    async def _start(self, claimed: Claimed, accepted: Sequence[str], others: Sequence[Answer]) -> bool:
        """The last thing before DATA: from here on nobody knows, until somebody says what came of it."""
        async with self._db.tenant(self._tenant_id) as tx:
            if not await sends.start(tx, claimed):
                return False
            await sends.answered(tx, claimed.id, [*others, *_all(accepted, "unknown")])
        return True

    async def _data(
        self,
        connection: SmtpConnection,
        claimed: Claimed,
        raw: bytes,
        accepted: Sequence[str],
        others: Sequence[Answer],
    ) -> None:
        beat = asyncio.create_task(self._beat(claimed))
        try:
            reply = await connection.deliver(raw)
        except SendingInDoubt as error:
            in_doubt = Verdict(state="unknown", answers=(), error=str(error))
            await self._written(claimed, in_doubt, not_before=now_ms())
            raise
        except SendingUnavailable as error:
            put_back = Verdict(state="pending", answers=_all(accepted, "waiting"), error=str(error))
            await self._conclude(claimed, put_back)
            self._connection = None
            return
        finally:
            beat.cancel()
        if not reply.is_ok:
            await connection.reset()
        await self._conclude(claimed, verdict.whole(reply, accepted, others=others), said=str(reply))

    async def _beat(self, claimed: Claimed) -> None:
        """A long message, or a slow answer: others must not think that we are gone."""
        while True:
            await asyncio.sleep(max(0.5, self._settings.outbox_lost_after_seconds / 4))
            with suppress(DatabaseUnreachable):
                async with self._db.tenant(self._tenant_id) as tx:
                    await sends.goes_on(tx, claimed.id)

    async def _conclude(self, claimed: Claimed, found: Verdict, *, said: str = "") -> None:
        """Write what came of it, and when to try again."""
        now = not_before = now_ms()
        if found.state == "pending":
            not_before = now + int(retry.delay_seconds(claimed.attempts, self._chance()) * 1000)
            if retry.is_over(created_at=claimed.created_at, now=now):
                found = await self._given_up(claimed, found)
        await self._written(claimed, found, said=said, not_before=not_before)
        if any(each.state == "accepted" for each in found.answers):
            self.tally.sent += 1
        if found.state == "pending":
            self.tally.put_off += 1
        self.tally.failed += found.state == "failed"
        if found.state in ("pending", "failed") and found.error:
            self.tally.problems.append(found.error)

    async def _given_up(self, claimed: Claimed, found: Verdict) -> Verdict:
        """Whoever still waits is refused now; the message is done if anybody has it."""
        answers = [
            Answer(address=each.address, state="refused", code=each.code, reply=each.reply)
            if each.state == "waiting"
            else each
            for each in found.answers
        ]
        async with self._db.tenant(self._tenant_id) as tx:
            has_some = await sends.accepted_count(tx, claimed.id) > 0
        has_some = has_some or any(each.state == "accepted" for each in answers)
        error = f"given up after four days of trying: {found.error}"
        return Verdict(state="done" if has_some else "failed", answers=answers, error=error)

    async def _written(self, claimed: Claimed, found: Verdict, *, not_before: int, said: str = "") -> None:
        """In the database, also where that is away for some seconds: what is not written down is not known."""
        for tried in range(_WRITE_TRIES):
            try:
                async with self._db.tenant(self._tenant_id) as tx:
                    if await sends.conclude(
                        tx, claimed, found.state, error=found.error, not_before=not_before
                    ):
                        await sends.answered(tx, claimed.id, found.answers)
                        if any(each.state == "accepted" for each in found.answers):
                            await sends.accepted(tx, claimed.id, said, wants_copy=self._wants_copy)
                return
            except DatabaseUnreachable:
                if tried == _WRITE_TRIES - 1:
                    raise
                await asyncio.sleep(0.2 * 2**tried)

    async def _put_off(self, claimed: Claimed, reason: str) -> None:
        """The server is away: nobody was asked, everybody waits."""
        async with self._db.tenant(self._tenant_id) as tx:
            waiting = await sends.waiting_recipients(tx, claimed.id)
        problems = len(self.tally.problems)
        await self._conclude(
            claimed, Verdict(state="pending", answers=_all(waiting, "waiting"), error=reason)
        )
        del self.tally.problems[problems:]

    async def _offer(self, connection: SmtpConnection, envelope: Envelope) -> _Offered:
        """A connection that served a message before may have been closed since: then a new one is asked, once."""
        try:
            return connection, *await connection.offer(envelope)
        except SendingUnavailable:
            if self._is_fresh:
                raise
        connection = await self._connected()
        return connection, *await connection.offer(envelope)

    async def _connected(self) -> SmtpConnection:
        if self._connection is not None and self._connection.is_open:
            self._is_fresh = False
            return self._connection
        try:
            self._connection = await connect(await self._server())
        except SourceError as error:  # of whoever gives out tokens
            raise SendingUnavailable(where="the outbox", reason=str(error).rstrip(".")) from error
        self._is_fresh = True
        return self._connection

    async def _server(self) -> SmtpServer:
        async with self._db.tenant(self._tenant_id) as tx:
            try:
                sender = await senders.get(tx, self._account_id)
            except UsageError as error:
                raise SendingUnavailable(where="the outbox", reason=str(error).rstrip(".")) from error
            who = None
            if sender.credential_id is not None:
                mailbox = await senders.mailbox(tx, self._account_id)
                who = await sign_in_of(
                    tx,
                    sender.credential_id,
                    mailbox.email_address,
                    master=self._master,
                    tokens_of=self._tokens_of,
                )
            if sender.dkim_domain and sender.dkim_selector and sender.dkim_key_id:
                key = await credentials.get_password(tx, sender.dkim_key_id, self._master)
                self._signer = Signer(domain=sender.dkim_domain, selector=sender.dkim_selector, key=key)
        self._wants_copy = sender.sent_copy == "append"
        # Outside the transaction: a token may have to be renewed.
        password = who if isinstance(who, str) else None
        tokens = None if who is None or isinstance(who, str) else who
        return SmtpServer(
            hostname=sender.hostname,
            port=sender.port,
            encryption=sender.encryption,
            username=sender.username,
            password=password,
            access_token=await tokens.token() if tokens else None,
            fresh_token=tokens.token if tokens else None,
            ca_file=self._settings.ca_file,
            timeout_seconds=self._settings.smtp_timeout_seconds,
        )


def _all(addresses: Sequence[str], state: sends.RecipientState) -> list[Answer]:
    return [Answer(address=each, state=state) for each in addresses]


def longest_seconds(settings: Settings) -> float:
    """How long the answer to one message may take: a worker that ends should wait so long for a send."""
    return settings.smtp_timeout_seconds * ANSWER_TIMES
