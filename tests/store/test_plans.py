"""Every index earns its place: the queries that it names read it, and no query of a tenant reads a whole table."""

from __future__ import annotations

import re

import pytest

from postroom import sql
from postroom.model import Query
from tests.store.crowd import Crowd, explain, indexes_of, nodes
from tests.store.examples import examples
from tests.store.indexes import purposes
from tests.support.statements import OF_TENANTS as NOUNS_OF_TENANTS

SEARCH = "search.matches"  # its plans are made inside a function: test_search_plans.py
INSIDE = {SEARCH, "search.facets", "system.api_key_of", "standing.find"}
PAIRS = [(each.index, query) for each in purposes() for query in each.queries if query not in INSIDE]
OF_TENANTS = [
    query
    for noun in NOUNS_OF_TENANTS
    for query in vars(sql.queries(noun)).values()
    if query.name not in INSIDE
]
# Looked at as a whole on purpose: what there is of it in a tenant is what is asked for.
WHOLE = {
    "folders.miscounted",
    "audit.months",
    "moves.place_attachments",
    "moves.recount",
    "jobs.of_tenant",
    "credentials.count_by_key",
    "credentials.sealed_with_others",
}
OF_THE_TENANT = {
    *WHOLE,
    "accounts.all_accounts",
    "api_keys.all_keys",
    "changes.heads",
    "accounts.create",
    "accounts.end_lost_syncs",
    "accounts.hold_all",
    "folders.system",
    "holds.held_wholly",
    "holds.open",
    "moves.shut",
    "moves.stop",
    "moves.tenant",
    "quarantine.open",
    "tenants.keep_deleted",
    "tenants.mine",
    "standing.all_of",
    "standing.asked_of",
    "tenants.rename",
    "tenants.suspend",
    "webhooks.all_of",
    "webhooks.behind",
}
_COMPARISON = re.compile(r"(?<!tenant_id) (?:=|<|>|<=|>=) ")


def _asker(query: Query) -> str:
    return "email_owner" if query.name.startswith(("tenants.", "moves.")) else "email_worker"


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
    assert index in crowd.whole(indexes_of(plan)), plan


def test_whose_key_it_is_is_found_by_its_hash(crowd: Crowd) -> None:
    """As email_api_key_of asks, which runs as the owner."""
    with crowd.connect("postgres") as connection:
        connection.execute(b"set role email_owner")
        plan = explain(connection, "select * from email_api_keys k where k.secret_hash = sha256('x')", {})
    assert "idx_email_api_keys_secret" in indexes_of(plan), plan


# A user's own accounts are few: where a list goes over all accounts, to begin with them may be the shorter way.
@pytest.mark.parametrize(("index", "name"), [pair for pair in PAIRS if not pair[1].startswith("ops.")])
def test_a_user_reads_the_same_index(crowd: Crowd, index: str, name: str) -> None:
    largest, query = crowd.tenants[0], _named(name)
    message = crowd.message_of[largest]
    with crowd.tenant("email_worker", largest) as connection:
        connection.execute(f"set app.current_user_id = '{message['user_id']}'".encode())
        plan = explain(connection, query.text, examples(query, message))
    assert index in crowd.whole(indexes_of(plan)), plan


@pytest.mark.parametrize("size", ["largest", "smallest"])
@pytest.mark.parametrize("query", OF_TENANTS, ids=lambda query: query.name)
def test_no_query_of_a_tenant_reads_a_whole_table(crowd: Crowd, query: Query, size: str) -> None:
    tenant_id = crowd.tenants[0 if size == "largest" else -1]
    with crowd.tenant(_asker(query), tenant_id) as connection:
        plan = explain(connection, query.text, examples(query, crowd.message_of[tenant_id]))
    read = {node["Relation Name"] for node in nodes(plan) if node["Node Type"] == "Seq Scan"}
    assert not read or query.name in WHOLE, plan


@pytest.mark.parametrize("query", OF_TENANTS, ids=lambda query: query.name)
def test_no_query_walks_through_all_of_a_large_tenant(crowd: Crowd, query: Query) -> None:
    largest = crowd.tenants[0]
    with crowd.tenant(_asker(query), largest) as connection:
        plan = explain(connection, query.text, examples(query, crowd.message_of[largest]))
    conditions = [node["Index Cond"] for node in nodes(plan) if "Index Cond" in node]
    walks = [condition for condition in conditions if not _COMPARISON.search(condition)]
    assert not walks or query.name in OF_THE_TENANT, walks
