"""What a message is found by."""

from __future__ import annotations

import sys
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postroom.model import Address
from postroom.search import Document, tsvector
from postroom.search.fold import fold, fold_words
from postroom.search.tokens import WORD_LENGTH, runs, words
from postroom.search.words import TEXT_LENGTH, VECTOR_BYTES
from tests.search.finder import Finder, people, text

TEXTS = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"))


@pytest.mark.parametrize(
    ("query", "written"),
    [
        ("ärger", "So ein ÄRGER!"),
        ("arger", "So ein Ärger!"),
        ("ärger", "So ein A\u0308rger!"),
        ("strasse", "Straße 5"),
        ("HAUPTSTRAẞE", "hauptstrasse"),
        ("smorrebrod", "Smørrebrød"),
        ("lodz", "Łódź"),
        ("aether", "Æther"),
        ("istanbul", "İSTANBUL"),
        ("file", "the ﬁle"),
        ("Αθήνα", "ΑΘΗΝΑ"),
        ("οδος", "ΟΔΌΣ"),
        ("ёлка", "ЕЛКА"),
        ("invoice", "in\u00advoice"),
        ("2025", "２０２５"),
        ("أهلا", "اهلا"),
        ("שלום", "שָׁלוֹם"),
        ("हिन्दी", "यह हिन्दी है"),
        ("nino", "el Niño"),
    ],
)
def test_accents_case_and_spelling_do_not_matter(finder: Finder, query: str, written: str) -> None:
    assert finder.finds(query, text(written))


@pytest.mark.parametrize(
    ("query", "written"),
    [
        ("東京", "明日は東京へ行きます。"),
        ("東京へ行", "明日は東京へ行きます。"),
        ("東", "明日は東京へ行きます。"),
        ("京", "私は東京"),
        ("東京", "明日は東\n京へ行きます。"),
        ("カタカナ", "ﾃｷｽﾄはｶﾀｶﾅです"),
        ("ガラス", "カ\u3099ラスの靴"),
        ("会议", "明天的会议取消了"),
        ("회의", "내일 회의가 있습니다"),
        ("회", "내일 회의가 있습니다"),
        ("ประชุม", "พรุ่งนี้มีการประชุมใหญ่"),
        ("tower", "東京tower2へ tower"),
        ("東京tower", "この東京Towerです"),
        ('"東京 tower"', "この東京 Tower です"),
    ],
)
def test_a_word_inside_a_sentence_without_spaces_is_found(finder: Finder, query: str, written: str) -> None:
    assert finder.finds(query, text(written))


@pytest.mark.parametrize(
    ("query", "written"),
    [
        ("京東", "東京"),
        ("東都", "東京都"),
        ("ガラス", "カラス"),
        ('"東京 tower"', "東京の tower"),
        ("arg", "Ärger"),
        ('"one three"', "one two three"),
    ],
)
def test_other_words_are_not_found(finder: Finder, query: str, written: str) -> None:
    assert not finder.finds(query, text(written))


@pytest.mark.parametrize(
    "query",
    [
        "from:example.co.uk",
        "from:mail.example.co.uk",
        "from:@example.co.uk",
        "from:*@mail.example.co.uk",
        "from:co.uk",
        "from:.uk",
        "from:X@mail.example.co.uk",
        "from:<x@mail.example.co.uk>",
        "from:x@",
        "from:x@mail.exam*",
        "from:zoë",
        "from:zoe",
        'from:"Zoe Quux"',
        'from:"quux zoe"',
        "from:j.r.",
        "from:q*",
        "example.co.uk",
        "x@mail.example.co.uk",
        "zoe quux",
    ],
)
def test_a_sender_is_found_by_name_address_and_every_end_of_the_domain(finder: Finder, query: str) -> None:
    document = Document(from_=people("Zoë J.R. Quux <x@mail.example.co.uk>"))
    assert finder.finds(query, document)


@pytest.mark.parametrize("query", ["from:ample.co.uk", "from:mail.example", "to:zoe", "from:mail", "from:y@"])
def test_a_sender_is_not_found_by_a_piece_of_a_domain(finder: Finder, query: str) -> None:
    document = Document(from_=people("Zoë J.R. Quux <x@mail.example.co.uk>"))
    assert not finder.finds(query, document)


def test_each_person_is_found_in_their_own_field_only(finder: Finder) -> None:
    document = Document(
        from_=people("<a@one.example>"),
        to=people("<b@two.example>", "<c@three.example>"),
        cc=people("<d@four.example>"),
        bcc=people("<e@five.example>"),
    )
    found = {
        f"{field}:{domain}.example"
        for field in ("from", "to", "cc", "bcc")
        for domain in ("one", "two", "three", "four", "five")
        if finder.finds(f"{field}:{domain}.example", document)
    }
    assert found == {
        "from:one.example",
        "to:two.example",
        "to:three.example",
        "cc:four.example",
        "bcc:five.example",
    }


@pytest.mark.parametrize(
    "query", ["from:bücher.example", "from:xn--bcher-kva.example", "from:bucher.example"]
)
def test_an_international_domain_is_found_in_both_spellings(finder: Finder, query: str) -> None:
    assert finder.finds(query, Document(from_=people("<a@xn--bcher-kva.example>")))


@pytest.mark.parametrize(
    ("query", "is_found"),
    [
        ("filename:report", True),
        ("filename:report-2025.pdf", True),
        ("filename:.pdf", True),
        ("filename:*.pdf", True),
        ("filename:pdf", True),
        ("filename:.PD*", True),
        ("filename:.2025", False),
        ("filename:letter", False),
        ("report", True),
        ("has:attachment", True),
        ("body:report", False),
        ("subject:report", False),
    ],
)
def test_a_file_is_found_by_its_words_and_its_extension(finder: Finder, query: str, is_found: bool) -> None:
    document = Document(text="see there", filenames=["Report-2025.pdf"], has_attachment=True)
    assert finder.finds(query, document) is is_found


@pytest.mark.parametrize(
    "query", ["list:dev", "list:dev.lists.example.org", "list:example.org", "list:dev.*"]
)
def test_a_list_is_found_by_its_identifier_and_the_ends_of_it(finder: Finder, query: str) -> None:
    assert finder.finds(query, Document(list_id="dev.lists.example.org"))


def test_a_phrase_does_not_reach_from_one_field_into_the_next(finder: Finder) -> None:
    document = Document(subject="first last", from_=people("Ann Bee <c@d>"), filenames=["e f"], text="g h")
    assert finder.finds('"first last" "ann bee" "c d" "e f" "g h"', document)
    for across in ('"last ann"', '"d e"', '"f g"', 'subject:"last ann"'):
        assert not finder.finds(across, document)


def test_the_subject_and_the_body_are_told_apart(finder: Finder) -> None:
    document = Document(subject="Quarterly report", text="numbers of the quarter")
    assert finder.finds(
        'subject:"quarterly report" body:"the quarter" -subject:quarter -body:report', document
    )


def test_a_phrase_is_found_at_any_depth_of_a_long_text(finder: Finder) -> None:
    filler = "".join(f"w{number} " for number in range(30_000))
    assert finder.finds('"needle in haystack"', text(filler + "needle in haystack " + filler))


def test_a_word_that_is_everywhere_does_not_hide_the_others(finder: Finder) -> None:
    document = text("the " * 300_000 + "needle")
    assert finder.finds("the needle -other", document)
    assert len(tsvector(document).literal) < 2_000


def test_a_megabyte_of_unique_words_is_capped_and_not_refused(finder: Finder) -> None:
    unique = Document(subject="Subject", text=" ".join(f"{number:07d}" for number in range(150_000)))
    vector = tsvector(unique)
    assert vector.is_capped
    size = finder.value("select pg_column_size(%s::tsvector)", vector.literal)
    assert VECTOR_BYTES // 2 < size < 2 * VECTOR_BYTES
    assert finder.finds("subject 0000007 -0149999", unique)


@pytest.mark.parametrize("letter", ["x", "é", "東", "\U00020000", "ﷺ"])
def test_what_fills_the_vector_with_wide_letters_is_capped_too(finder: Finder, letter: str) -> None:
    text_ = " ".join(letter * 20 + str(number) for number in range(60_000))
    vector = tsvector(Document(subject=text_, text=text_, filenames=[text_]))
    assert vector.is_capped
    assert finder.value("select length(%s::tsvector)", vector.literal) > 1_000


def test_ten_thousand_recipients_leave_room_for_the_words(finder: Finder) -> None:
    many = people(*(f"Person {number} <p{number}@host{number}.example.org>" for number in range(10_000)))
    document = Document(subject="Party", from_=people("Ann <ann@example.org>"), to=many, text="bring cake")
    assert tsvector(document).is_capped
    assert finder.finds("subject:party from:ann to:p17@host17.example.org body:cake p9999", document)


def test_a_text_longer_than_is_read_is_found_by_its_beginning(finder: Finder) -> None:
    document = text("start " + "a " * (TEXT_LENGTH // 2) + "end")
    assert tsvector(document).is_capped
    assert finder.finds("start -end", document)


def test_an_ordinary_message_is_not_capped() -> None:
    assert not tsvector(Document(subject="Hello", text="An ordinary text. " * 500)).is_capped


def test_a_word_of_any_length_is_found_by_itself(finder: Finder) -> None:
    for length in (WORD_LENGTH, WORD_LENGTH + 1, 100_000):
        assert finder.finds("a" * min(length, 9_000), text("a" * length))
    assert not finder.finds("a" * WORD_LENGTH, text("a" * (WORD_LENGTH - 1)))


def test_every_character_of_unicode_makes_a_literal_that_postgresql_reads(finder: Finder) -> None:
    every = [chr(code) for code in range(1, sys.maxunicode + 1) if not 0xD800 <= code <= 0xDFFF]
    assert finder.value("select length(%s::tsvector)", tsvector(text(" ".join(every))).literal) > 50_000
    for start in range(0, len(every), 200):
        piece = "".join(every[start : start + 200])
        literal = tsvector(
            Document(from_=[Address(name=piece, address=piece)], list_id=piece, filenames=[piece])
        ).literal
        assert finder.value("select length(%s::tsvector)", literal) >= 0


def test_folding_twice_changes_nothing_for_any_character() -> None:
    for code in range(sys.maxunicode + 1):
        once = fold_words(chr(code))[0]
        assert fold_words(once)[0].split() == once.split(), hex(code)
        assert fold(fold(chr(code))) == fold(chr(code)), hex(code)


@given(TEXTS)
def test_how_a_text_is_normalized_does_not_matter(written: str) -> None:
    assert words(unicodedata.normalize("NFD", written)) == words(unicodedata.normalize("NFC", written))


@given(st.text())
def test_the_fast_ways_of_folding_agree_with_the_slow_one(written: str) -> None:
    padding = "x" * 20 * len(written)
    assert words(written + " " + padding)[: len(words(written))] == words(written)


@settings(max_examples=200, deadline=None)
@given(subject=TEXTS, name=TEXTS, address=TEXTS, body=TEXTS, filename=TEXTS, list_id=TEXTS)
def test_every_word_of_a_document_is_found_by_its_own_query(
    finder: Finder, subject: str, name: str, address: str, body: str, filename: str, list_id: str
) -> None:
    one = [Address(name=name, address=address)]
    document = Document(
        subject=subject, from_=one, to=one, cc=one, bcc=one, text=body, filenames=[filename], list_id=list_id
    )
    fields = {"subject": subject, "from": name, "bcc": name, "body": body, "filename": filename}
    for field, written in fields.items():
        for run in runs(written):
            assert finder.finds(f'{field}:"{run}" "{run}" {field}:"{run}"*', document)
