"""A query as the database understands it."""

from __future__ import annotations

from typing import Any

import pytest

from postroom.search import Document, compiled, in_text, parse, ranked_by, tsvector
from postroom.search.query import MAX_CHARACTERS, MAX_DEPTH, MAX_TERMS
from tests.search.finder import NOW, Finder, text

YEAR_2025 = 1_735_689_600_000


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", {"all": True}),
        ("a b OR c", {"ts": "('a' & 'b') | 'c'"}),
        ("a -b -(c OR d)", {"ts": "'a' & !('b') & !('c' | 'd')"}),
        ("a -(b -c)", {"ts": "'a' & !('b' & !('c'))"}),
        ("(a b) (c d)", {"ts": "('a' & 'b') & ('c' & 'd')"}),
        ("-a", {"not": {"ts": "'a'"}}),
        ("-a -b", {"and": [{"not": {"ts": "'a'"}}, {"not": {"ts": "'b'"}}]}),
        ("a OR -b", {"or": [{"ts": "'a'"}, {"not": {"ts": "'b'"}}]}),
        ("--a", {"ts": "'a'"}),
        ("-(-a)", {"ts": "'a'"}),
        ('body:inv* subject:"x y"', {"ts": "'inv':*D & ('s:x' <1> 's:y')"}),
        ("from:o'brien@x.org", {"ts": "'f:o''brien@x.org'"}),
        (r"from:a\b@x.org", {"ts": r"'f:a\\b@x.org'"}),
        ("東京都", {"ts": "'東京' <1> '京都'"}),
        ('"東京 tower"', {"ts": "'東京' <2> 'tower'"}),
        ("都", {"ts": "'都':*"}),
        ("from:山田太", {"ts": "'f:山田' & 'f:田太'"}),
        (
            "from:alice invoice has:attachment after:2025-01-01",
            {"and": [{"ts": "'f:alice' & 'invoice' & 'has:attachment'"}, {"after": YEAR_2025}]},
        ),
        ("is:starred -is:read", {"and": [{"flag": "flagged"}, {"not": {"flag": "read"}}]}),
        ("in:Sent OR a", {"or": [{"ts": "'a'"}, {"in": {"name": "Sent"}}]}),
        ("larger:1k smaller:2k", {"and": [{"larger": 1024}, {"smaller": 2048}]}),
        ("before:2025 before:2025", {"and": [{"before": YEAR_2025}, {"before": YEAR_2025}]}),
    ],
)
def test_all_that_is_text_becomes_one_tsquery(query: str, expected: dict[str, Any]) -> None:
    assert compiled(parse(query, now=NOW)) == expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", None),
        ("-a", None),
        ("from:a is:read", None),
        ("a subject:b -c", "'a' | 'b'"),
        ('"a b" OR body:c* OR body:c*', "('a' <1> 'b') | 'c':*"),
    ],
)
def test_matches_are_ranked_by_every_text_that_is_wanted(query: str, expected: str | None) -> None:
    assert ranked_by(parse(query, now=NOW)) == expected


def test_what_is_barred_or_in_other_fields_is_not_to_be_highlighted() -> None:
    node = parse('one from:two -three (subject:four OR "five six"*)', now=NOW)
    assert [each.parts for each in in_text(node)] == [("one",), ("four",), ("five", "six")]


@pytest.mark.parametrize(
    "query",
    [
        "",
        "a",
        "-a",
        "a OR -b from:c",
        "is:unread is:read is:flagged is:starred is:draft is:answered",
        'in:inbox in:"o\'brien" in:100%/$L',
        "before:7d after:2025 on:today larger:1k smaller:5M",
        "-(a is:read) OR (b -(in:x OR is:draft))",
        "(" * MAX_DEPTH + "a" + ")" * MAX_DEPTH,
        "-(is:read OR " * MAX_DEPTH + "a" + ")" * MAX_DEPTH,
        "(is:read -(b " * (MAX_DEPTH // 2) + "a" + "))" * (MAX_DEPTH // 2),
        "-(a " * MAX_DEPTH + "b" + ")" * MAX_DEPTH,
    ],
)
def test_the_search_function_of_the_database_understands_every_node(finder: Finder, query: str) -> None:
    condition = finder.condition(query)
    assert condition is not None
    statement = f"explain select from email_search_entries s join email_messages m on true where {condition}"
    assert finder.value(statement)


def test_the_longest_queries_are_understood(finder: Finder) -> None:
    everything = text("東" * 100 + " a b")
    assert finder.finds("東" * MAX_CHARACTERS, everything) is False
    assert finder.finds("東" * 99, everything)
    assert finder.finds("a " * MAX_TERMS, everything)
    assert finder.finds("x OR " * (MAX_TERMS - 1) + "b", everything)
    assert finder.finds('"' + "a b " * 100 + '"', text("a b " * 100))


def test_ranking_puts_a_word_of_the_subject_before_one_of_the_text(finder: Finder) -> None:
    rank = "select ts_rank(%s::tsvector, %s::tsquery)"
    tsquery = ranked_by(parse("report", now=NOW))
    in_subject = finder.value(rank, tsvector(Document(subject="report", text="x")).literal, tsquery)
    in_body = finder.value(rank, tsvector(Document(subject="x", text="report")).literal, tsquery)
    assert in_subject > in_body > 0
