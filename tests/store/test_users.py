"""Users inside a tenant, through the store and the command line: one's own accounts, and those shared."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from postroom.errors import NotFound, StoreError
from postroom.model import AccountId, Folder, MessageId, Query, SourceFolder, TenantId, UserId
from postroom.sql import queries
from postroom.store import accounts, audit, changes, folders, messages, placements, search, shares
from postroom.store.database import Database, TenantTx
from postroom.store.placements import Placement
from tests.store.mailroom import store_message
from tests.support.site import Store

SEEN = frozenset(["\\Seen"])
USER = Query(name="users.set", text="select current_setting('app.current_user_id', true) as user_id")


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Somebody with an account and one message in it, whose only word is `word`."""

    user_id: UserId
    account_id: AccountId
    inbox: Folder
    message_id: MessageId
    word: str


@pytest.fixture
async def desks(db: Database, tenant_id: TenantId) -> list[Desk]:
    """Three people of one tenant. Nothing is shared."""
    made = []
    for word in ("apple", "pear", "plum"):
        user_id = UserId(uuid4())
        async with db.tenant(tenant_id) as tx:
            account = await accounts.ensure(tx, f"{word}@example.com", user_id=user_id)
            inbox = (await folders.ensure(tx, account.id, [SourceFolder(name="INBOX", type="inbox")]))[
                "INBOX"
            ]
            message_id = await store_message(tx, account.id, inbox.id, subject=word)
            await placements.insert(
                tx,
                [
                    Placement(
                        folder_id=inbox.id, uidvalidity=1, uid=1, message_id=message_id, flags=frozenset()
                    )
                ],
            )
            modseq = await changes.next_modseq(tx, account.id)
            await changes.append(tx, account.id, modseq, "created", "message", [message_id])
            await audit.append(tx, "account.sync", "account", account.id)
        made.append(
            Desk(user_id=user_id, account_id=account.id, inbox=inbox, message_id=message_id, word=word)
        )
    return made


async def _found(tx: TenantTx) -> set[MessageId]:
    return {each["id"] for each in (await search.matches(tx, {"all": True}, limit=20)).items}


@pytest.mark.anyio
async def test_a_user_sees_the_own_account_and_a_tenant_without_a_user_all(
    store: Store, tenant_id: TenantId, desks: list[Desk]
) -> None:
    ann, bob, _ = desks
    async with Database(store.site.url("email_service")) as db:
        async with db.tenant(tenant_id) as tx:
            assert await _found(tx) == {each.message_id for each in desks}
        async with db.tenant(tenant_id, ann.user_id) as tx:
            assert [each.id for each in await accounts.all_accounts(tx)] == [ann.account_id]
            assert await _found(tx) == {ann.message_id}
            assert await folders.of_account(tx, bob.account_id) == []
            assert await changes.since(tx, bob.account_id, 0) == []
            assert len(await changes.since(tx, ann.account_id, 0)) == 1
            with pytest.raises(NotFound):
                await messages.get(tx, bob.message_id)
        async with db.tenant(tenant_id, UserId(uuid4())) as tx:
            assert await _found(tx) == set()
            assert await accounts.all_accounts(tx) == []


@pytest.mark.anyio
async def test_the_bytes_of_a_message_are_seen_by_who_sees_the_message(
    store: Store, tenant_id: TenantId, desks: list[Desk]
) -> None:
    ann, bob, _ = desks
    async with Database(store.site.url("email_service")) as db:
        async with db.tenant(tenant_id) as tx:
            row = await messages.get(tx, ann.message_id)

        for user_id, there in ((ann.user_id, 1), (bob.user_id, 0)):
            async with db.tenant(tenant_id, user_id) as tx:
                assert len(await tx.rows(queries("blobs").get, sha256=row["raw_blob"])) == there


@pytest.mark.anyio
async def test_what_is_shared_to_be_read_is_read_and_not_written(
    db: Database, tenant_id: TenantId, desks: list[Desk]
) -> None:
    ann, bob, _ = desks
    async with db.tenant(tenant_id, ann.user_id) as tx:
        assert await shares.put(tx, ann.account_id, bob.user_id, "read")
    async with db.tenant(tenant_id, bob.user_id) as tx:
        assert await _found(tx) == {ann.message_id, bob.message_id}
        assert (await messages.get(tx, ann.message_id))["subject"] == ann.word
        assert await placements.reflag(tx, ann.inbox.id, 1, {1: SEEN}) == []
        assert await placements.forget(tx, ann.inbox.id, 1, [1]) == []
        with pytest.raises(NotFound, match="shared to be read only"):
            await changes.next_modseq(tx, ann.account_id)
    for attempt in (
        lambda tx: folders.ensure(tx, ann.account_id, [SourceFolder(name="New", type="custom")]),
        lambda tx: store_message(tx, ann.account_id, ann.inbox.id, subject="forged"),
        lambda tx: changes.append(tx, ann.account_id, 99, "deleted", "message", [ann.message_id]),
    ):
        with pytest.raises(StoreError, match="row-level security"):
            async with db.tenant(tenant_id, bob.user_id) as tx:
                await attempt(tx)


@pytest.mark.anyio
async def test_what_is_shared_to_be_written_is_written_and_counted(
    db: Database, tenant_id: TenantId, desks: list[Desk]
) -> None:
    ann, bob, _ = desks
    async with db.tenant(tenant_id) as tx:
        assert await shares.put(tx, ann.account_id, bob.user_id, "write")
    async with db.tenant(tenant_id, bob.user_id) as tx:
        await changes.next_modseq(tx, ann.account_id)
        assert await placements.reflag(tx, ann.inbox.id, 1, {1: SEEN}) == [ann.message_id]
        await placements.settle(tx, [ann.message_id])
    async with db.tenant(tenant_id, ann.user_id) as tx:
        (inbox,) = await folders.of_account(tx, ann.account_id)
        assert (inbox.total_count, inbox.unread_count) == (1, 0)
        assert (await messages.get(tx, ann.message_id))["is_read"]


@pytest.mark.anyio
async def test_a_share_is_changed_and_taken_back(
    db: Database, tenant_id: TenantId, desks: list[Desk]
) -> None:
    ann, bob, cid = desks
    async with db.tenant(tenant_id, ann.user_id) as tx:
        await shares.put(tx, ann.account_id, bob.user_id, "write")
        await shares.put(tx, ann.account_id, bob.user_id, "read")
        assert not await shares.put(tx, ann.account_id, ann.user_id, "read")
        assert not await shares.remove(tx, ann.account_id, ann.user_id)
        known = {each.user_id: each.access for each in await shares.of_account(tx, ann.account_id)}
        assert known == {ann.user_id: "owner", bob.user_id: "read"}
    async with db.tenant(tenant_id, bob.user_id) as tx:
        assert [each.access for each in await shares.of_account(tx, ann.account_id)] == ["read"]
        assert not await shares.remove(tx, ann.account_id, bob.user_id)
    with pytest.raises(StoreError, match="row-level security"):
        async with db.tenant(tenant_id, bob.user_id) as tx:
            await shares.put(tx, ann.account_id, cid.user_id, "read")
    async with db.tenant(tenant_id, ann.user_id) as tx:
        assert await shares.remove(tx, ann.account_id, bob.user_id)
    async with db.tenant(tenant_id, bob.user_id) as tx:
        assert await _found(tx) == {bob.message_id}


@pytest.mark.anyio
async def test_a_user_makes_accounts_of_their_own_and_the_trail_says_who_did(
    db: Database, tenant_id: TenantId, desks: list[Desk]
) -> None:
    ann, bob, _ = desks
    async with db.tenant(tenant_id, ann.user_id) as tx:
        made = await accounts.ensure(tx, "new@example.com")
        assert made.user_id == ann.user_id
        await audit.append(tx, "account.connect", "account", made.id)
        trail = await tx.rows(audit.QUERIES.newest, before_at=2**62, before_id=UUID(int=2**128 - 1), limit=9)
        assert {(each["action"], each["user_id"]) for each in trail} == {
            ("account.connect", ann.user_id),
            ("account.sync", None),
        }
    async with db.tenant(tenant_id, bob.user_id) as tx:
        trail = await tx.rows(audit.QUERIES.newest, before_at=2**62, before_id=UUID(int=2**128 - 1), limit=9)
        assert [each["object_id"] for each in trail] == [bob.account_id]
        # An address is one account of the tenant: that it is taken is all that another learns.
        with pytest.raises(NotFound):
            await accounts.ensure(tx, "new@example.com")


@pytest.mark.anyio
async def test_a_connection_forgets_its_user_when_the_transaction_ends(
    store: Store, tenant_id: TenantId, desks: list[Desk]
) -> None:
    ann = desks[0]
    async with Database(store.site.url("email_worker"), max_connections=1) as db:
        for _ in range(3):
            async with db.tenant(tenant_id, ann.user_id) as tx:
                assert tx.user_id == ann.user_id
                assert await tx.rows(USER) == [{"user_id": str(ann.user_id)}]
                assert len(await accounts.all_accounts(tx)) == 1
            async with db.tenant(tenant_id) as tx:
                assert tx.user_id is None
                assert await tx.rows(USER) == [{"user_id": ""}]
                assert len(await accounts.all_accounts(tx)) == 3


def test_the_command_line_shares_and_looks_as_a_user(store: Store, tmp_path: Path) -> None:
    tenant, box, bob = store.tenant(), tmp_path / "box", str(uuid4())
    store.cli("sample", str(box), "--messages", "20")
    store.cli("import", "-t", tenant, "-a", "team@example.com", str(box))
    here = ("-t", tenant)
    team = (*here, "-a", "team@example.com")

    def found() -> list[dict[str, str]]:
        return store.json("search", *here, "-n", "100", "--as-user", bob)["items"]

    everything = store.json("search", *here, "-n", "100")["items"]
    assert len(everything) == 20
    assert found() == []
    assert store.json("account", "list", *here, "--as-user", bob)["items"] == []
    assert store.cli("show", *here, everything[0]["id"], "--as-user", bob, check=False).returncode == 3

    assert "may read team@example.com" in store.cli("account", "share", *team, "--user", bob).stdout
    assert found() == everything
    assert (
        store.json("show", *here, everything[0]["id"], "--as-user", bob)["subject"]
        == everything[0]["subject"]
    )
    owner = store.json("account", "list", *here, "--as-user", bob)["items"][0]["user_id"]
    listed = json.loads(store.cli("account", "shares", *team, "--json").stdout)["items"]
    assert listed == [{"user_id": owner, "access": "owner"}, {"user_id": bob, "access": "read"}]

    store.cli("account", "unshare", *team, "--user", bob)
    assert found() == []
    for command, user, code, says in (
        ("unshare", bob, 3, "There is no share of team@example.com with user"),
        ("unshare", owner, 2, "owns team@example.com"),
        ("share", owner, 2, "owns team@example.com"),
    ):
        done = store.cli("account", command, *team, "--user", user, check=False)
        assert (done.returncode, says in done.stderr) == (code, True), done.stderr
    done = store.cli("account", "share", *team, "--user", bob, "--access", "all", check=False)
    assert (done.returncode, "there are read and write" in done.stderr) == (2, True)


@pytest.mark.anyio
@pytest.mark.parametrize("role", ["email_service", "email_worker"])
async def test_a_user_goes_on_with_the_trail_and_does_not_learn_how_long_it_is(
    store: Store, tenant_id: TenantId, desks: list[Desk], role: str
) -> None:
    ann = desks[0]
    heads = Query(name="heads", text="select place from email_audit_heads where tenant_id = %(tenant_id)s")
    async with Database(store.site.url(role)) as db:
        async with db.tenant(tenant_id, ann.user_id) as tx:
            await audit.append(tx, "account.sync", "account", ann.account_id)
            assert await tx.rows(heads) == []
            assert len(await audit.newest(tx, limit=10)) == 2
        async with db.tenant(tenant_id) as tx:
            assert [each["place"] for each in await tx.rows(heads)] == [4]
            assert (await audit.verify(tx)).faults == []
