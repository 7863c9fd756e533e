"""What is written is what is read: by our own eyes and by the standard library's, and nothing gets between."""

from __future__ import annotations

import email
import email.policy
import re
import unicodedata
from datetime import UTC, datetime
from email.message import EmailMessage

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postroom.compose.addresses import checked, mailboxes
from postroom.compose.letter import File, Letter, Stamp, Written
from postroom.compose.read import read
from postroom.compose.write import write
from postroom.errors import UsageError
from postroom.mime.parse import parse
from postroom.model import Address, ParsedMessage

STAMP = Stamp(message_id="one@example.com", date=datetime(2026, 11, 24, 9, 30, tzinfo=UTC))
ANN = Address(name="Ann Example", address="ann@example.com")
BOB = Address(name="", address="bob@example.com")
TEXTS = st.text(st.characters(codec="utf-8"), max_size=300)
WILD = st.text(st.sampled_from('aé漢😀\r\n\t\0\x0b\u2028 :<>@,;"\\=?_.()[]'), max_size=120)


def _letter(**more: object) -> Letter:
    return Letter(**({"from_": ANN, "to": (BOB,), "subject": "Hello", "text": "Hello.\n"} | more))  # type: ignore[arg-type]


def _parsed(**more: object) -> ParsedMessage:
    return parse(write(_letter(**more), STAMP).raw)


def _by_the_library(written: Written) -> EmailMessage:
    return email.message_from_bytes(written.raw, policy=email.policy.default)  # type: ignore[return-value]


def _is_sound(raw: bytes) -> None:
    assert raw.endswith(b"\r\n")
    assert b"\n" not in raw.replace(b"\r\n", b"")
    assert b"\r" not in raw.replace(b"\r\n", b"")
    assert b"\0" not in raw
    assert max(map(len, raw.split(b"\r\n"))) <= 998


def test_a_plain_letter_is_plain():
    written = write(_letter(), STAMP)
    assert written.raw == (
        b"Date: Tue, 24 Nov 2026 09:30:00 +0000\r\n"
        b"From: Ann Example <ann@example.com>\r\n"
        b"To: bob@example.com\r\n"
        b"Subject: Hello\r\n"
        b"Message-ID: <one@example.com>\r\n"
        b"MIME-Version: 1.0\r\n"
        b"Content-Type: text/plain; charset=us-ascii\r\n"
        b"Content-Transfer-Encoding: 7bit\r\n"
        b"\r\n"
        b"Hello.\r\n"
    )
    assert (written.sender, written.recipients) == ("ann@example.com", ("bob@example.com",))
    assert not written.needs_smtputf8
    assert not written.needs_8bitmime


def test_page_images_and_attachments_are_found_again():
    logo = File(filename="logo.png", mime_type="image/png", data=b"\x89PNG\0", content_id="logo@x")
    paper = File(filename="Größen.pdf", mime_type="application/pdf", data=bytes(range(256)) * 500)
    page = '<p>Schöne Grüße</p><img src="cid:logo@x">\n'
    parsed = _parsed(text="Schöne Grüße\n", html=page, files=(logo, paper))
    assert (parsed.text, parsed.html, parsed.defects) == ("Schöne Grüße\n", page, ())
    found = [
        (each.filename, each.mime_type, each.content_id, each.is_inline, each.data)
        for each in parsed.attachments
    ]
    assert found == [
        ("logo.png", "image/png", "logo@x", True, logo.data),
        ("Größen.pdf", "application/pdf", None, False, paper.data),
    ]


def test_a_page_without_a_text_brings_one():
    assert _parsed(text=None, html="<p>Only <b>this</b></p>").text == "Only this\n"


def test_an_image_without_a_page_is_an_attachment():
    image = File(filename="a.png", mime_type="image/png", data=b"x", content_id="a@x")
    assert [each.is_inline for each in _parsed(files=(image,)).attachments] == [False]


def test_bcc_is_an_address_of_the_envelope_and_stands_nowhere_in_what_is_sent():
    letter = _letter(bcc=(Address(address="secret@example.com"),))
    written = write(letter, STAMP)
    assert b"secret" not in written.raw
    assert b"bcc" not in written.raw.lower()
    assert written.recipients == ("bob@example.com", "secret@example.com")
    assert parse(write(letter, STAMP, shows_bcc=True).raw).bcc == letter.bcc


def test_everybody_gets_it_once():
    letter = _letter(to=(BOB, Address(address="BOB@Example.com")), cc=(BOB,), bcc=(BOB, ANN))
    assert len(write(letter, STAMP).recipients) == 2


@pytest.mark.parametrize("typed", ["Jörg <joerg@münchen.example>", "joerg@MÜNCHEN.example"])
def test_a_domain_in_another_script_goes_out_in_ascii(typed: str):
    written = write(_letter(to=mailboxes([typed])), STAMP)
    assert written.recipients == ("joerg@xn--mnchen-3ya.example",)
    assert not written.needs_smtputf8
    assert written.raw.isascii()


def test_an_address_that_is_not_ascii_needs_a_server_that_takes_it():
    written = write(_letter(to=mailboxes(["用户@例子.example"])), STAMP)
    assert written.needs_smtputf8
    assert written.recipients == ("用户@例子.example",)
    assert parse(written.raw).to == (Address(address="用户@例子.example"),)


@pytest.mark.parametrize(
    "typed",
    [
        "", "nobody", "a@", "@b", "a b@c.example", "a@b c.example", "a@-b.example", "a@b..example", "a..b@c.example",
        "a@b.example\r\nBcc: c@d.example", "a\r\nRCPT TO:<c@d.example>@b.example", f"{'a' * 65}@b.example",
        "a@exa_mple.com", "<>", "a@b.example>\r\nDATA",
    ],
)  # fmt: skip
def test_an_address_that_reaches_nobody_is_refused(typed: str):
    with pytest.raises(UsageError, match="address"):
        mailboxes([typed])


def test_addresses_are_typed_in_the_usual_ways():
    typed = [
        'Ann <a@x.example>, "Last, First \\"Q\\"" <b@x.example>;c@x.example',
        "<d@x.example>",
        "e@[127.0.0.1]",
    ]
    assert [(each.name, each.address) for each in mailboxes(typed)] == [
        ("Ann", "a@x.example"),
        ('Last, First "Q"', "b@x.example"),
        ("", "c@x.example"),
        ("", "d@x.example"),
        ("", "e@[127.0.0.1]"),
    ]


def test_a_forwarded_message_goes_as_it_is():
    eight_bit = b"From: x@example.com\r\nSubject: x\r\n\r\nGr\xc3\xbc\xc3\x9fe\r\n"
    for inner, expected in ((eight_bit, True), (b"Subject: y\n\nplain\n", False)):
        file = File(filename="x.eml", mime_type="message/rfc822", data=inner)
        written = write(_letter(files=(file,)), STAMP)
        _is_sound(written.raw)
        assert written.needs_8bitmime is expected
        [part] = list(_by_the_library(written).iter_attachments())
        assert part.get_content_type() == "message/rfc822"
        assert inner.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n") in written.raw


def test_a_forwarded_message_that_no_line_holds_goes_as_a_file():
    inner = b"Subject: x\r\n\r\n" + b"x" * 2000
    written = write(_letter(files=(File(filename="x.eml", mime_type="message/rfc822", data=inner),)), STAMP)
    _is_sound(written.raw)
    [part] = parse(written.raw).attachments
    assert (part.mime_type, part.data) == ("application/octet-stream", inner)


@pytest.mark.parametrize(
    "field", ["subject", "name", "filename", "address", "content_id", "message_id", "mime_type"]
)
def test_no_value_ends_its_line(field: str):
    evil = "x\r\nBcc: evil@example.com\r\n\r\nbody"
    letter = {
        "subject": _letter(subject=evil),
        "name": _letter(to=(Address(name=evil, address="b@example.com"),)),
        "filename": _letter(files=(File(filename=evil, mime_type="text/plain", data=b""),)),
        "address": _letter(to=(Address(address=evil),)),
        "content_id": _letter(
            html="x", files=(File(filename="a", mime_type="image/png", data=b"", content_id=evil),)
        ),
        "message_id": _letter(in_reply_to=evil, references=(evil,)),
        "mime_type": _letter(files=(File(filename="a", mime_type=evil, data=b""),)),
    }[field]
    raw = write(letter, STAMP).raw
    _is_sound(raw)
    assert not re.search(rb"(?im)^bcc", raw)
    assert parse(raw).bcc == ()
    assert parse(raw).text == "Hello.\n"


@settings(max_examples=200, deadline=None)
@given(subject=TEXTS | WILD, name=TEXTS | WILD, filename=TEXTS | WILD)
def test_any_text_in_a_header_comes_back(subject: str, name: str, filename: str):
    letter = _letter(
        subject=subject,
        to=(Address(name=name, address="b@example.com"),),
        files=(File(filename=filename, mime_type="text/x", data=b"z"),),
    )
    written = write(letter, STAMP)
    _is_sound(written.raw)
    assert written.raw.isascii()
    parsed = parse(written.raw)
    assert _words(parsed.subject) == _words(subject)
    assert [each.address for each in parsed.to] == ["b@example.com"]
    assert _words(parsed.to[0].name) == _words(name)
    assert _words(parsed.attachments[0].filename or "") == (
        _words(filename) or _words("file") * bool(filename)
    )
    header = written.raw.partition(b"\r\n\r\n")[0]
    assert max(map(len, header.split(b"\r\n"))) <= 220


def _words(text: str) -> list[str]:
    """Without what cannot be in a header: control characters, and how many spaces there are."""
    return "".join(" " if unicodedata.category(c) in ("Cc", "Zl", "Zp") else c for c in text).split()


@settings(max_examples=200, deadline=None)
@given(TEXTS | WILD | st.text(st.sampled_from("ab \n.=é"), max_size=2500))
def test_any_text_comes_back(text: str):
    written = write(_letter(text=text), STAMP)
    _is_sound(written.raw)
    expected = text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")
    assert (parse(written.raw).text or "").rstrip("\n") == expected.rstrip("\n")
    assert _by_the_library(written).get_content().replace("\r\n", "\n").rstrip("\n") == expected.rstrip("\n")


def test_lines_that_relays_change_are_encoded():
    raw = write(_letter(text="From here\n.\n" + "x" * 3000 + "\n"), STAMP).raw
    _is_sound(raw)
    assert b"\r\nFrom here" not in raw
    assert parse(raw).text == "From here\n.\n" + "x" * 3000 + "\n"


def test_long_ids_are_never_torn():
    references = tuple(f"{'x' * 200}{number}@example.com" for number in range(100))
    parsed = _parsed(in_reply_to=references[-1], references=references)
    assert parsed.in_reply_to == (references[-1],)
    assert parsed.references == (references[0], *references[-40:])


def test_the_library_reads_the_same():
    letter = _letter(subject="Ä" * 200, to=(Address(name='Müller, "Max"', address="m@example.com"), BOB))
    message = _by_the_library(write(letter, STAMP))
    assert message["subject"] == "Ä" * 200
    assert [(each.display_name, each.addr_spec) for each in message["to"].addresses] == [
        ('Müller, "Max"', "m@example.com"),
        ("", "bob@example.com"),
    ]
    assert not message.defects


def test_a_draft_is_read_back():
    letter = _letter(
        bcc=(Address(address="secret@example.com"),),
        html='<img src="cid:a@x">\n',
        files=(
            File(filename="a.png", mime_type="image/png", data=b"1", content_id="a@x"),
            File(filename="b.pdf", mime_type="application/pdf", data=b"2"),
        ),
        in_reply_to="q@x",
        references=("p@x", "q@x"),
    )
    assert read(write(letter, STAMP, shows_bcc=True).raw) == letter


def test_names_lose_what_no_name_has():
    assert checked(Address(name=" a\r\n\tb ", address="A@Example.COM")) == Address(
        name="a b", address="A@example.com"
    )
