"""What the index is asked for in the place of a query: never less than the query finds, and without its small print."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.search.finder import Finder

AMONG = "select email_search_among(%s::tsquery)::text"
WORDS = ("a", "b", "c", "it's", "back\\slash", "T", "<->", "x y", "'' <-> ''")


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("'a'", "'a'"),
        ("'a' <-> 'b'", "'a' & 'b'"),
        ("'a' <3> 'b'", "'a' & 'b'"),
        ("'a':*D & 'b':AB & 'c':*", "'a':* & 'b' & 'c':*"),
        ("'a' & !'b'", "'a'"),
        ("'a' & ('b' | 'c' <-> 'd')", "'a' & ( 'b' | 'c' & 'd' )"),
        ("'it''s <-> so' <-> 'b'", "'it''s <-> so' & 'b'"),
        ("'T' <-> 'b'", "'T' & 'b'"),
        ("!'a'", None),
        ("'a' | !'b'", None),
        ("", None),
    ],
)
def test_order_weights_and_negations_are_left_to_the_message(
    finder: Finder, query: str, expected: str | None
) -> None:
    wanted = None if expected is None else finder.value("select %s::tsquery::text", expected)
    assert finder.value(AMONG, query) == wanted


def _quoted(word: str) -> str:
    return "'" + word.replace("\\", "\\\\").replace("'", "''") + "'"


lexemes = st.builds(
    lambda word, label: _quoted(word) + label,
    st.sampled_from(WORDS),
    st.sampled_from(["", ":*", ":A", ":*BD"]),
)
phrases = st.builds(lambda left, step, right: f"{left} <{step}> {right}", lexemes, st.integers(1, 3), lexemes)
trees = st.recursive(
    lexemes | phrases,
    lambda inner: (
        st.builds(lambda left, sign, right: f"({left}) {sign} ({right})", inner, st.sampled_from("&|"), inner)
        | inner.map(lambda one: f"!({one})")
    ),
    max_leaves=6,
)
documents = st.lists(
    st.tuples(st.sampled_from(WORDS), st.integers(1, 6), st.sampled_from("ABCD")), max_size=6
).map(lambda places: " ".join(f"{_quoted(word)}:{at}{weight}" for word, at, weight in places))


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(query=trees, document=documents)
def test_what_matches_the_query_matches_what_the_index_is_asked_for(
    finder: Finder, query: str, document: str
) -> None:
    statement = "select not %s::tsvector @@ %s::tsquery or coalesce(%s::tsvector @@ email_search_among(%s::tsquery), true)"
    assert finder.value(statement, document, query, document, query)
