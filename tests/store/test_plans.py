"""Every index earns its place: the queries that it names read it, and no query of a tenant reads a whole table."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from postroom import sql
from postroom.model import Query
from tests.store.crowd import Crowd, explain, indexes_of, nodes
from tests.store.examples import examples
from tests.store.indexes import purposes

SEARCH = "search.matches"  # its plans are made inside a function: test_search_plans.py
PAIRS = [(each.index, query) for each in purposes() for query in each.queries if query != SEARCH]
NOUNS = sorted(path.stem for path in Path(sql.__file__).parent.glob("queries/*.sql"))
OF_TENANTS = [
    query
    for noun in NOUNS
    if noun not in ("system", "ops")
    for query in vars(sql.queries(noun)).values()
    if query.name != SEARCH
]
# Looked at as a whole on purpose: what there is of it in a tenant is what is asked for.
WHOLE = {"folders.miscounted", "credentials.count_by_key", "credentials.sealed_with_others"}
OF_THE_TENANT = {
    *WHOLE,
    "accounts.all_accounts",
    "accounts.create",
    "accounts.end_lost_syncs",
    "folders.system",
    "quarantine.open",
}
_COMPARISON = re.compile(r"(?<!tenant_id) (?:=|<|>|<=|>=) ")


def _named(name: str) -> Query:
    noun, _, short = name.partition(".")
    return getattr(sql.queries(noun), short)


def test_every_index_of_the_schema_says_what_it_is_for(crowd: Crowd) -> None:
    with crowd.connect("postgres") as connection:
        rows = connection.execute(b"select indexname from pg_indexes where indexname like 'idx_email%'")
        assert {row[0] for row in rows} == {each.index for each in purposes()}


@pytest.mark.parametrize(("index", "name"), PAIRS)
def test_the_query_that_an_index_names_reads_it(crowd: Crowd, index: str, name: str) -> None:
    largest, query = crowd.tenants[0], _named(name)
    with crowd.tenant("postgres" if name.startswith("ops.") else "email_worker", largest) as connection:
        plan = explain(connection, query.text, examples(query, crowd.message_of[largest]))
    assert index in indexes_of(plan), plan


@pytest.mark.parametrize("size", ["largest", "smallest"])
@pytest.mark.parametrize("query", OF_TENANTS, ids=lambda query: query.name)
def test_no_query_of_a_tenant_reads_a_whole_table(crowd: Crowd, query: Query, size: str) -> None:
    tenant_id = crowd.tenants[0 if size == "largest" else -1]
    with crowd.tenant("email_worker", tenant_id) as connection:
        plan = explain(connection, query.text, examples(query, crowd.message_of[tenant_id]))
    read = {node["Relation Name"] for node in nodes(plan) if node["Node Type"] == "Seq Scan"}
    assert not read or query.name in WHOLE, plan


@pytest.mark.parametrize("query", OF_TENANTS, ids=lambda query: query.name)
def test_no_query_walks_through_all_of_a_large_tenant(crowd: Crowd, query: Query) -> None:
    largest = crowd.tenants[0]
    with crowd.tenant("email_worker", largest) as connection:
        plan = explain(connection, query.text, examples(query, crowd.message_of[largest]))
    conditions = [node["Index Cond"] for node in nodes(plan) if "Index Cond" in node]
    walks = [condition for condition in conditions if not _COMPARISON.search(condition)]
    assert not walks or query.name in OF_THE_TENANT, walks
