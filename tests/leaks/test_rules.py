"""What the catalog promises: no table, key, view, function or login that could show one tenant to another."""

from __future__ import annotations

import pytest

from tests.leaks.catalog import Catalog
from tests.leaks.policies import TENANT, asks_for_the_tenant
from tests.leaks.rules import RULES, Rule
from tests.support.site import Store


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_catalog_keeps_its_rules(store: Store, rule: Rule) -> None:
    with store.connect("postgres") as connection:
        assert list(rule(connection, Catalog(connection))) == []


@pytest.mark.parametrize(
    "condition", [f"({TENANT})", f"(({TENANT}) AND ((a = 1) OR (b = 2)))", f"((x) AND {TENANT})"]
)
def test_a_condition_that_asks_for_the_tenant_is_known(condition: str) -> None:
    assert asks_for_the_tenant(condition)


@pytest.mark.parametrize(
    "condition", ["true", f"(({TENANT}) OR (b = 2))", f"(a AND {TENANT} OR b)", f"(NOT ({TENANT}))"]
)
def test_a_condition_that_may_do_without_is_not_taken_for_one(condition: str) -> None:
    assert not asks_for_the_tenant(condition)
