"""Quarantine: trouble is kept once, until it is resolved, and opens again when it comes back."""

from __future__ import annotations

import pytest

from postroom.model import Account
from postroom.store import accounts, quarantine
from postroom.store.database import TenantTx
from postroom.store.quarantine import Trouble

pytestmark = pytest.mark.anyio


def _trouble(origin: str, reason: str = "cut short", folder: str = "INBOX") -> Trouble:
    return Trouble(folder_name=folder, origin=origin, reason=reason)


async def _open(tx: TenantTx) -> list[tuple[str, str]]:
    return [(each["origin"], each["reason"]) for each in await quarantine.open_troubles(tx)]


async def test_the_same_trouble_again_is_one_row_with_the_newest_reason(
    tx: TenantTx, account: Account
) -> None:
    await quarantine.report(tx, account.id, [_trouble("1:7"), _trouble("1:7", "too large")])
    assert await _open(tx) == [("1:7", "too large")]
    await quarantine.report(tx, account.id, [_trouble("1:7", "cut short")])
    assert await _open(tx) == [("1:7", "cut short")]


async def test_what_was_read_after_all_is_no_trouble_until_it_comes_back(
    tx: TenantTx, account: Account
) -> None:
    await quarantine.report(tx, account.id, [_trouble("1:7"), _trouble("1:8")])
    await quarantine.resolve(tx, account.id, "INBOX", ["1:7", "1:99"])
    assert await _open(tx) == [("1:8", "cut short")]
    await quarantine.report(tx, account.id, [_trouble("1:7")])
    assert await quarantine.origins(tx, account.id, "INBOX") == {"1:7", "1:8"}


async def test_trouble_belongs_to_its_account_and_folder(tx: TenantTx, account: Account) -> None:
    other = await accounts.ensure(tx, "other@example.com")
    await quarantine.report(tx, account.id, [_trouble("1:7"), _trouble("1:7", folder="Work")])
    await quarantine.report(tx, other.id, [_trouble("1:7")])
    await quarantine.resolve(tx, account.id, "INBOX", ["1:7"])
    assert await quarantine.origins(tx, account.id, "INBOX") == set()
    assert await quarantine.origins(tx, account.id, "Work") == {"1:7"}
    assert await quarantine.origins(tx, other.id, "INBOX") == {"1:7"}
    assert len(await quarantine.open_troubles(tx)) == 2


async def test_nothing_to_report_is_nothing_done(tx: TenantTx, account: Account) -> None:
    await quarantine.report(tx, account.id, [])
    assert await _open(tx) == []
