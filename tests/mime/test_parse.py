"""What a message says: the text, the page, the attachments, the ids."""

from __future__ import annotations

import base64
import hashlib

import pytest

from postroom.mime.contents import ALL_HELD_BYTES, HELD_BYTES
from postroom.mime.defects import SENTENCES
from postroom.mime.parse import decoded_pieces, parse
from tests.mime.build import Window, mail, multipart, part, with_body


def names(raw: bytes) -> list[str]:
    return [defect.partition(":")[0] for defect in parse(raw).defects]


# Text and page ----------------------------------------------------------------------------------------------


def test_an_alternative_gives_the_text_and_the_page():
    parsed = parse(multipart("alternative", part("text/plain", "text"), part("text/html", "<p>page</p>")))
    assert (parsed.text, parsed.html, parsed.preview) == ("text", "<p>page</p>", "text")
    assert parsed.attachments == ()


def test_several_texts_are_put_together_line_by_line():
    parsed = parse(
        multipart(
            "mixed", part("text/plain", "one"), part("text/plain", "two\r\n"), part("text/plain", "three")
        )
    )
    assert parsed.text == "one\ntwo\nthree"


def test_a_page_alone_is_read_for_the_preview():
    parsed = parse(with_body(b"<p>only a <b>page</b></p>", "Content-Type: text/html"))
    assert (parsed.text, parsed.html, parsed.preview) == (None, "<p>only a <b>page</b></p>", "only a page")


def test_a_page_with_a_footer_behind_it_is_part_of_the_text():
    raw = multipart(
        "mixed", part("text/html", "<p>the message</p>"), part("text/plain", "-- \r\nlist footer")
    )
    parsed = parse(raw)
    assert parsed.text == "the message\n-- \nlist footer"
    assert parsed.html == "<p>the message</p>"
    assert parsed.preview.startswith("the message")


def test_a_page_that_has_its_text_is_not_told_twice():
    inner = multipart("related", part("text/html", "<p>same</p>"), part("image/png", "x"), boundary="inner")
    raw = multipart("alternative", part("text/plain", "same"), inner)
    assert (
        parse(multipart("mixed", raw, part("text/plain", "footer"), boundary="outer")).text == "same\nfooter"
    )


def test_text_that_is_an_attachment_is_not_the_text():
    raw = multipart(
        "mixed",
        part("text/plain", "text"),
        part("text/plain; name=notes.txt", "notes"),
        part("text/plain", "log", "Content-Disposition: attachment; filename=x.log"),
        part("text/csv", "a,b"),
    )
    parsed = parse(raw)
    assert parsed.text == "text"
    assert [(each.filename, each.data) for each in parsed.attachments] == [
        ("notes.txt", b"notes"),
        ("x.log", b"log"),
        (None, b"a,b"),
    ]


def test_line_ends_of_texts_are_newlines():
    assert parse(with_body(b"a\r\nb\rc\nd\r\n")).text == "a\nb\nc\nd\n"


def test_a_text_is_decoded_by_its_encoding_and_its_charset():
    raw = with_body(
        b"=C4rger=\r\n fl=FCstert",
        "Content-Type: text/plain; charset=iso-8859-1",
        "Content-Transfer-Encoding: quoted-printable",
    )
    assert parse(raw).text == "Ärger flüstert"


def test_utf_16_with_its_line_ends_is_read():
    raw = with_body(
        "Grüße\r\naus Köln".encode("utf-16"),
        "Content-Type: text/plain; charset=utf-16",
        "Content-Transfer-Encoding: binary",
    )
    assert parse(raw).text == "Grüße\naus Köln"
    assert "nul" not in names(raw)


def test_flowed_text_is_unwrapped():
    raw = with_body(b"goes \r\non\r\n", "Content-Type: text/plain; format=flowed; delsp=yes")
    assert parse(raw).text == "goeson\n"


def test_a_uuencoded_file_in_the_text_stays_there_and_is_noted():
    raw = with_body(b"look:\nbegin 644 cat.txt\n#0V%T\n`\nend\n")
    assert parse(raw).text == "look:\nbegin 644 cat.txt\n#0V%T\n`\nend\n"
    assert "uuencoded-text" in names(raw)
    assert "uuencoded-text" not in names(with_body(b"begin 644 words are not a file\n\nat all\n"))


# Attachments ------------------------------------------------------------------------------------------------


def test_an_attachment_has_its_name_type_size_hash_and_place():
    data = bytes(range(256)) * 10
    raw = multipart(
        "mixed",
        part("text/plain", "see file"),
        part("application/pdf", base64.encodebytes(data), "Content-Transfer-Encoding: base64",
             "Content-Disposition: attachment;\r\n filename*0*=utf-8''%C3%84r;\r\n filename*1=ger.pdf", "Content-ID: <x@y>"),
    )  # fmt: skip
    (found,) = parse(raw).attachments
    assert (found.filename, found.mime_type, found.content_id) == ("Ärger.pdf", "application/pdf", "x@y")
    assert (found.size_bytes, found.data, found.sha256) == (len(data), data, hashlib.sha256(data).digest())
    assert base64.b64decode(raw[found.start : found.end]) == data
    assert not found.is_inline


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ('Content-Disposition: attachment; filename="=?utf-8?q?=C3=84rger.pdf?="', "Ärger.pdf"),
        ("Content-Disposition: attachment; filename==?utf-8?b?w4RyZ2Vy?=", "Ärger"),
        ("Content-Disposition: attachment; filename=Ärger.pdf", "Ärger.pdf"),
        ('Content-Disposition: attachment; filename="a\r\n b.pdf"', "a b.pdf"),
        ("Content-Disposition: filename=a.pdf", "a.pdf"),
        ('Content-Type: application/pdf; name="b.pdf"', "b.pdf"),
        ("Content-Disposition: attachment", None),
        ('Content-Disposition: attachment; filename=" "', None),
        ('Content-Disposition: attachment; filename="a\x00b"', "a\ufffdb"),
    ],
)
def test_file_names_are_found_wherever_they_are(header: str, name: str | None):
    content_type = [] if header.startswith("Content-Type") else ["Content-Type: application/pdf"]
    raw = multipart("mixed", part("text/plain", "x"), mail(*content_type, header, "") + b"data")
    assert parse(raw).attachments[0].filename == name


def test_pictures_of_a_page_are_inline_and_documents_never_are():
    raw = multipart(
        "related",
        part("text/html", "<img src='cid:a'>"),
        part("image/png", "1", "Content-ID: <a>"),
        part("image/png", "2", "Content-Disposition: attachment", "Content-ID: <b>"),
        part("application/pdf", "3", "Content-Disposition: inline"),
    )
    assert [each.is_inline for each in parse(raw).attachments] == [True, False, False]


def test_a_nested_message_is_kept_whole_and_its_text_is_not_ours():
    nested = mail("Subject: =?utf-8?q?the/n=C3=A4chste?=", "", "nested text")
    raw = multipart("mixed", part("text/plain", "outer text"), part("message/rfc822", nested))
    parsed = parse(raw)
    assert parsed.text == "outer text"
    (found,) = parsed.attachments
    assert (found.filename, found.mime_type, found.data) == ("the-nächste.eml", "message/rfc822", nested)


def test_a_nested_message_without_a_subject_has_a_name_too():
    raw = multipart(
        "mixed", part("text/plain", "x"), part("message/rfc822", mail("From: a@b.example", "", "y"))
    )
    assert parse(raw).attachments[0].filename == "message.eml"


def test_what_a_report_says_to_machines_is_an_attachment():
    raw = multipart(
        "report",
        part("text/plain", "could not be delivered"),
        part("message/delivery-status", "Reporting-MTA: dns; x"),
        part("text/rfc822-headers", "Subject: x"),
    )
    parsed = parse(raw)
    assert parsed.text == "could not be delivered"
    assert [each.mime_type for each in parsed.attachments] == [
        "message/delivery-status",
        "text/rfc822-headers",
    ]


def test_tnef_is_an_attachment():
    raw = multipart(
        "mixed", part("text/plain", "x"), part("application/ms-tnef; name=winmail.dat", b"\x78\x9f\x3e\x22")
    )
    assert [(each.filename, each.data) for each in parse(raw).attachments] == [
        ("winmail.dat", b"\x78\x9f\x3e\x22")
    ]


def test_what_is_not_base64_is_taken_as_it_is():
    raw = with_body(
        b"This is no base64 at all, is it?",
        "Content-Type: application/x",
        "Content-Transfer-Encoding: base64",
    )
    (found,) = parse(raw).attachments
    assert (found.data, found.encoding) == (b"This is no base64 at all, is it?", "identity")
    assert "base64-broken" in names(raw)


@pytest.mark.parametrize("encoding", ["base64", "8bit"])
def test_a_large_part_is_hashed_in_pieces_and_never_held(encoding: str):
    data = hashlib.sha256(b"seed").digest() * (HELD_BYTES // 16)
    encoded = base64.encodebytes(data) if encoding == "base64" else data
    raw = multipart(
        "mixed",
        part("text/plain", "x"),
        part("application/zip", encoded, f"Content-Transfer-Encoding: {encoding}"),
    )
    body = Window(raw)
    (found,) = parse(body).attachments
    assert found.data is None
    assert (found.size_bytes, found.sha256) == (len(data), hashlib.sha256(data).digest())
    assert b"".join(decoded_pieces(body, found)) == data
    assert body.largest_slice <= HELD_BYTES // 4


def test_many_parts_are_not_held_either():
    raw = multipart("mixed", *[part("application/x", bytes([at]) * (HELD_BYTES - 1)) for at in range(10)])
    found = parse(raw).attachments
    assert len(found) == 10
    assert sum(len(each.data) for each in found if each.data is not None) <= ALL_HELD_BYTES
    assert [each.size_bytes for each in found] == [HELD_BYTES - 1] * 10


def test_a_text_too_long_to_show_is_an_attachment():
    raw = multipart(
        "mixed", part("text/plain", "short"), part("text/plain", b"long " * (HELD_BYTES // 5 + 1))
    )
    parsed = parse(raw)
    assert parsed.text == "short"
    assert parsed.attachments[0].size_bytes > HELD_BYTES
    assert "text-too-long" in names(raw)


def test_a_window_on_a_file_gives_what_bytes_give():
    raw = multipart(
        "mixed",
        multipart("alternative", part("text/plain", "a"), part("text/html", "<p>b</p>"), boundary="inner"),
        part("application/pdf", b"AAEC", "Content-Transfer-Encoding: base64"),
        header=("Subject: x", "To: a@b.example"),
    )
    assert parse(Window(raw)) == parse(raw)


# Ids --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ("<a@b>", "a@b"),
        (" \r\n <a@b>", "a@b"),
        ("a@b", "a@b"),
        ("a@b (added by somebody)", "a@b"),
        ("<a@b> (added by somebody)", "a@b"),
        ("< a b @ c >", "ab@c"),
        ('<"a b"@c>', '"ab"@c'),
        ("<>", None),
        ("", None),
        ("<" + "x" * 2000 + ">", None),
    ],
)
def test_a_message_id_is_found_with_and_without_brackets(field: str, expected: str | None):
    raw = f"Message-ID: {field}\r\n\r\n".encode()
    assert parse(raw).message_id == expected
    assert ("message-id-missing" in names(raw)) == (expected is None)


def test_references_are_the_ids_in_brackets_in_their_order_each_once():
    raw = b'References: <a@b>\r\n\t<c@d><a@b> junk <e\r\n @f>\r\nIn-Reply-To: Your message of Monday <c@d> "x"\r\n\r\n'
    parsed = parse(raw)
    assert parsed.references == ("a@b", "c@d", "e@f")
    assert parsed.in_reply_to == ("c@d",)
    assert parse(b"In-Reply-To: somebody@example.com\n\n").in_reply_to == ()


def test_of_endless_references_the_first_and_the_last_are_kept():
    ids = [f"{at}@example.com" for at in range(20_000)]
    raw = ("References: " + "\r\n ".join(f"<{each}>" for each in ids) + "\r\n\r\n").encode()
    found = parse(raw).references
    assert (found[0], found[-1]) == (ids[0], ids[-1])
    assert len(found) < 5000
    assert "references-too-long" in names(raw)


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ("A List <Talk.Example.COM>", "talk.example.com"),
        ("<talk.example.com>", "talk.example.com"),
        ("talk.example.com", "talk.example.com"),
        ('"=?utf-8?q?L=C3=ADsta?=" <talk.example.com>', "talk.example.com"),
        ("", None),
    ],
)
def test_a_list_is_known_by_its_id(field: str, expected: str | None):
    assert parse(f"List-Id: {field}\r\n\r\n".encode()).list_id == expected


# Defects ----------------------------------------------------------------------------------------------------

_PART = part("text/plain", "x")
DEFECTIVE = {
    "base64-broken": with_body(b"not, this.", "Content-Transfer-Encoding: base64"),
    "boundary-guessed": multipart("mixed", _PART).replace(b'; boundary="edge"', b""),
    "boundary-missing": with_body(b"x", "Content-Type: multipart/mixed; boundary=y"),
    "boundary-unclosed": with_body(b"--y\n\nx", "Content-Type: multipart/mixed; boundary=y"),
    "charset-missing": with_body(b"\xe4"),
    "charset-unknown": with_body(b"\xe4", "Content-Type: text/plain; charset=klingon"),
    "charset-wrong": with_body(b"\xe4", "Content-Type: text/plain; charset=us-ascii"),
    "content-type-invalid": with_body(b"", "Content-Type: text"),
    "date-invalid": with_body(b"", "Date: yesterday"),
    "date-missing": with_body(b""),
    "encoding-unknown": with_body(b"", "Content-Transfer-Encoding: rot13"),
    "header-garbage": b"Subject: x\nno field\nTo: a@b.example\n\n",
    "header-missing": b"no field",
    "header-too-long": b"X-Y: z\n" * 3000 + b"\n",
    "message-id-missing": with_body(b""),
    "nul": with_body(b"a\0b"),
    "parts-after-end": multipart("mixed", _PART) + mail("--edge") + _PART,
    "references-too-long": with_body(b"", "References: " + "<a@b> " * 20_000),
    "text-too-long": with_body(b"x" * (HELD_BYTES + 1)),
    "too-deep": b"".join(
        b"Content-Type: multipart/mixed; boundary=%d.\n\n--%d.\n" % (at, at) for at in range(150)
    ),
    "too-many-parts": with_body(b"--y\n\n" * 11_000, "Content-Type: multipart/mixed; boundary=y"),
    "uuencoded-text": with_body(b"begin 644 x\n#0V%T\nend\n"),
}


@pytest.mark.parametrize("name", SENTENCES)
def test_every_defect_that_is_listed_is_found(name: str):
    assert name in names(DEFECTIVE[name])


def test_a_message_without_a_defect_has_none():
    raw = mail("From: a@b.example", "Date: Fri, 21 Nov 1997 09:55:06 -0600", "Message-ID: <x@y>", "", "text")
    assert parse(raw).defects == ()
