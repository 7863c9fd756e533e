"""Snippets show why a message was found."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom.search import in_text, parse, snippet
from postroom.search.tokens import runs
from tests.search.finder import NOW

LETTERS = st.text(st.characters(exclude_categories=("Cs",), exclude_characters='\0\x02\x03"“”„«»…'))


def shown(query: str, text: str, width: int = 160) -> str:
    return snippet(text, in_text(parse(query, now=NOW)), width=width, mark=("[", "]"))


@pytest.mark.parametrize(
    ("query", "text", "expected"),
    [
        ("arger", "So ein ÄRGER!", "So ein [ÄRGER]!"),
        ("ärger", "So ein Arger!", "So ein [Arger]!"),
        ("ärger", "So ein A\u0308rger!", "So ein [Ärger]!"),
        ("strasse", "Die Straße.", "Die [Straße]."),
        ("grosse strasse", "ß ﬁ große Straße", "ß ﬁ [große] [Straße]"),
        ("rep*", "Report, repeat, wrap", "[Report], [repeat], wrap"),
        ("rep", "Report", "Report"),
        ('"the report"', "report the report", "report [the report]"),
        ('"the report"', "the\n>  report", "[the > report]"),
        ("example.co.uk", "see x@mail.example.co.uk!", "see x@mail.[example.co.uk]!"),
        ("東京", "明日は東京へ行きます。", "明日は[東京]へ行きます。"),
        ("東京", "明日は東\n京へ", "明日は[東 京]へ"),
        ("東", "東京と関東", "[東]京と関[東]"),
        ("tower", "東京Towerへ", "東京[Tower]へ"),
        ('"東京 tower"', "東京 Tower", "[東京 Tower]"),
        ("カ", "ｶﾅ", "[ｶ]ﾅ"),
        ("invoice", "in\u00advoice", "[in\u00advoice]"),
        ("a b -c", "a b c", "[a] [b] c"),
        ("subject:a from:b body:c", "a b c", "[a] b [c]"),
        ('a "a b" "b c"', "a b c", "[a b] c"),
        ("", "one\r\n  two", "one two"),
        ("x", "", ""),
        ("x", "[x]", "[x]"),
    ],
)
def test_matches_are_marked_in_the_text_as_it_was_written(query: str, text: str, expected: str) -> None:
    assert shown(query, text) == expected


def test_the_snippet_is_the_piece_with_most_different_terms() -> None:
    text = "alpha alpha alpha " + "filler " * 100 + "about alpha and beta here " + "filler " * 100
    found = shown("alpha beta", text)
    assert "about [alpha] and [beta] here" in found
    assert found.startswith("…filler ")
    assert found.endswith(" filler…")


def test_without_a_match_the_snippet_is_the_beginning() -> None:
    assert shown("nothing", "word " * 100, width=20) == "word word word word…"
    assert shown("nothing", "a short text") == "a short text"


def test_a_match_far_down_is_shown_and_one_farther_than_is_read_is_not() -> None:
    assert "the [needle] there" in shown("needle", "filler " * 25_000 + "the needle there")
    assert "[" not in shown("needle", "filler " * 30_000 + "the needle there")


def test_a_match_longer_than_the_snippet_is_shown_whole() -> None:
    phrase = "one two three four five six seven"
    assert f"[{phrase}]" in shown(f'"{phrase}"', "zero " * 50 + phrase + " eight" * 50, width=25)


def test_a_text_without_spaces_is_cut_anywhere() -> None:
    assert shown("needle", "x" * 10_000, width=50) == "x" * 50 + "…"
    assert "[東京]" in shown("東京", "あ" * 10_000 + "東京" + "あ" * 10_000, width=50)


@given(before=LETTERS, middle=LETTERS, after=LETTERS, width=st.integers(20, 300))
def test_marks_are_paired_and_nothing_is_added(before: str, middle: str, after: str, width: int) -> None:
    text = f"{before} \x02{middle}\x03 {after}"
    wanted = runs(middle)
    terms = in_text(parse(" ".join(f'"{run}"' for run in wanted), now=NOW))
    found = snippet(text, terms, width=width)
    assert found.count("\x02") == found.count("\x03")
    assert len(found) <= 2 * width + 2 * found.count("\x02") + 2
    plain = found.replace("\x02", "").replace("\x03", "").strip("…")
    assert "".join(plain.split()) in "".join(normal(text).split())
    if wanted and 3 * len(text) < width:
        assert "\x02" in found


def normal(text: str) -> str:
    return snippet(text, (), width=10_000)
