"""Which parts a message has and where they lie."""

from __future__ import annotations

import pytest

from postroom.mime.defects import Defects
from postroom.mime.parse import parse
from postroom.mime.structure import MAX_DEPTH, MAX_PARTS, Walk, read_root
from tests.mime.build import Window, mail, multipart, part, with_body


def leaves(raw: bytes) -> list[tuple[str, bytes]]:
    defects = Defects()
    root = read_root(raw, defects)
    return [(leaf.mime_type, raw[leaf.start : leaf.end]) for leaf in Walk(raw, root, defects).leaves()]


def names(raw: bytes) -> set[str]:
    return {defect.partition(":")[0] for defect in parse(raw).defects} - {
        "date-missing",
        "message-id-missing",
    }


def test_the_line_end_before_a_delimiter_belongs_to_the_delimiter():
    raw = multipart("mixed", part("text/plain", "one"), part("text/plain", "two\r\n"))
    assert leaves(raw) == [("text/plain", b"one"), ("text/plain", b"two\r\n")]


@pytest.mark.parametrize("eol", [b"\n", b"\r\n"])
def test_both_line_ends_are_understood(eol: bytes):
    raw = multipart("mixed", part("text/plain", "one"), part("text/html", "two")).replace(b"\r\n", eol)
    assert leaves(raw) == [("text/plain", b"one"), ("text/html", b"two")]


def test_line_ends_may_be_mixed_in_one_message():
    raw = b"Subject: x\r\nContent-Type: multipart/mixed; boundary=b\n\r\n--b\n\none\r\n--b\r\n\r\ntwo\n--b--\r\n"
    assert leaves(raw) == [("text/plain", b"one"), ("text/plain", b"two")]


def test_parts_in_parts_come_in_the_order_of_the_message():
    inner = multipart("alternative", part("text/plain", "a"), part("text/html", "b"), boundary="inner")
    raw = multipart("mixed", inner, part("application/pdf", "c"))
    assert [kind for kind, _ in leaves(raw)] == ["text/plain", "text/html", "application/pdf"]


@pytest.mark.parametrize(("outer", "inner"), [("edge", "edge2"), ("edge2", "edge")])
def test_boundaries_that_begin_alike_are_told_apart(outer: str, inner: str):
    nested = multipart("alternative", part("text/plain", "a"), part("text/html", "b"), boundary=inner)
    raw = multipart("mixed", nested, part("application/pdf", "c"), boundary=outer)
    assert leaves(raw) == [("text/plain", b"a"), ("text/html", b"b"), ("application/pdf", b"c")]
    assert names(raw) == set()


def test_a_multipart_within_a_multipart_of_the_same_boundary_loses_nothing():
    nested = multipart("alternative", part("text/plain", "a"), part("text/html", "b"), boundary="edge")
    assert {data for _, data in leaves(multipart("mixed", nested, part("application/pdf", "c")))} >= {
        b"a",
        b"b",
        b"c",
    }


def test_a_missing_last_delimiter_ends_with_the_message():
    raw = multipart("mixed", part("text/plain", "one"), part("text/plain", "two")).rpartition(
        b"\r\n--edge--"
    )[0]
    assert [data for _, data in leaves(raw)] == [b"one", b"two"]
    assert names(raw) == {"boundary-unclosed"}


def test_parts_behind_the_last_delimiter_are_found():
    raw = multipart("mixed", part("text/plain", "one")) + mail("--edge") + part("application/pdf", "two")
    assert [kind for kind, _ in leaves(raw)] == ["text/plain", "application/pdf"]
    assert "parts-after-end" in names(raw)


def test_a_boundary_that_never_occurs_leaves_text():
    raw = with_body(b"just text\r\n", "Content-Type: multipart/mixed; boundary=never")
    assert parse(raw).text == "just text\n"
    assert names(raw) == {"boundary-missing"}


@pytest.mark.parametrize("content_type", ["multipart/mixed", "multipart/mixed; boundary=wrong"])
def test_a_boundary_that_is_missing_or_wrong_is_read_off_the_first_part(content_type: str):
    body = multipart("mixed", part("text/plain", "one"), part("application/pdf", "two")).partition(
        b"\r\n\r\n"
    )[2]
    raw = with_body(body, f"Content-Type: {content_type}")
    assert [data for _, data in leaves(raw)] == [b"one", b"two"]
    assert names(raw) == {"boundary-guessed"}


@pytest.mark.parametrize(
    ("parameter", "boundary"),
    [
        ('boundary="a b (c):;"', "a b (c):;"),
        ("boundary==_x/y+z=", "=_x/y+z="),
        ("boundary=----=_NextPart_000", "----=_NextPart_000"),
        ("boundary*=utf-8''a%20b", "a b"),
        ("BOUNDARY = edge ", "edge"),
    ],
)
def test_boundaries_are_taken_quoted_bare_and_encoded(parameter: str, boundary: str):
    body = multipart("mixed", part("text/plain", "one"), boundary=boundary).partition(b"\r\n\r\n")[2]
    raw = with_body(body, f"Content-Type: multipart/mixed; {parameter}")
    assert leaves(raw) == [("text/plain", b"one")]
    assert names(raw) == set()


def test_a_part_without_a_header_is_text():
    raw = with_body(b"--b\r\n\r\nplain\r\n--b--\r\n", "Content-Type: multipart/mixed; boundary=b")
    assert leaves(raw) == [("text/plain", b"plain")]


def test_a_digest_holds_messages():
    raw = multipart("digest", mail("", "Subject: one", "", "a"), part("text/plain", "b"))
    assert [kind for kind, _ in leaves(raw)] == ["message/rfc822", "text/plain"]


def test_a_message_without_a_header_is_all_text():
    raw = b"Dear all,\nthis has no header.\n\nIt: goes on.\n"
    assert parse(raw).text == raw.decode()
    assert parse(raw).headers == ()
    assert names(raw) == {"header-missing"}


def test_only_a_header_is_a_message():
    parsed = parse(b"From: a@example.com\nSubject: nothing else")
    assert (parsed.subject, parsed.text) == ("nothing else", "")


def test_an_empty_message_is_a_message():
    parsed = parse(b"")
    assert (parsed.headers, parsed.text, parsed.attachments) == ((), "", ())


def test_garbage_between_fields_is_passed_over():
    parsed = parse(b"Subject: kept\nthis is no field\n\x00\xff\nTo: b@example.com\n\ntext\n")
    assert (parsed.subject, parsed.to[0].address, parsed.text) == ("kept", "b@example.com", "text\n")
    assert "header-garbage" in names(b"Subject: kept\nthis is no field\nTo: b@example.com\n\ntext\n")


def test_text_that_follows_the_header_without_an_empty_line_is_text():
    parsed = parse(b"Subject: x\nFrom: a@example.com\nDear Bob,\n\nhello\n")
    assert (parsed.subject, parsed.text) == ("x", "Dear Bob,\n\nhello\n")


@pytest.mark.parametrize(
    "before", [b"From me@example.com Mon Nov 24 10:00:00 2025\n", b">From x\n", b"\xef\xbb\xbf", b"\n\r\n"]
)
def test_what_programs_leave_before_the_header_is_passed_over(before: bytes):
    parsed = parse(before + b"Subject: found\n\ntext\n")
    assert (parsed.subject, parsed.text) == ("found", "text\n")
    assert not any(defect.startswith("header") for defect in parsed.defects)


def test_a_space_before_the_colon_is_forgiven():
    parsed = parse(b"From : a@example.com\nSubject : x\nTo\t: b@example.com\n\n")
    assert (parsed.subject, parsed.from_[0].address, parsed.to[0].address) == (
        "x",
        "a@example.com",
        "b@example.com",
    )


def test_three_thousand_nested_parts_end_in_one_that_is_kept_whole():
    raw = b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d.\n\n--b%d.\n" % (at, at) for at in range(3000)
    )
    parsed = parse(b"Subject: deep\n" + raw + b"\nbottom\n")
    (kept,) = parsed.attachments
    assert kept.mime_type == "application/octet-stream"
    assert kept.data is not None
    assert kept.data.endswith(b"bottom\n")
    assert kept.data.count(b"multipart/mixed") == 3000 - MAX_DEPTH - 1
    assert "too-deep" in {defect.partition(":")[0] for defect in parsed.defects}


def test_more_parts_than_can_be_end_in_one_that_is_kept_whole():
    raw = multipart("mixed", *[part("application/x-part", str(at)) for at in range(MAX_PARTS + 500)])
    parsed = parse(raw)
    assert len(parsed.attachments) == MAX_PARTS
    last = parsed.attachments[-1]
    assert last.mime_type == "application/octet-stream"
    assert last.end == len(raw)
    assert "too-many-parts" in names(raw)


def test_ten_thousand_parts_are_all_there():
    raw = multipart("mixed", *[part("application/x-part", str(at)) for at in range(MAX_PARTS - 1)])
    assert [each.data for each in parse(raw).attachments] == [str(at).encode() for at in range(MAX_PARTS - 1)]


def test_a_message_is_searched_through_a_limited_number_of_times():
    """Each level of nesting searches the whole rest: the work must not grow with depth times size."""

    class Counting(Window):
        searched = 0

        def find(self, sub: bytes, start: int = 0, end: int | None = None, /) -> int:
            found = Window.find(self, sub, start, end)
            Counting.searched += (found if found >= 0 else end or len(self.data)) - start
            return found

    opening = b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d.\n\n--b%d.\n" % (at, at) for at in range(99)
    )
    body = Counting(opening + b"x" * 8_000_000)
    parse(body)
    assert Counting.searched < 20 * len(body) + 64 * 1024 * 1024


def test_lines_that_only_look_like_a_delimiter_do_not_take_for_ever():
    raw = with_body(b"\n--bx" * 200_000, "Content-Type: multipart/mixed; boundary=b")

    class Counting(Window):
        finds = 0

        def find(self, sub: bytes, start: int = 0, end: int | None = None, /) -> int:
            Counting.finds += 1
            return Window.find(self, sub, start, end)

    parse(Counting(raw))
    assert Counting.finds < 50_000


@pytest.mark.parametrize(
    ("value", "mime_type"),
    [
        ("text/html", "text/html"),
        ("TEXT/HTML; charset=utf-8", "text/html"),
        ("text/html charset=utf-8", "text/html"),
        ("text", "text/plain"),
        ("html", "application/octet-stream"),
        ("a/b/c", "application/octet-stream"),
        ("text/" + "x" * 200, "application/octet-stream"),
        ("", "text/plain"),
    ],
)
def test_a_content_type_is_one_or_is_put_right(value: str, mime_type: str):
    assert leaves(with_body(b"x", f"Content-Type: {value}"))[0][0] == mime_type


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("base64", b"hi"),
        ("BASE64 ", b"hi"),
        ("base64;", b"hi"),
        ("Base-64 (x)", b"hi"),
        ("7bit", b"aGk="),
        ("8bits", b"aGk="),
    ],
)
def test_transfer_encodings_are_taken_as_they_are_meant(label: str, expected: bytes):
    raw = with_body(b"aGk=", "Content-Type: application/x", f"Content-Transfer-Encoding: {label}")
    assert parse(raw).attachments[0].data == expected
