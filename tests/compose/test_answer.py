"""Replies and forwards: to whom, about what, in which thread."""

from __future__ import annotations

import pytest

from postroom.compose.answer import forward, reply
from postroom.errors import UsageError
from postroom.mime.parse import parse
from postroom.model import Address, ParsedMessage
from tests.mime.build import mail, multipart, part

ME = Address(name="Me", address="me@example.com")


def original(*header: str, body: str = "First line\n> older\n") -> ParsedMessage:
    known = [
        "From: Ann <ann@a.example>",
        "To: me@example.com, Bob <bob@b.example>",
        "Cc: ME@example.com, carl@c.example",
    ]
    head = [*header, *(line for line in known if not any(h.startswith(line[:3]) for h in header))]
    lines = ["Message-ID: <2@x>", "Date: Tue, 24 Nov 2026 10:00:00 +0100", *head, "", *body.splitlines()]
    return parse(mail(*lines))


def addresses(found: tuple[Address, ...]) -> list[str]:
    return [each.address for each in found]


def test_a_reply_goes_to_the_author_and_into_the_thread():
    letter = reply(original("References: <0@x> <1@x>", "Subject: Hi"), from_=ME, text="Yes.")
    assert addresses(letter.to) == ["ann@a.example"]
    assert (letter.cc, letter.subject, letter.in_reply_to) == ((), "Re: Hi", "2@x")
    assert letter.references == ("0@x", "1@x", "2@x")
    assert letter.text == "Yes.\n\nOn 2026-11-24 at 10:00, Ann wrote:\n> First line\n>> older\n"


def test_a_reply_to_all_leaves_ourselves_out():
    letter = reply(original(), from_=ME, text="", to_all=True)
    assert addresses(letter.to) == ["ann@a.example", "bob@b.example"]
    assert addresses(letter.cc) == ["carl@c.example"]
    other = reply(original(), from_=ME, text="", to_all=True, own=["Bob@b.example"])
    assert addresses(other.to) == ["ann@a.example"]


def test_reply_to_wins_over_from():
    assert addresses(reply(original("Reply-To: list@l.example"), from_=ME, text="").to) == ["list@l.example"]


def test_an_answer_to_oneself_goes_to_those_who_got_the_first():
    letter = reply(original("From: me@example.com"), from_=ME, text="")
    assert (addresses(letter.to), addresses(letter.cc)) == (["bob@b.example"], ["carl@c.example"])
    note = reply(
        original("From: me@example.com", "To: me@example.com", "Cc: me@example.com"), from_=ME, text=""
    )
    assert addresses(note.to) == ["me@example.com"]


def test_who_wrote_from_nowhere_cannot_be_answered():
    with pytest.raises(UsageError, match="whom to answer"):
        reply(original("From: nobody at all", "To: x", "Cc: y"), from_=ME, text="")


@pytest.mark.parametrize("subject", ["Re: Hi", "RE:Hi", "re[2]: Hi"])
def test_one_re_is_enough(subject: str):
    assert reply(original(f"Subject: {subject}"), from_=ME, text="").subject == subject


def test_without_references_the_one_that_was_answered_stands_for_them():
    assert reply(original("In-Reply-To: <1@x>"), from_=ME, text="").references == ("1@x", "2@x")
    assert reply(original("In-Reply-To: <1@x> <0@x>"), from_=ME, text="").references == ("2@x",)


def test_the_page_of_a_reply_quotes_words_and_no_markup():
    letter = reply(original(body="<script>x</script>"), from_=ME, text=None, html="<p>Yes</p>")
    assert letter.html is not None
    assert "&lt;script&gt;" in letter.html
    assert letter.text is not None
    assert letter.text.startswith("Yes")


def test_a_forward_in_the_text_brings_the_attachments():
    raw = mail("From: ann@a.example", "Subject: Plan") + multipart(
        "mixed",
        part("text/plain", "See it"),
        part("application/pdf", "PDF", 'Content-Disposition: attachment; filename="a.pdf"'),
    )
    letter = forward(parse(raw), raw, from_=ME, to=(Address(address="bob@b.example"),), text="FYI")
    assert letter.subject == "Fwd: Plan"
    assert letter.text == (
        "FYI\n\n---------- Forwarded message ----------\nFrom: ann@a.example\nSubject: Plan\n\nSee it"
    )
    assert [(each.filename, each.data) for each in letter.files] == [("a.pdf", b"PDF")]


def test_a_forward_as_an_attachment_is_the_message_itself():
    raw = mail("From: ann@a.example", "Subject: a/b: c", "", "text")
    letter = forward(parse(raw), raw, from_=ME, to=(ME,), text="FYI", as_attachment=True)
    [whole] = letter.files
    assert (whole.filename, whole.mime_type, whole.data) == ("a_b_ c.eml", "message/rfc822", raw)
