"""Texts and pages as a person reads them."""

from __future__ import annotations

import pytest

from postroom.mime.bodies import HTML_CHARACTERS, html_to_text, preview_of, unflowed


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("This goes \non.\n", "This goes on.\n"),
        ("> quoted \n> text\nanswer\n", "> quoted text\nanswer\n"),
        (">> a \n> b\n", ">> a \n> b\n"),
        ("> a \nb\n", "> a \nb\n"),
        ("text \n-- \nsignature \nhere\n", "text \n-- \nsignature here\n"),
        (" >stuffed\n From me\n", " >stuffed\n From me\n"),
        ("a \n  stuffed\n", "a  stuffed\n"),
        ("fixed\nlines\n", "fixed\nlines\n"),
        ("no end ", "no end "),
        (" \n \n", "\n\n"),
    ],
)
def test_flowed_text_is_unwrapped(text: str, expected: str):
    assert unflowed(text, deletes_space=False) == expected


def test_stuffed_spaces_go_where_a_text_flows():
    assert unflowed("a \nb\n >not quoted\n From\n", deletes_space=False) == "a b\n>not quoted\nFrom\n"


def test_delsp_deletes_the_space_that_flows():
    assert unflowed("まみ \nむめ\n", deletes_space=True) == "まみむめ\n"


def test_a_long_flowed_text_is_the_same_as_its_pieces():
    paragraph = "word \n" * 999 + "end\n"
    assert unflowed(paragraph * 5, deletes_space=False) == ("word " * 999 + "end\n") * 5


def test_a_page_is_read_without_what_is_not_seen():
    page = "<html><head><title>T</title><style>p { color: red }</style><script>x()</script></head><!-- no --><p>Hello &amp; <b>bye</b></p><img alt=cat>"
    text = html_to_text(page)
    assert "Hello & bye" in text
    assert "cat" in text
    assert not any(unseen in text for unseen in ("color", "x()", "no", "T\n"))


def test_a_page_longer_than_a_piece_loses_no_word():
    words = [f"word{at}" for at in range(20_000)]
    text = html_to_text("".join(f"<p>{word}</p>" for word in words))
    assert text.split() == words


def test_only_so_much_of_a_page_is_read():
    text = html_to_text("<p>word</p>" * (HTML_CHARACTERS // 5))
    assert len(text.split()) == pytest.approx(HTML_CHARACTERS / 11, rel=0.01)


@pytest.mark.parametrize(
    "page", ["<style>" * 9, "<!--" * 9, "<script>never closed", "<p", "<", "&", "<style", "<a b='"]
)
def test_a_broken_page_is_text_all_the_same(page: str):
    assert isinstance(html_to_text(page), str)


def test_a_preview_is_of_one_line_and_two_hundred_characters():
    assert preview_of("  a \r\n\t b\u00a0c \n", None) == "a b c"
    assert preview_of("word " * 100, None) == ("word " * 40).strip()
    assert preview_of(" \n" * 5000 + "late", None) == "late"


def test_a_preview_is_of_the_page_where_there_is_no_text():
    assert preview_of(" \n", "<style>p{}</style><p>Hello</p>\u200c\u200b<p>you</p>") == "Hello you"
    assert preview_of(None, "<div>" * 3000 + "deep") == "deep"
    assert (
        preview_of(None, "<table>" + "<tr><td></td></tr>" * 2000 + "<tr><td>late</td></tr></table>") == "late"
    )
    assert preview_of(None, None) == ""
