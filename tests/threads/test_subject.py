"""The base subject of RFC 5256 2.1."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom.threads import base_subject
from postroom.threads.subject import analysed


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        ("hello", "HELLO"),
        ("Re: hello", "HELLO"),
        ("RE : hello", "HELLO"),
        ("re[4]: hello", "HELLO"),
        ("Re:Fw: FWD:hello", "HELLO"),
        ("Re: hello (fwd) (Fwd)", "HELLO"),
        ("[list] Re: hello", "HELLO"),
        ("Re: [list] [other] hello", "HELLO"),
        ("[Fwd: Re: [list] hello (fwd)]", "HELLO"),
        ("[fwd: [fwd: hello]]", "HELLO"),
        ("  two \t words\r\n folded ", "TWO WORDS FOLDED"),
        ("[list]", "[LIST]"),
        ("Re: [a] [b]", "[B]"),
        ("[fwd: hello] more", "MORE"),
        ("[unclosed hello", "[UNCLOSED HELLO"),
        ("Regarding: hello", "REGARDING: HELLO"),
        ("Re hello", "RE HELLO"),
        ("Aw: hello", "AW: HELLO"),
        ("Re:", ""),
        ("Re: (fwd)", ""),
        ("[fwd:]", ""),
        ("", ""),
    ],
)
def test_what_an_answer_adds_is_taken_away(subject: str, expected: str):
    assert base_subject(subject) == expected


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("Ärger", "ÄRGER"),
        ("Ärger", "A\u0308rger"),
        ("Re： 件名", "件名"),
        ("ΣΊΣΥΦΟΣ", "σίσυφοσ"),
        ("Привет", "ПРИВЕТ"),
        ("Ｒｅ： ｆｕｌｌ", "ＦＵＬＬ"),
        ("one\u00a0two", "one two"),
    ],
)
def test_case_and_spelling_of_any_language_do_not_matter(first: str, second: str):
    assert base_subject(first) == base_subject(second)


def test_accents_do_matter():
    assert base_subject("Mass") != base_subject("Maß")
    assert base_subject("resume") != base_subject("résumé")


@pytest.mark.parametrize("subject", ["Re: x", "x (fwd)", "[fwd: x]", "[list] fw: x", "[list] [fwd: x]"])
def test_answers_and_forwarded_messages_are_known_as_such(subject: str):
    assert analysed(subject).is_reply


@pytest.mark.parametrize("subject", ["x", "[list] x", " x ", "regarding x", "", "(fwd) x"])
def test_other_messages_are_not(subject: str):
    assert not analysed(subject).is_reply


pieces = st.lists(
    st.sampled_from(["re", "fw", "fwd", ":", "[", "]", "[l]", " ", "(fwd)", "[fwd:", "x", "ä"]), max_size=12
)


@given(st.text(st.characters(max_codepoint=127)) | pieces.map("".join))
def test_a_base_subject_has_nothing_more_to_take_away(subject: str):
    assert base_subject(base_subject(subject)) == base_subject(subject)


@given(st.sampled_from(["Re: ", "FW:", "[list] re: ", "re[2] : "]), pieces.map("".join))
def test_an_answer_has_the_subject_of_its_question(prefix: str, subject: str):
    assert base_subject(prefix + subject) == base_subject(subject)


@pytest.mark.parametrize(
    ("before", "after"),
    [("Re:", ""), ("[x]", ""), (" ", ""), ("[fwd:", "]"), ("", "(fwd)"), ("[l] re: [fwd:", "]")],
)
def test_a_hundred_thousand_additions_are_taken_away(before: str, after: str):
    assert base_subject(before * 100_000 + "x" + after * 100_000) == "X"


@pytest.mark.parametrize("piece", ["(FWD)", "[FWD:", "[", "RE [", "]", "RE", "\u0300\u0316"])
def test_a_subject_of_half_a_megabyte_that_only_looks_like_one_is_kept(piece: str):
    subject = piece * 100_000 + "X"
    assert base_subject(subject) == subject
