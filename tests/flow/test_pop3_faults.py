"""The POP3 sync at a server that misbehaves by a script: what could not be had comes later, nothing twice, nothing is lost."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, replace

import pytest

from postroom.blobs import Blobs
from postroom.errors import ConnectionFailed, PostroomError, Throttled
from postroom.model import Account, TenantId
from postroom.store import accounts, credentials, folders
from postroom.store.credentials import MasterKey
from postroom.store.database import Database
from postroom.sync.ingest import Tally
from postroom.sync.opening import opened
from postroom.testing import PERSONALITIES, Fault, Personality, Pop3Server, Script
from postroom.testing.faults import FaultKind
from tests.store.mailroom import new_tenant
from tests.support.site import Store
from tests.wire.contract import letter

pytestmark = pytest.mark.anyio
MASTER = MasterKey("test", bytes(32))
LETTERS = [letter(number) for number in range(8)]
COMMANDS = ("CONNECT", "AUTH", "CAPA", "UIDL", "LIST", "RETR", "DELE", "QUIT")
KINDS: tuple[FaultKind, ...] = (
    *("cut", "garbage", "refuse", "throttle", "busy", "bye", "twice", "silent", "vanish", "arrive"),
)


@dataclass
class Case:
    """An account at the simulator."""

    store: Store
    db: Database
    server: Pop3Server
    tenant_id: TenantId
    account: Account
    seconds: int = 20

    async def sync(self, *faults: Fault) -> Tally:
        self.server.script = Script(faults)
        settings = replace(self.store.settings, imap_timeout_seconds=self.seconds, batch_messages=3)
        found = await opened(self.db, Blobs(settings), settings, self.tenant_id, self.account, MASTER)
        try:
            return await found.worker.run()
        finally:
            found.source.close()
            self.server.script = Script()

    def here(self) -> Counter[str]:
        """The hashes of what is in the store, each as often as it lies there."""
        with self.store.connect("postgres") as connection:
            rows = connection.execute(
                b"select encode(m.content_hash, 'hex') from email_placements p join email_messages m"
                b" on m.tenant_id = p.tenant_id and m.id = p.message_id"
                b" where p.tenant_id = %s and p.vanished_at is null and not m.is_deleted",
                [self.tenant_id],
            ).fetchall()
        return Counter(row[0] for row in rows)

    def there(self) -> Counter[str]:
        return Counter(digest for digest, _ in self.server.mailbox.held()["INBOX"].values())

    async def adds_up(self) -> None:
        async with self.db.tenant(self.tenant_id) as tx:
            for each in await folders.ledger(tx, self.account.id):
                assert (each.unaccounted, each.pending, each.quarantined) == (0, 0, 0), each


async def _case(store: Store, db: Database, server: Pop3Server, *, keep_days: int | None = None) -> Case:
    tenant_id = new_tenant(store)
    async with db.tenant(tenant_id) as tx:
        account = await accounts.ensure(tx, "me@example.com")
        key = await credentials.put_password(tx, account.id, server.password, MASTER)
        await accounts.connect(
            tx, account.id, protocol="pop3", hostname=server.host, port=server.port, encryption="none",
            username=server.username, credential_id=key, server_keep_days=keep_days,
        )  # fmt: skip
        account = await accounts.by_email(tx, "me@example.com")
    return Case(store=store, db=db, server=server, tenant_id=tenant_id, account=account)


def _filled(server: Pop3Server, count: int = 8) -> None:
    for each in LETTERS[:count]:
        server.mailbox.append("INBOX", each)


@pytest.mark.parametrize("personality", PERSONALITIES, ids=lambda each: each.name)
async def test_at_every_personality_all_mail_comes_once_and_goes_when_it_is_told_to(
    store: Store, db: Database, personality: Personality
) -> None:
    with Pop3Server(personality) as server:
        _filled(server)
        case = await _case(store, db, server)
        assert (await case.sync()).stored == 8
        assert case.here() == case.there() == Counter(hashlib.sha256(each).hexdigest() for each in LETTERS)
        assert (await case.sync()).stored == 0
        await case.adds_up()
        emptied = await _case(store, db, server, keep_days=0)
        tally = await emptied.sync()
        assert (tally.stored, tally.removed, server.mailbox.held()["INBOX"]) == (8, 8, {})
        assert emptied.here() == case.here()


@pytest.mark.parametrize("kind", KINDS)
async def test_no_fault_at_any_command_loses_or_doubles_anything(
    store: Store, db: Database, kind: FaultKind
) -> None:
    """Each run deletes on the server what it stored: at every moment a message is there, or here, or both."""
    for command in COMMANDS:
        if (kind, command) == ("twice", "RETR"):
            continue  # a message that is given otherwise than it is cannot be known from another
        for after in (0, 20) if kind == "cut" or command in ("RETR", "DELE") else (0,):
            with Pop3Server() as server:
                _filled(server, 4)
                given = Counter(hashlib.sha256(each).hexdigest() for each in LETTERS[:4])
                case = await _case(store, db, server, keep_days=0)
                try:
                    await case.sync(Fault(kind=kind, command=command, nth=1 + bool(after), after=after))
                except PostroomError:
                    pass  # said in a sentence; the next run goes on
                if kind != "vanish":  # what somebody else deleted before it was fetched is nowhere
                    assert not given - (case.here() | case.there()), (command, after)
                left = case.there()
                await case.sync()
                assert not left - case.here(), (command, after)
                assert max(case.here().values()) == 1, (command, after)
                assert not case.there(), (command, after)
                await case.adds_up()


async def test_a_server_that_falls_silent_in_a_message_gets_it_asked_again(
    store: Store, db: Database
) -> None:
    with Pop3Server() as server:
        _filled(server)
        case = await _case(store, db, server)
        case.seconds = 1
        assert (await case.sync(Fault(kind="stall", command="RETR", nth=3, after=30))).stored == 8
        await case.adds_up()


@pytest.mark.parametrize(
    ("kind", "error", "says"),
    [
        ("busy", ConnectionFailed, "Somebody else is there"),
        ("throttle", Throttled, "Too many requests"),
        ("bye", ConnectionFailed, "Server is going down"),
    ],
)
async def test_what_a_server_says_at_the_sign_in_is_quoted(
    store: Store, db: Database, kind: FaultKind, error: type[Exception], says: str
) -> None:
    with Pop3Server() as server:
        case = await _case(store, db, server)
        with pytest.raises(error, match=says):
            await case.sync(Fault(kind=kind, command="AUTH"))


async def test_two_messages_of_one_name_are_one_and_go_together(store: Store, db: Database) -> None:
    with Pop3Server() as server:
        for each in (LETTERS[0], LETTERS[0], LETTERS[1]):
            server.mailbox.append("INBOX", each)
        server.names = {1: "same", 2: "same"}
        case = await _case(store, db, server, keep_days=0)
        assert (await case.sync()).stored == 2
        assert not case.there()
        await case.adds_up()


async def test_a_server_that_names_everything_anew_doubles_nothing(store: Store, db: Database) -> None:
    with Pop3Server() as server:
        _filled(server)
        case = await _case(store, db, server)
        await case.sync()
        messages = case.here()
        server.mailbox.renumber("INBOX")
        assert (await case.sync()).stored == 0
        assert set(case.here()) == set(messages)
        await case.adds_up()
