"""A report is there when the tenant is gone, and not when it is not, even if the answer to the commit is lost."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from postroom.errors import StoreError
from postroom.model import TenantId
from postroom.ops.erase import erase
from postroom.store import system
from postroom.store.database import Database
from tests.support.lost_answers import Cut, way_to
from tests.support.site import Store


def _is_there(store: Store, name: str) -> bool:
    return any(each["name"] == name for each in store.json("tenant", "list")["items"])


def _erased(store: Store, name: str, out: Path, cut: Cut) -> Any:
    """Over a way that is cut at the commit behind the report."""
    tenant_id = next(each["id"] for each in store.json("tenant", "list")["items"] if each["name"] == name)
    tenant = system.Tenant(id=TenantId(UUID(tenant_id)), name=name)

    async def work(url: str) -> Any:
        async with Database(url) as db:
            return await erase(
                db, store.settings, store.site, tenant, out=out, report=lambda done, total, what: None
            )

    with way_to(store.site.url("email_owner"), cut, out.exists) as (way, url):
        try:
            return asyncio.run(work(url))
        finally:
            assert way.was_cut


def test_a_report_is_kept_when_only_the_answer_was_lost(store: Store, tmp_path: Path) -> None:
    name, out = store.tenant(), tmp_path / "report.json"
    said = _erased(store, name, out, Cut.BEFORE_ITS_ANSWER)
    assert not _is_there(store, name)
    assert json.loads(out.read_text()) == said
    assert store.json("report", "verify", str(out))["valid"] is True


def test_a_report_of_what_did_not_come_to_be_is_no_more(store: Store, tmp_path: Path) -> None:
    name, out = store.tenant(), tmp_path / "report.json"
    with pytest.raises(StoreError, match="cannot be reached"):
        _erased(store, name, out, Cut.BEFORE_IT_ARRIVES)
    assert _is_there(store, name)
    assert list(tmp_path.iterdir()) == []
    store.cli("tenant", "erase", name, "--yes-erase", name, "--report", str(out))
    assert store.json("report", "verify", str(out))["valid"] is True


def test_a_report_that_nobody_can_confirm_says_so_by_its_name(store: Store, tmp_path: Path) -> None:
    name, out = store.tenant(), tmp_path / "report.json"
    with pytest.raises(StoreError, match="nobody can say now whether the tenant is erased"):
        _erased(store, name, out, Cut.FOR_GOOD)
    assert not _is_there(store, name)
    (unconfirmed,) = tmp_path.iterdir()
    assert unconfirmed.name == "report.json.unconfirmed"
    assert store.json("report", "verify", str(unconfirmed))["valid"] is True
