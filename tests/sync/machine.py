"""A machine that does what servers, clients, networks and power cuts do, in any order, and then looks for a difference.

Its rules call one method each; a rule for another side of the story is one more method and one more `@rule`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from postroom.blobs import Blobs
from postroom.errors import PostroomError
from postroom.model import Account, MessageId, TenantId
from postroom.store import accounts, credentials, folders, intents
from postroom.store.credentials import MasterKey
from postroom.store.database import Database, TenantTx
from postroom.sync.account import AccountSync
from postroom.sync.ingest import Tally
from postroom.sync.verify import Verifier
from postroom.testing import Fault, ImapServer, NoSuchFolder, Personality, Script
from postroom.testing.mailbox import Held
from postroom.wire.imap import ImapSource
from tests.store.mailroom import new_tenant
from tests.support.site import Store

SHORT_SECONDS = 0.4
"""How long our client waits for a server that falls silent by the script."""
LONG_SECONDS = 20.0
"""How long it waits where none does: also on a machine that has more to do."""
MASTER = MasterKey("test", bytes(32))
FLAGS = ("\\Seen", "\\Flagged", "\\Answered", "\\Draft", "\\Deleted", "blue", "$Forwarded")
_COMMANDS = ("FETCH", "FETCH", "FETCH", "EXAMINE", "LIST", "STATUS", "SEARCH", "*")
_KINDS = "cut cut cut garbage refuse throttle bye twice literal silent vanish arrive reflag renumber remove stall".split()
NAMES = ("Work", "Work/2026", "Größe & Co", "Old")


def letter(number: int, *, is_nameless: bool = False, is_long: bool = False) -> bytes:
    """The same bytes for the same arguments; some have no Message-ID to be known by."""
    head = b"" if is_nameless else b"Message-ID: <%d@example.test>\r\n" % number
    head += b"Date: Thu, 01 Jan 2026 00:00:00 +0000\r\nSubject: Letter %d\r\n\r\n" % number
    return head + b"a line of the letter )\r\n" * (200 if is_long else 1)


letters = st.builds(letter, st.integers(0, 12), is_nameless=st.booleans(), is_long=st.booleans())
"""Few different ones, so that the same message often lies in several places."""
words = st.frozensets(st.sampled_from(FLAGS), max_size=3)
faults = st.lists(
    st.builds(
        Fault,
        kind=st.sampled_from(_KINDS),
        command=st.sampled_from(_COMMANDS),
        nth=st.integers(1, 6),
        after=st.one_of(st.integers(0, 400), st.integers(-5, 5).map(abs)),
    ),
    min_size=1,
    max_size=4,
)


class Killed(BaseException):
    """The power went."""


class MortalDatabase(Database):
    """The same database, for a program that dies at a given transaction: before it begins, or before it is committed."""

    dies_at: int | None = None
    dies_before_commit = False
    _count = 0
    _task: asyncio.Task[Any] | None = None

    def live_until(self, transaction: int | None, *, before_commit: bool = False) -> None:
        """Counted in the task that calls this: the heartbeat has its own time."""
        self.dies_at, self.dies_before_commit, self._count = transaction, before_commit, 0
        self._task = asyncio.current_task()

    @asynccontextmanager
    async def tenant(self, *arguments: Any, **options: Any) -> AsyncIterator[TenantTx]:  # pyright: ignore[reportIncompatibleMethodOverride]
        if self.dies_at is None or asyncio.current_task() is not self._task:
            async with super().tenant(*arguments, **options) as tx:
                yield tx
            return
        self._count += 1
        if self._count > self.dies_at or (self._count == self.dies_at and not self.dies_before_commit):
            raise Killed
        async with super().tenant(*arguments, **options) as tx:
            yield tx
            if self._count == self.dies_at:
                raise Killed


class Office:
    """The store of this run with one event loop; every history has a tenant and a server of its own."""

    def __init__(self, store: Store, runner: asyncio.Runner, db: MortalDatabase) -> None:
        self.store, self.runner, self.db = store, runner, db
        self.settings = replace(store.settings, batch_messages=4)
        self.blobs = Blobs(self.settings)


@contextmanager
def open_office(store: Store) -> Iterator[Office]:
    with asyncio.Runner() as runner:
        db = MortalDatabase(store.site.url("email_worker"))
        runner.run(db.__aenter__())
        try:
            yield Office(store, runner, db)
        finally:
            runner.run(db.__aexit__(None, None, None))


class Machine(RuleBasedStateMachine):
    """Subclasses say which server it is."""

    office: Office
    personality: Personality

    def __init__(self) -> None:
        super().__init__()
        self.server = ImapServer(self.personality)
        self.server.__enter__()
        self.mailbox = self.server.mailbox
        self.tenant_id: TenantId = new_tenant(self.office.store)
        self.account = self._run(self._new_account())

    def teardown(self) -> None:
        try:
            self.quiet()
        finally:
            self.server.__exit__(None, None, None)

    async def _new_account(self) -> Account:
        self.office.db.live_until(None)
        async with self.office.db.tenant(self.tenant_id) as tx:
            account = await accounts.ensure(tx, "me@example.com")
            credential = await credentials.put_password(tx, account.id, "secret", MASTER)
            await accounts.connect(
                tx,
                account.id,
                protocol="imap",
                hostname=self.server.host,
                port=self.server.port,
                encryption="none",
                username=self.server.username,
                credential_id=credential,
            )
            return await accounts.by_email(tx, "me@example.com")

    def _run(self, work: Any) -> Any:
        return self.office.runner.run(work)

    def _some(self, at: int) -> tuple[str, int] | None:
        """A message, by a number."""
        places = [(name, uid) for name, folder in self.mailbox.folders.items() for uid in folder.entries]
        return places[at % len(places)] if places else None

    def _folder(self, at: int) -> str:
        names = list(self.mailbox.folders)
        return names[at % len(names)]

    # What the world does

    @initialize(several=st.lists(letters, max_size=6))
    def begin(self, several: list[bytes]) -> None:
        for each in several:
            self.mailbox.append("INBOX", each)

    @rule(at=st.integers(0, 9), several=st.lists(letters, min_size=1, max_size=6), given=words)
    def arrives(self, at: int, several: list[bytes], given: frozenset[str]) -> None:
        for each in several:
            self.mailbox.append(self._folder(at), each, given)

    @rule(at=st.integers(0, 30), given=words)
    def is_flagged(self, at: int, given: frozenset[str]) -> None:
        if place := self._some(at):
            self.mailbox.store(*place, given)

    @rule(at=st.integers(0, 30), several=st.integers(1, 3))
    def is_expunged(self, at: int, several: int) -> None:
        if place := self._some(at):
            self.mailbox.expunge(place[0], range(place[1], place[1] + several))

    @rule(at=st.integers(0, 30), to=st.integers(0, 9), is_move=st.booleans(), several=st.integers(1, 3))
    def is_copied_or_moved(self, at: int, to: int, is_move: bool, several: int) -> None:
        place, target = self._some(at), self._folder(to)
        if place and place[0] != target:
            uids = range(place[1], place[1] + several)
            (self.mailbox.move if is_move else self.mailbox.copy)(place[0], uids, target)

    @rule(name=st.sampled_from(NAMES))
    def folder_is_made(self, name: str) -> None:
        try:
            self.mailbox.create(self.personality.prefix + name)
        except NoSuchFolder:
            pass  # there is one already

    @rule(at=st.integers(0, 9), now=st.sampled_from(NAMES))
    def folder_is_renamed(self, at: int, now: str) -> None:
        folder = self.mailbox.folder(self._folder(at))
        if folder.name != "INBOX" and not folder.use:
            try:
                self.mailbox.rename(folder.name, self.personality.prefix + now)
            except NoSuchFolder:
                pass

    @rule(at=st.integers(0, 9))
    def folder_is_deleted(self, at: int) -> None:
        folder = self.mailbox.folder(self._folder(at))
        if folder.name != "INBOX" and not folder.use:
            self.mailbox.delete(folder.name)

    @rule(at=st.integers(0, 9))
    def folder_is_renumbered(self, at: int) -> None:
        self.mailbox.renumber(self._folder(at))

    # What we do

    @rule(several=faults, accepts=st.booleans())
    def sync_with_faults(self, several: list[Fault], accepts: bool) -> None:
        self._sync_with(several, accepts=accepts)

    def _sync_with(self, several: list[Fault], *, accepts: bool) -> None:
        self.server.script = Script(several)
        try:
            self._run(self._sync(accept_empty=accepts))
        except PostroomError:
            pass  # said in a sentence; the next run goes on
        finally:
            self.server.script = Script()

    @rule(at=st.integers(1, 12), before_commit=st.booleans())
    def sync_that_dies(self, at: int, before_commit: bool) -> None:
        try:
            self._run(self._sync(dies_at=at, before_commit=before_commit))
        except (Killed, PostroomError):
            pass

    @precondition(lambda self: not self.personality.lies)
    @rule()
    def sync_as_usual(self) -> None:
        self._run(self._sync())

    @rule(at=st.integers(0, 30), add=words, remove=words)
    def we_mark(self, at: int, add: frozenset[str], remove: frozenset[str]) -> None:
        no_flags_of_ours = {"\\Deleted"}
        self._run(
            self._change(at, partial(self._mark, add - remove - no_flags_of_ours, remove - no_flags_of_ours))
        )

    @rule(at=st.integers(0, 30), to=st.integers(0, 9), is_move=st.booleans())
    def we_move_or_copy(self, at: int, to: int, is_move: bool) -> None:
        self._run(self._change(at, partial(self._move, to, is_move)))

    async def _mark(
        self, add: frozenset[str], remove: frozenset[str], tx: TenantTx, message_id: MessageId
    ) -> None:
        await intents.mark(tx, [message_id], add=add, remove=remove)

    async def _move(self, to: int, is_move: bool, tx: TenantTx, message_id: MessageId) -> None:
        there = [each for each in await folders.of_account(tx, self.account.id) if each.is_selectable]
        work = intents.move if is_move else intents.copy
        await work(tx, [message_id], there[to % len(there)].id)

    async def _change(self, at: int, work: Callable[[TenantTx, MessageId], Awaitable[None]]) -> None:
        """Something is done to a message of ours, if there is one."""
        with self.office.store.connect("postgres") as connection:
            rows = connection.execute(
                "select id from email_messages where tenant_id = %s and not is_deleted order by received_at, id",
                [self.tenant_id],
            ).fetchall()
        if not rows:
            return
        try:
            async with self.office.db.tenant(self.tenant_id) as tx:
                await work(tx, MessageId(rows[at % len(rows)][0]))
        except PostroomError:
            pass  # it cannot get there, and that is said

    async def _sync(
        self, *, accept_empty: bool = False, dies_at: int | None = None, before_commit: bool = False
    ) -> Tally:
        self.office.db.live_until(dies_at, before_commit=before_commit)
        source = self._source()
        try:
            return await AccountSync(
                self.office.db,
                self.office.blobs,
                self.office.settings,
                self.tenant_id,
                self.account,
                source,
            ).run(accept_empty=accept_empty)
        finally:
            self.office.db.live_until(None)
            source.close()

    def _source(self) -> ImapSource:
        is_short = self.personality.lies or bool(self.server.script.left)
        return ImapSource(
            host=self.server.host,
            port=self.server.port,
            encryption="none",
            username=self.server.username,
            password=self.server.password,
            timeout_seconds=SHORT_SECONDS if is_short else LONG_SECONDS,
            batch_messages=5,
        )

    # What must be so

    @rule()
    def quiet(self) -> None:
        """Nothing goes wrong any more: both sides are equal, and every UID is accounted for."""
        self._run(self._sync(accept_empty=True))
        held, ours = self._theirs(), self._ours()
        assert ours == held, f"not equal after a quiet sync\nserver: {held}\nours:   {ours}"
        again = self._run(self._sync())
        assert (again.stored, again.vanished, again.reflagged) == (0, 0, 0), again
        if not self.personality.lies:  # what it shows to the verifier are lies as well
            self._run(self._verified())
        self._run(self._adds_up())

    def _theirs(self) -> dict[str, dict[int, Held]]:
        return {name: dict(held) for name, held in self.mailbox.held().items()}

    def _ours(self) -> dict[str, dict[int, Held]]:
        """Read from the tables, past all of the program."""
        with self.office.store.connect("postgres") as connection:
            names = connection.execute(
                "select name from email_folders where tenant_id = %s and not is_deleted and is_selectable",
                [self.tenant_id],
            ).fetchall()
            rows = connection.execute(
                "select f.name, f.uidvalidity = p.uidvalidity, p.uid, encode(m.content_hash, 'hex'),"
                " p.flags || p.keywords, m.is_deleted"
                " from email_placements p join email_folders f on f.tenant_id = p.tenant_id and f.id = p.folder_id"
                " join email_messages m on m.tenant_id = p.tenant_id and m.id = p.message_id"
                " where p.tenant_id = %s and p.vanished_at is null",
                [self.tenant_id],
            ).fetchall()
        found: dict[str, dict[int, Held]] = {name: {} for (name,) in names}
        for name, is_current, uid, digest, given, is_deleted in rows:
            assert is_current, f"{name}, UID {uid} is of an old numbering"
            assert not is_deleted, f"{name}, UID {uid} lives, and its message does not"
            found.setdefault(name, {})[uid] = (digest, frozenset(given))
        return found

    async def _verified(self) -> None:
        source = self._source()
        try:
            found = await Verifier(
                self.office.db, self.office.blobs, self.tenant_id, self.account, source, is_deep=True
            ).run()
        finally:
            source.close()
        for each in found:
            assert not each.difference.count, f"{each.name}: {each.difference.by_kind()}"

    async def _adds_up(self) -> None:
        async with self.office.db.tenant(self.tenant_id) as tx:
            for each in await folders.ledger(tx, self.account.id):
                assert each.unaccounted == 0, each
                assert each.is_deleted or (each.pending, each.quarantined) == (0, 0), each
                held = self._theirs().get(each.name, {})  # a mere level of the tree holds nothing
                assert each.is_deleted or each.stored == len(held), each
            assert await tx.rows(folders.QUERIES.miscounted) == []


class LastingMachine(Machine):
    """One whose faults may last: what goes wrong once is asked for again at once, and so never skipped."""

    @rule(several=faults, accepts=st.booleans(), times=st.integers(2, 4))
    def sync_with_lasting_faults(self, several: list[Fault], accepts: bool, times: int) -> None:
        self._sync_with([replace(each, times=times) for each in several], accepts=accepts)
