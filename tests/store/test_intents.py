"""What people change is done here at once, with an intent for the server, an entry in the feed and one in the trail."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from postroom.errors import NotFound, UsageError
from postroom.model import Account, Folder, FolderId, FolderState, MessageId, SourceFolder, TenantId
from postroom.sql import queries
from postroom.store import (
    accounts,
    audit,
    changes,
    credentials,
    folder_intents,
    folders,
    intent_outcomes,
    intent_rows,
    intents,
    messages,
    placements,
    quarantine,
    removal,
)
from postroom.store.audit import Actor
from postroom.store.credentials import MasterKey
from postroom.store.database import Database, TenantTx
from postroom.store.intent_places import lies
from postroom.store.placements import Placement
from postroom.store.quarantine import Trouble
from tests.store.mailroom import new_tenant, store_message
from tests.support.site import Store

pytestmark = pytest.mark.anyio
SEEN, FLAGGED = "\\Seen", "\\Flagged"
FOLDERS = ("INBOX", "Archive", "Trash")


class Desk:
    """A tenant with an account that has three letters in INBOX, two of them read."""

    def __init__(self, db: Database, tenant_id: TenantId) -> None:
        self.db, self.tenant_id = db, tenant_id
        self.account: Account
        self.folders: dict[str, Folder] = {}
        self.letters: list[MessageId] = []

    async def begin(self, *, has_server: bool) -> None:
        async with self.db.tenant(self.tenant_id) as tx:
            self.account = await accounts.ensure(tx, "me@example.com")
            kinds = {"INBOX": "inbox", "Archive": "archive", "Trash": "trash"}
            listed: Any = [
                SourceFolder(name=name, type=kinds[name], wire_name=name * has_server) for name in FOLDERS
            ]
            self.folders = await folders.ensure(tx, self.account.id, listed)
            if has_server:
                await self._connect(tx)
            self.letters = [
                await store_message(tx, self.account.id, self.id("INBOX"), subject=f"Letter {number}")
                for number in range(3)
            ]
            await placements.insert(
                tx,
                [
                    Placement(
                        folder_id=self.id("INBOX"),
                        uidvalidity=7 if has_server else 1,
                        uid=uid,
                        message_id=each,
                        flags=frozenset([SEEN] if uid < 3 else []),
                    )
                    for uid, each in enumerate(self.letters, 1)
                ],
            )
            await placements.settle(tx, self.letters)

    async def _connect(self, tx: TenantTx) -> None:
        credential_id = await credentials.put_password(
            tx, self.account.id, "secret", MasterKey("k", b"0" * 32)
        )
        await accounts.connect(
            tx,
            self.account.id,
            protocol="imap",
            hostname="localhost",
            port=993,
            encryption="tls",
            username="me",
            credential_id=credential_id,
        )
        for each in self.folders.values():
            await folders.set_state(tx, each.id, FolderState(uidvalidity=7), sync_token="")

    def id(self, name: str) -> FolderId:
        return self.folders[name].id

    async def where(self, tx: TenantTx, message: MessageId) -> list[str]:
        return [each["name"] for each in await placements.of_message(tx, message)]

    async def counts(self, tx: TenantTx, name: str) -> tuple[int, int]:
        assert await tx.rows(queries("folders").miscounted) == []
        found = await folders.get(tx, self.id(name))
        return found.total_count, found.unread_count

    async def waiting(self, tx: TenantTx) -> list[str]:
        return [each.kind for each in await intent_rows.next_of(tx, self.account.id, limit=100)]

    async def said(self, tx: TenantTx) -> tuple[list[tuple[str, str]], str]:
        """Kinds of the last change of the feed, and the newest action of the trail."""
        feed = await changes.since(tx, self.account.id, 0)
        last = [(each.kind, each.object_type) for each in feed if each.modseq == feed[-1].modseq]
        return last, (await audit.newest(tx, limit=1))[0]["action"]


@pytest.fixture
async def app(store: Store, anyio_backend: str) -> AsyncIterator[Database]:
    """The application's own door, not the workers'."""
    async with Database(store.site.url("email_service")) as found:
        yield found


@pytest.fixture
async def desk(store: Store, db: Database) -> Desk:
    made = Desk(db, new_tenant(store))
    await made.begin(has_server=True)
    return made


@pytest.fixture
async def tx(app: Database, desk: Desk) -> AsyncIterator[TenantTx]:
    """The application's transaction, of the user whose account it is."""
    async with app.tenant(desk.tenant_id, desk.account.user_id) as found:
        yield found


async def test_a_mark_is_there_at_once(desk: Desk, tx: TenantTx) -> None:
    done = await intents.mark(tx, desk.letters, add=[SEEN, "$Junk"])
    assert (done.messages, len(done.intents)) == (desk.letters, 3)
    assert await desk.counts(tx, "INBOX") == (3, 0)
    assert (await messages.get(tx, desk.letters[2]))["is_read"]
    said = await intent_rows.of_messages(tx, [desk.letters[0], desk.letters[2]])
    assert [each.added for each in said] == [{"$Junk"}, {SEEN, "$Junk"}]
    assert await desk.said(tx) == ([("updated", "message")], "message.mark")
    assert (await intents.mark(tx, desk.letters, add=[SEEN])).messages == []
    assert (await tx.rows(queries("jobs").due, limit=9))[0]["due_at"] == 0  # a worker comes soon


async def test_what_is_taken_back_before_the_server_knew_needs_no_telling(desk: Desk, tx: TenantTx) -> None:
    await intents.mark(tx, desk.letters[:1], add=[FLAGGED], remove=[SEEN])
    await intents.mark(tx, desk.letters[:1], add=["$Work"], remove=[FLAGGED])
    (one,) = await intent_rows.of_messages(tx, desk.letters)
    assert (one.added, one.removed) == ({"$Work"}, {SEEN})
    await intents.mark(tx, desk.letters[:1], add=[SEEN], remove=["$Work"])
    assert await desk.waiting(tx) == []


@pytest.mark.parametrize("word", ["\\Deleted", "\\Recent", "two words", "", "(", "ä", "a" * 101])
async def test_a_word_that_no_server_keeps_is_refused(desk: Desk, tx: TenantTx, word: str) -> None:
    with pytest.raises(UsageError):
        await intents.mark(tx, desk.letters, add=[word])
    with pytest.raises(UsageError):
        await intents.mark(tx, desk.letters, add=[SEEN], remove=["\\seen"])


async def test_a_message_is_in_its_new_folder_at_once(desk: Desk, tx: TenantTx) -> None:
    actor = Actor(user_id=desk.account.user_id)
    done = await intents.move(tx, desk.letters[1:], desk.id("Archive"), actor=actor)
    assert (done.messages, await desk.waiting(tx)) == (desk.letters[1:], ["move", "move"])
    assert (await desk.counts(tx, "INBOX"), await desk.counts(tx, "Archive")) == ((1, 0), (2, 1))
    assert await desk.where(tx, desk.letters[1]) == ["Archive"]
    row = await messages.get(tx, desk.letters[1])
    assert (row["folder_id"], row["imap_uid"]) == (desk.id("Archive"), None)
    assert await desk.said(tx) == ([("updated", "message")], "message.move")
    # The server has them where they were, and nothing of them where they are.
    assert set(await placements.living(tx, desk.id("INBOX"), 7)) == {1, 2, 3}
    assert await placements.living(tx, desk.id("Archive"), 7) == {}
    assert await placements.count_listed(tx, desk.id("INBOX"), 7) == 3
    assert (await intents.move(tx, desk.letters[1:], desk.id("Archive"))).messages == []


async def test_a_copy_is_made_once(desk: Desk, tx: TenantTx) -> None:
    assert len((await intents.copy(tx, desk.letters, desk.id("Archive"))).intents) == 3
    assert (await intents.copy(tx, desk.letters, desk.id("Archive"))).messages == []
    assert await desk.where(tx, desk.letters[0]) == ["Archive", "INBOX"]
    await intents.move(tx, desk.letters[:1], desk.id("Trash"), from_folder_id=desk.id("Archive"))
    assert await desk.where(tx, desk.letters[0]) == ["INBOX", "Trash"]


async def test_a_message_does_not_leave_its_account(desk: Desk, tx: TenantTx) -> None:
    other = await accounts.ensure(tx, "other@example.com")
    inbox = (await folders.ensure(tx, other.id, [SourceFolder(name="INBOX")]))["INBOX"]
    with pytest.raises(UsageError, match="another account"):
        await intents.move(tx, desk.letters, inbox.id)
    ours = (await folders.ensure(tx, desk.account.id, [SourceFolder(name="Only here")]))["Only here"]
    with pytest.raises(UsageError, match="only here"):
        await intents.copy(tx, desk.letters, ours.id)


async def test_what_is_deleted_goes_to_trash_and_comes_back_untold(desk: Desk, tx: TenantTx) -> None:
    assert set((await intents.delete(tx, desk.letters[:2])).messages) == set(desk.letters[:2])
    assert await desk.waiting(tx) == ["move", "move"]
    assert (await desk.counts(tx, "INBOX"), await desk.counts(tx, "Trash")) == ((1, 1), (0, 0))
    assert (await messages.get(tx, desk.letters[0]))["is_deleted"]
    assert await removal.count_purgeable(tx, before=2**62) == 0  # its server does not know yet
    assert set((await intents.undelete(tx, desk.letters)).messages) == set(desk.letters[:2])
    assert await desk.waiting(tx) == []
    assert (await desk.counts(tx, "INBOX"), await desk.counts(tx, "Trash")) == ((3, 1), (0, 0))
    assert await desk.where(tx, desk.letters[0]) == ["INBOX"]


async def test_what_is_deleted_from_trash_goes_for_good(desk: Desk, tx: TenantTx) -> None:
    await intents.move(tx, desk.letters[:1], desk.id("Trash"))
    await intents.delete(tx, desk.letters[:1])
    assert await desk.waiting(tx) == ["move", "expunge"]
    await intents.undelete(tx, desk.letters[:1])
    assert await desk.where(tx, desk.letters[0]) == ["Trash"]


async def test_a_folder_is_made_renamed_and_deleted(desk: Desk, tx: TenantTx) -> None:
    made = await folder_intents.create(tx, desk.account.id, "Work/2026")
    assert await desk.said(tx) == ([("created", "folder")], "folder.create")
    await intents.move(tx, desk.letters, made.folder.id)
    renamed = await folder_intents.rename(tx, made.folder.id, "Jobs")
    assert (renamed.folder.id, renamed.folder.name) == (made.folder.id, "Jobs")
    deleted = await folder_intents.delete(tx, made.folder.id)
    assert (deleted.messages, deleted.folder.is_deleted) == (3, True)
    assert await desk.where(tx, desk.letters[0]) == ["Trash"]
    told = ["create_folder", "move", "move", "move", "rename_folder", "move", "move", "move", "delete_folder"]
    assert await desk.waiting(tx) == told
    assert await desk.said(tx) == ([("deleted", "folder")], "folder.delete")
    with pytest.raises(NotFound):
        await folder_intents.rename(tx, made.folder.id, "Again")


@pytest.mark.parametrize("name", ["", "a//b", "/a", "a/", " a", "inbox", "Archive", "a*", "x\n", "b" * 201])
async def test_a_name_that_cannot_be_is_refused(desk: Desk, tx: TenantTx, name: str) -> None:
    with pytest.raises(UsageError):
        await folder_intents.create(tx, desk.account.id, name)
    with pytest.raises(UsageError):
        await folder_intents.rename(tx, desk.id("Trash"), name)


async def test_what_must_stay_stays(desk: Desk, tx: TenantTx) -> None:
    await folder_intents.create(tx, desk.account.id, "Archive/2025")
    for name in FOLDERS:
        with pytest.raises(UsageError):
            await folder_intents.delete(tx, desk.id(name))
    with pytest.raises(UsageError):
        await folder_intents.rename(tx, desk.id("INBOX"), "Other")
    with pytest.raises(UsageError):
        await folder_intents.rename(tx, desk.id("Archive"), "Archive/below")


async def test_a_tree_does_not_go_where_one_of_its_names_is_taken(desk: Desk, tx: TenantTx) -> None:
    for name in ("Work", "Work/2026", "Jobs/2026"):
        await folder_intents.create(tx, desk.account.id, name)
    work = await _named(tx, desk, "Work")
    with pytest.raises(UsageError, match="There is a folder Jobs/2026 already"):
        await folder_intents.rename(tx, work.id, "Jobs")
    assert (await _named(tx, desk, "Work/2026")).is_deleted is False


async def test_a_refused_name_is_taken_back_with_all_below_it(desk: Desk, db: Database) -> None:
    async with db.tenant(desk.tenant_id) as tx:
        listed = [SourceFolder(name=name, wire_name=name) for name in ("Work", "Work/2026")]
        work = (await folders.ensure(tx, desk.account.id, listed))["Work"]
        trouble = Trouble(folder_name="Work/2026", origin="7/1", reason="cut off")
        await quarantine.report(tx, desk.account.id, [trouble])
        await folder_intents.rename(tx, work.id, "Jobs")
        await _refuse_all(tx, desk)
        assert {"Work", "Work/2026"} < {each.name for each in await folders.of_account(tx, desk.account.id)}
        (row,) = await tx.rows(queries("quarantine").open)
        assert row["folder_name"] == "Work/2026"


async def test_a_name_that_was_taken_meanwhile_stays_with_whoever_took_it(desk: Desk, db: Database) -> None:
    async with db.tenant(desk.tenant_id) as tx:
        listed = [SourceFolder(name=name, wire_name=name) for name in ("Work", "Work/2026", "Old")]
        made = await folders.ensure(tx, desk.account.id, listed)
        await folder_intents.rename(tx, made["Work"].id, "Jobs")
        await folder_intents.delete(tx, made["Old"].id)
        await folders.ensure(tx, desk.account.id, [SourceFolder(name=name) for name in ("Work/2026", "Old")])
        await _refuse_all(tx, desk)
        names = [each.name for each in await folders.of_account(tx, desk.account.id)]
    assert names == ["Archive", "INBOX", "Jobs", "Jobs/2026", "Old", "Trash", "Work/2026"]


async def _named(tx: TenantTx, desk: Desk, name: str) -> Folder:
    return next(each for each in await folders.of_account(tx, desk.account.id) if each.name == name)


async def _refuse_all(tx: TenantTx, desk: Desk) -> None:
    for each in await intent_rows.next_of(tx, desk.account.id, limit=100):
        await intent_outcomes.refused(tx, [each], "NO")


async def test_where_no_server_is_nothing_is_to_be_told(store: Store, db: Database, app: Database) -> None:
    desk = Desk(db, new_tenant(store))
    await desk.begin(has_server=False)
    async with app.tenant(desk.tenant_id) as tx:
        assert (await intents.mark(tx, desk.letters, add=[FLAGGED])).messages == desk.letters
        assert (await intents.move(tx, desk.letters, desk.id("Archive"))).messages == desk.letters
        assert (await intents.copy(tx, desk.letters, desk.id("Trash"))).messages == desk.letters
        await folder_intents.delete(tx, (await folder_intents.create(tx, desk.account.id, "Work")).folder.id)
        assert (await intents.delete(tx, desk.letters[:1])).messages == desk.letters[:1]
        assert (await intents.undelete(tx, desk.letters[:1])).messages == desk.letters[:1]
        assert await desk.where(tx, desk.letters[0]) == ["Archive", "Trash"]
        assert await desk.waiting(tx) == []
        assert await desk.counts(tx, "INBOX") == (0, 0)
        assert [each.place.uid for each in await lies(tx, desk.letters[:1])] == [1, 1]
