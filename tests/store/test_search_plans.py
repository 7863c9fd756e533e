"""Search finds words by the index, for the tenant alone: the plans that are made inside the function, as they ran."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import pytest

from tests.store.crowd import Crowd, nodes

WORDS = "idx_email_messages_text_search"
NEWEST = "idx_email_search_entries_received"
# auto_explain, a module of PostgreSQL's own contrib, says how each statement inside a function was carried out.
LISTEN = """
load 'auto_explain';
set auto_explain.log_min_duration = 0;
set auto_explain.log_nested_statements = on;
set auto_explain.log_analyze = on;
set auto_explain.log_format = json;
set auto_explain.log_level = notice;
"""
SIZES = [60000, 20000, 8000, 3000, 1200, 600, 300, 120, 60, 30]
SEARCH = "select count(*) from email_search_messages(%s, %s, %s, 50, null, null)"


def _search(
    crowd: Crowd, tenant_id: UUID, query: dict[str, Any], ranked_by: str | None = None, user: str = ""
) -> tuple[int, list[dict[str, Any]]]:
    """How many messages were found, and every scan of the search entries that it took."""
    heard: list[str] = []
    with crowd.connect("postgres") as connection:
        connection.execute(LISTEN.encode())
        connection.execute(f"set role email_service; set app.current_tenant_id = '{tenant_id}'".encode())
        connection.execute(f"set app.current_user_id = '{user}'".encode())
        connection.add_notice_handler(lambda notice: heard.append(notice.message_primary or ""))
        row = connection.execute(SEARCH.encode(), [tenant_id, json.dumps(query), ranked_by]).fetchone()
    plans = [json.loads(text[text.index("{") :])["Plan"] for text in heard if "plan:" in text]
    scans = [node for plan in plans for node in nodes(plan) if _looks_at_entries(node)]
    assert row
    assert scans, heard
    return row[0], scans


def _looks_at_entries(node: dict[str, Any]) -> bool:
    return node.get("Relation Name") == "email_search_entries" or node.get("Index Name") in (WORDS, NEWEST)


def _conditions(scans: list[dict[str, Any]], index: str) -> list[str]:
    return [node["Index Cond"] for node in scans if node.get("Index Name") == index]


@pytest.mark.parametrize("size", range(10))
@pytest.mark.parametrize(("word", "one_in"), [("rare7", 5000), ("medium", 50)])
@pytest.mark.parametrize("ranked_by", [None, "w1"])
def test_words_are_found_by_the_index_and_within_the_tenant(
    crowd: Crowd, word: str, one_in: int, size: int, ranked_by: str | None
) -> None:
    tenant_id = crowd.tenants[size]
    found, scans = _search(crowd, tenant_id, {"ts": word}, ranked_by)
    assert found == min(50, -(-(SIZES[size] - 6) // 5000) if one_in == 5000 else SIZES[size] // 50)
    conditions = _conditions(scans, WORDS)
    assert conditions
    assert all(str(tenant_id) in condition and word in condition for condition in conditions)
    assert not [node for node in scans if node["Node Type"] == "Seq Scan"]


@pytest.mark.parametrize("size", [0, 5, 9])
@pytest.mark.parametrize("word", ["rare7", "medium", "w2"])
def test_a_user_finds_words_by_the_index_too(crowd: Crowd, word: str, size: int) -> None:
    tenant_id = crowd.tenants[size]
    message = crowd.message_of[tenant_id]
    whole, _ = _search(crowd, tenant_id, {"ts": word})
    found, scans = _search(crowd, tenant_id, {"ts": word}, user=str(message["user_id"]))
    assert found <= whole
    if (
        word != "w2"
    ):  # where a user has few messages, to look at each of them may cost less than a common word
        assert _conditions(scans, WORDS)


def test_a_common_word_is_looked_for_among_the_newest(crowd: Crowd) -> None:
    found, scans = _search(crowd, crowd.tenants[0], {"ts": "w2"})
    assert found == 50
    (looked_at,) = [node["Actual Rows"] for node in scans if node.get("Index Name") == NEWEST]
    assert looked_at <= 150
    assert not _conditions(scans, WORDS)


def test_a_rarer_one_is_looked_for_further_back_before_all_matches_are_gathered(crowd: Crowd) -> None:
    found, scans = _search(crowd, crowd.tenants[0], {"ts": "w12"})
    assert found == 50
    assert max(node["Actual Rows"] for node in scans if node.get("Index Name") == NEWEST) in range(151, 1501)
    assert not _conditions(scans, WORDS)


def test_words_in_order_are_looked_for_where_the_index_has_them_all(crowd: Crowd) -> None:
    """Only then is the order of the words looked at, from the newest message on; weights and negations likewise."""
    for words in ("w30 <-> w31", "w31:D & w30:A", "w31 & w30 & !(w2 <-> w7)"):
        _, scans = _search(crowd, crowd.tenants[0], {"ts": words})
        (condition,) = _conditions(scans, WORDS)
        assert "''w30'' & ''w31''" in condition or "''w31'' & ''w30''" in condition
        assert not [node for node in scans if node["Node Type"] == "Seq Scan"]


def test_a_common_word_with_a_rare_condition_does_not_read_every_message(crowd: Crowd) -> None:
    """Left alone the planner would read all of the tenant's words for one that half of the messages have."""
    _, scans = _search(crowd, crowd.tenants[0], {"and": [{"ts": "w2"}, {"larger": 5000}]})
    assert _conditions(scans, WORDS)
    assert all(node["Node Type"] != "Seq Scan" for node in scans)
    assert max(node["Actual Rows"] for node in scans if node.get("Index Name") == NEWEST) <= 150


@pytest.mark.parametrize("word", ["rare8", "medium", "w2"])
@pytest.mark.parametrize(
    "also",
    [
        {"in": {"name": "inbox"}},
        {"flag": "answered"},
        {"flag": "read"},
        {"not": {"ts": "w7"}},
        {"or": [{"ts": "w3"}, {"larger": 10}]},
        {"after": 0},
    ],
    ids=str,
)
def test_a_word_goes_with_every_other_condition(crowd: Crowd, word: str, also: dict[str, Any]) -> None:
    for size in (0, 9):
        _, scans = _search(crowd, crowd.tenants[size], {"and": [{"ts": word}, also]})
        assert not [node for node in scans if node["Node Type"] == "Seq Scan"]
