"""Folders: made once, renamed in place, counted by the database itself."""

from __future__ import annotations

import pytest

from postroom.model import Account, Folder, FolderState, SourceFolder
from postroom.sql import queries
from postroom.store import accounts, folders
from postroom.store.database import TenantTx

pytestmark = pytest.mark.anyio


async def test_a_folder_is_made_once_and_keeps_its_id(tx: TenantTx, account: Account) -> None:
    wanted = [SourceFolder(name="INBOX", type="inbox"), SourceFolder(name="Work/2024")]
    first = await folders.ensure(tx, account.id, wanted)
    again = await folders.ensure(tx, account.id, [*wanted, SourceFolder(name="New")])
    assert {name: again[name] for name in first} == first
    assert [each.name for each in await folders.of_account(tx, account.id)] == ["INBOX", "New", "Work/2024"]


async def test_the_same_name_twice_in_a_list_is_one_folder(tx: TenantTx, account: Account) -> None:
    twice = [SourceFolder(name="Work"), SourceFolder(name="Work", type="archive")]
    assert (await folders.ensure(tx, account.id, twice))["Work"].type == "archive"


@pytest.mark.parametrize(
    "changed", [{"type": "archive"}, {"is_selectable": False}, {"wire_name": "&AOQ-"}], ids=str
)
async def test_what_the_server_changed_is_followed(
    tx: TenantTx, account: Account, changed: dict[str, object]
) -> None:
    before = (await folders.ensure(tx, account.id, [SourceFolder(name="Work")]))["Work"]
    after = (await folders.ensure(tx, account.id, [SourceFolder(name="Work", **changed)]))["Work"]
    seen = {name: getattr(after, name) for name in changed if hasattr(after, name)}
    assert (after.id, seen) == (before.id, {name: changed[name] for name in seen})
    rows = await tx.rows(queries("folders").of_account, account_id=account.id)
    assert {name: rows[0][name] for name in changed} == changed


async def test_two_accounts_may_have_a_folder_of_the_same_name(tx: TenantTx, account: Account) -> None:
    other = await accounts.ensure(tx, "other@example.com")
    made = [
        (await folders.ensure(tx, each.id, [SourceFolder(name="INBOX")]))["INBOX"]
        for each in (account, other)
    ]
    assert made[0].id != made[1].id
    assert [each.id for each in await folders.of_account(tx, other.id)] == [made[1].id]


async def test_what_the_server_said_is_remembered(tx: TenantTx, account: Account, inbox: Folder) -> None:
    state = FolderState(uidvalidity=7, uidnext=12, highestmodseq=2**60)
    await folders.set_state(tx, inbox.id, state, sync_token="t")
    (found,) = await folders.of_account(tx, account.id)
    assert (found.uidvalidity, found.uidnext, found.highestmodseq) == (7, 12, 2**60)
