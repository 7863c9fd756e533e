"""What a query means, and where it is not understood."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from itertools import product
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postroom.errors import QuerySyntaxError
from postroom.search import Document, parse
from postroom.search.nodes import (
    After,
    And,
    Before,
    Everything,
    In,
    Is,
    Larger,
    Match,
    Node,
    Not,
    Or,
    Smaller,
)
from postroom.search.query import MAX_CHARACTERS, MAX_DEPTH, MAX_TERMS
from tests.search.finder import NOW, Finder, people


def word(*parts: str, is_prefix: bool = False) -> Match:
    return Match(field="any", parts=parts, is_prefix=is_prefix)


def day(year: int, month: int, date: int, hour: int = 0, minute: int = 0, *, zone: tzinfo = UTC) -> int:
    return int(datetime(year, month, date, hour, minute, tzinfo=zone).timestamp() * 1000)


A, B, C, D = word("a"), word("b"), word("c"), word("d")


@pytest.mark.parametrize(
    ("query", "node"),
    [
        ("", Everything()),
        ("  \t\n", Everything()),
        ("a", A),
        ("a b", And(nodes=(A, B))),
        ("a AND b", And(nodes=(A, B))),
        ("a OR b", Or(nodes=(A, B))),
        ("a|b | c", Or(nodes=(A, B, C))),
        ("a b OR c d", Or(nodes=(And(nodes=(A, B)), And(nodes=(C, D))))),
        ("a (b OR c) d", And(nodes=(A, Or(nodes=(B, C)), D))),
        ("-a", Not(node=A)),
        ("NOT a", Not(node=A)),
        ("NOT -a", A),
        ("a -(b c)", And(nodes=(A, Not(node=And(nodes=(B, C)))))),
        ("or and not", And(nodes=(word("or"), word("and"), word("not")))),
        ('"OR"', word("or")),
        ('"a b"', word("a", "b")),
        ("“a b”", word("a", "b")),
        ('"a (b) -c | d: e"', word("a", "b", "c", "d", "e")),
        ("inv*", word("inv", is_prefix=True)),
        ('"a inv"*', word("a", "inv", is_prefix=True)),
        ("foo-bar", word("foo", "bar")),
        ("don't", word("don", "t")),
        ("C++", word("c")),
        ("2025-01-17", word("2025", "01", "17")),
        ("10:30", word("10", "30")),
        ("a@b.c", word("a", "b", "c")),
        ("https://example.org/x", word("https", "example", "org", "x")),
        ("FROM:A", Match(field="from", parts=("a",))),
        ("from:a@b.c", Match(field="from", parts=("a@b.c",))),
        ('from:"Ann Lee"', Match(field="from", parts=("ann", "lee"))),
        ("-from:a", Not(node=Match(field="from", parts=("a",)))),
        ("from:-a", Match(field="from", parts=("a",))),
        ("from:OR", Match(field="from", parts=("or",))),
        (
            "to:(a OR -b)",
            Or(nodes=(Match(field="to", parts=("a",)), Not(node=Match(field="to", parts=("b",))))),
        ),
        ("subject:re:", Match(field="subject", parts=("re",))),
        ("filename:.tar.gz", Match(field="filename", parts=("tar", ".gz"))),
        ("has:attachment", Match(field="has", parts=("attachment",))),
        ("has:Attachments", Match(field="has", parts=("attachment",))),
        ("is:starred", Is(state="flagged")),
        ("is:(unread OR draft)", Or(nodes=(Is(state="unread"), Is(state="draft")))),
        ("in:inbox", In(folder="inbox")),
        ('in:"Sent Mail"', In(folder="Sent Mail")),
        ("in:Work/2025", In(folder="Work/2025")),
        ("larger:500", Larger(size_bytes=500)),
        ("larger:10k", Larger(size_bytes=10 * 1024)),
        ("smaller:1.5MB", Smaller(size_bytes=1_572_864)),
        ("smaller:2GB", Smaller(size_bytes=2 * 1024**3)),
        ("larger:999999999999999t", Larger(size_bytes=2**63 - 1)),
    ],
)
def test_a_query_means_what_it_says(query: str, node: Node) -> None:
    assert parse(query, now=NOW) == node


@pytest.mark.parametrize(
    ("query", "node"),
    [
        ("before:2025-01-31", Before(at_ms=day(2025, 1, 31))),
        ("before:2025-01", Before(at_ms=day(2025, 1, 1))),
        ("before:2025", Before(at_ms=day(2025, 1, 1))),
        ("after:2025-01-31", After(at_ms=day(2025, 1, 31))),
        ("after:2025/1/31", After(at_ms=day(2025, 1, 31))),
        ("after:today", After(at_ms=day(2025, 3, 31))),
        ("before:yesterday", Before(at_ms=day(2025, 3, 30))),
        ("after:7d", After(at_ms=day(2025, 3, 24, 12, 30))),
        ("after:2w", After(at_ms=day(2025, 3, 17, 12, 30))),
        ("before:1m", Before(at_ms=day(2025, 2, 28, 12, 30))),
        ("before:13m", Before(at_ms=day(2024, 2, 29, 12, 30))),
        ("before:1y", Before(at_ms=day(2024, 3, 31, 12, 30))),
        ("on:2025-02", And(nodes=(After(at_ms=day(2025, 2, 1)), Before(at_ms=day(2025, 3, 1))))),
        ("on:2024-12-31", And(nodes=(After(at_ms=day(2024, 12, 31)), Before(at_ms=day(2025, 1, 1))))),
        ("on:2024", And(nodes=(After(at_ms=day(2024, 1, 1)), Before(at_ms=day(2025, 1, 1))))),
        ("on:1d", And(nodes=(After(at_ms=day(2025, 3, 30)), Before(at_ms=day(2025, 3, 31))))),
        ('on:"yesterday"', And(nodes=(After(at_ms=day(2025, 3, 30)), Before(at_ms=day(2025, 3, 31))))),
    ],
)
def test_a_date_is_its_first_moment_and_an_age_counts_from_now(query: str, node: Node) -> None:
    assert parse(query, now=NOW) == node


def test_days_are_those_of_the_given_time_zone() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    late = datetime(2025, 3, 30, 22, 30, tzinfo=UTC)
    start, end = day(2025, 3, 31, zone=berlin), day(2025, 4, 1, zone=berlin)
    assert parse("on:today", now=late, timezone=berlin) == And(nodes=(After(at_ms=start), Before(at_ms=end)))
    # The day on which the clocks change has 23 hours.
    changed = parse("on:2025-03-30", now=late, timezone=berlin)
    assert isinstance(changed, And)
    first, last = changed.nodes
    assert isinstance(first, After)
    assert isinstance(last, Before)
    assert timedelta(milliseconds=last.at_ms - first.at_ms) == timedelta(hours=23)


@pytest.mark.parametrize(
    ("query", "position", "reason"),
    [
        ("form:alice", 1, "did you mean from:?"),
        ("x colour:red", 3, "there is no field colour:"),
        ("is:urgent", 4, "is: knows unread, read"),
        ("has:wings", 5, "has: knows attachment"),
        ("has:attach*", 5, "has: knows attachment, not 'attach*'"),
        ("(a b", 1, "this parenthesis is not closed"),
        ("(a (b)", 1, "this parenthesis is not closed"),
        ("a (b", 3, "this parenthesis is not closed"),
        ("a b)", 4, "closes nothing"),
        ('a "b c', 3, "the quote that begins here does not end"),
        ("()", 2, "a word is due before this )"),
        ("a OR", 5, "the query ends where a word is due"),
        ("OR a", 1, "a word is due before this OR"),
        ("a AND OR b", 7, "a word is due before this OR"),
        ("a -", 3, "'-' has no letter or digit"),
        ("a NOT", 6, "the query ends"),
        ("a & b", 3, "'&' has no letter or digit"),
        ("from:", 1, "from: needs a value right after the colon"),
        ("a from: b", 3, "from: needs a value right after the colon"),
        ("(from:)", 2, "from: needs a value right after the colon"),
        ('from:""', 6, "there is nothing between these quotes"),
        ('from:"  "', 6, "there is nothing between these quotes"),
        ("from:()", 7, "a word is due before this )"),
        ("from:@", 6, "'@' has no letter or digit"),
        ("filename:.", 10, "'.' has no letter or digit"),
        ("*", 1, "'*' has no letter or digit"),
        ("fo*o", 3, "a * can only stand at the end of a word"),
        ("a *foo", 3, "a * can only stand at the end of a word"),
        ("in:work*", 4, "in: takes the name of a folder"),
        ("on:2025-13", 4, "'2025-13' is no date"),
        ("on:2025-02-30", 4, "'2025-02-30' is no date"),
        ("on:2025-00", 4, "is no date"),
        ("after:0000", 7, "is no date"),
        ("after:9999y", 7, "is no date"),
        ("after:9999m", 7, "is no date"),
        ("after:soon", 7, "write 2025-01-31"),
        ("before:2025*", 8, "'2025*' is no date"),
        ("larger:big", 8, "'big' is no size; write 500, 10k"),
        ("larger:-1", 8, "is no size"),
        ("smaller:1.2.3", 9, "is no size"),
        ("a " * (MAX_TERMS + 1), 2 * MAX_TERMS + 1, "at most 1,000 terms"),
        ("term " * 10_000, MAX_CHARACTERS + 1, "at most 10,000 characters, this one 50,000"),
        ("(" * 5_000, MAX_DEPTH + 1, "parentheses go at most 20 deep"),
        ("-(" * 5_000, 2 * MAX_DEPTH + 2, "parentheses go at most 20 deep"),
        ("-" * 5_000, 5_000, "has no letter or digit"),
        ("NOT " * 2_000, 8_001, "the query ends"),
        ("a in:b\0", 7, "this character is no text"),
        ("\ud800", 1, "this character is no text"),
    ],
)
def test_a_syntax_error_names_the_place_and_the_reason(query: str, position: int, reason: str) -> None:
    with pytest.raises(QuerySyntaxError) as caught:
        parse(query, now=NOW)
    assert caught.value.fields["position"] == position
    assert reason in caught.value.fields["reason"]
    assert f"at character {position}" in str(caught.value)


@given(st.text(st.sampled_from('ab"()|-*: \t@.ÄÖ東京ORANDNT/12')) | st.text())
def test_any_input_is_a_query_or_a_syntax_error_within_it(query: str) -> None:
    caught = None
    try:
        parse(query, now=NOW)
    except QuerySyntaxError as error:
        caught = error
    assert caught is None or 1 <= caught.fields["position"] <= len(query) + 1


@settings(max_examples=300, deadline=None)
@given(st.text(st.sampled_from("ab\"()|-*: \t@.'\\&!<>ÄÖ東京\0\ud800"), max_size=30))
def test_what_is_a_query_is_understood_by_the_database(finder: Finder, query: str) -> None:
    try:
        parse(query, now=NOW)
    except QuerySyntaxError:
        return
    document = Document(subject="a b", from_=people("Ä <a@b>"), text="東京 ab")
    assert finder.finds(query, document) in (True, False)


TREES = st.recursive(
    st.sampled_from(["a", "b", "c", "from:d"]),
    lambda inner: st.tuples(st.sampled_from(["", "OR", "-"]), inner, inner),
    max_leaves=8,
)


def spelled(tree: object) -> str:
    if not isinstance(tree, tuple):
        return str(tree)
    operator, left, right = tree
    return f"({spelled(left)} {operator or 'AND'} {spelled(right)})".replace(" - ", " -")


def holds(tree: object, present: set[str]) -> bool:
    if not isinstance(tree, tuple):
        return tree in present
    operator, left, right = tree
    first, second = holds(left, present), holds(right, present)
    return first or second if operator == "OR" else first and second != (operator == "-")


@settings(max_examples=60, deadline=None)
@given(TREES)
def test_operators_nested_in_any_way_find_what_logic_says(finder: Finder, tree: object) -> None:
    for chosen in product([False, True], repeat=4):
        present = {term for term, is_in in zip(("a", "b", "c", "from:d"), chosen, strict=True) if is_in}
        document = Document(
            text=" ".join(present - {"from:d"}), from_=people("<d@x>") if "from:d" in present else ()
        )
        assert finder.finds(spelled(tree), document) is holds(tree, present)
