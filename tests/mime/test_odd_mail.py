"""Bad mail ends well: nothing raises, nothing takes more than its share of memory, every text fits a database."""

from __future__ import annotations

import base64
import re
import tracemalloc
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postroom.mime.bodies import html_to_text
from postroom.mime.parse import decoded_pieces, headers_only, parse
from postroom.model import ParsedMessage
from postroom.sample import generate
from tests.mime.build import Window

SIZE = 120_000
SPARE_BYTES = 2_000_000
"""What small messages may take beyond ten times their size."""

_FORBIDDEN = re.compile("[\0\ud800-\udfff]")


def check(parsed: ParsedMessage) -> None:
    people = [*parsed.from_, *parsed.to, *parsed.cc, *parsed.bcc, *parsed.reply_to]
    texts = [
        parsed.subject, parsed.text or "", parsed.html or "", parsed.preview, parsed.message_id or "",
        parsed.date_header or "", parsed.list_id or "", *parsed.in_reply_to, *parsed.references, *parsed.defects,
        *(person.name + person.address + (person.group or "") for person in people),
        *(name + value for name, value in parsed.headers),
        *((part.filename or "") + part.mime_type + (part.content_id or "") for part in parsed.attachments),
    ]  # fmt: skip
    assert not any(_FORBIDDEN.search(text) for text in texts)
    assert len(parsed.preview) <= 200
    assert all("\n" not in value and "\r" not in value for _, value in parsed.headers)


def check_attachments(raw: bytes, parsed: ParsedMessage) -> None:
    for part in parsed.attachments:
        assert 0 <= part.start <= part.end <= len(raw)
        assert sum(map(len, decoded_pieces(raw, part))) == part.size_bytes


@given(st.binary(max_size=1000))
def test_no_bytes_are_refused(raw: bytes):
    parsed = parse(raw)
    check(parsed)
    check_attachments(raw, parsed)


PIECES = [
    b"Subject: ", b"To: ", b"From: a@b <", b"Content-Type: multipart/mixed; boundary=x\n", b"Content-Type: multipart/digest;boundary=y\r\n",
    b"--x\n", b"\n--x\n\n", b"--x--\n", b"\r\n--y\r\n", b"\n", b"\r\n", b"\r", b"<a@b>", b"=?utf-8?q?=", b"=?utf-8?b?w4Q", b"?=",
    b'"', b"(", b")", b";", b":", b",", b"\\", b"@", b" ", b"\t", b"=", b"=\n", b"=E4", b"AAAA", b"\xff\xfe", b"\0", b"\x1b$B", b"\xc3",
    b"Content-Transfer-Encoding: base64\n", b"Content-Transfer-Encoding: quoted-printable\n", b"Content-Transfer-Encoding: x-uuencode\n",
    b"Content-Disposition: attachment; filename*0*=utf-8''%", b"Date: Mon, 99 Jan 20255 ", b"Content-Type: text/html; charset=utf-7\n",
    b"Content-Type: text/plain; format=flowed; charset=utf-16\n", b"Content-Type: message/rfc822\n", b"begin 644 x\n", b"M", b"<style>", b"<p>",
    b"References: <", b"Message-ID: ", b"From ", b"+2D0-", b"<!--",
]  # fmt: skip


@given(st.lists(st.sampled_from(PIECES), max_size=80))
@settings(max_examples=400)
def test_no_mail_is_refused(pieces: list[bytes]):
    raw = b"".join(pieces)
    parsed = parse(raw)
    check(parsed)
    check_attachments(raw, parsed)
    assert parse(Window(raw)) == parsed
    assert headers_only(raw) == parsed.headers


@pytest.mark.parametrize("seed", range(4))
def test_damaged_mail_is_read(seed: int):
    rng = Random(seed)
    letters = [each.raw for each in generate(400, 1)]
    for raw in rng.sample(letters, 100):
        damaged = bytearray(raw[:20_000])
        for _ in range(rng.randrange(1, 30)):
            at = rng.randrange(len(damaged))
            damaged[at : at + rng.randrange(4)] = rng.choice(
                [b"", b"\0", b"\n", b"\xff", b'"', b"--", b"=", damaged[:40]]
            )
        parsed = parse(bytes(damaged))
        check(parsed)
        check_attachments(bytes(damaged), parsed)


# The odd cases by name --------------------------------------------------------------------------------------


def test_nul_is_marked_everywhere():
    parsed = parse(b'Subject: a\0b\nFrom: "x\0y" <a\0@b>\nX-\0: y\nMessage-ID: <a\0@b>\n\nt\0t\n')
    assert (parsed.subject, parsed.text) == ("a\ufffdb", "t\ufffdt\n")
    check(parsed)


def test_lone_surrogates_are_marked():
    parsed = parse(b"Subject: =?utf-7?q?+2D0-?=\nContent-Type: text/plain; charset=utf-7\n\n+2D3YPd4A-\n")
    check(parsed)
    assert parsed.subject == "\ufffd"


def test_a_megabyte_of_unique_words_is_kept_whole():
    text = " ".join(f"word{at}" for at in range(110_000))
    assert len(text) > 1_000_000
    assert parse(b"Subject: x\n\n" + text.encode()).text == text


def test_a_subject_of_seventy_kilobytes_is_kept_whole():
    subject = "lang und länger " * 4500
    words = "".join(
        f" =?utf-8?b?{base64.b64encode(subject[at : at + 30].encode()).decode()}?=\r\n"
        for at in range(0, len(subject), 30)
    )
    assert parse(f"Subject:{words}\r\n".encode()).subject == subject.strip()


def test_three_thousand_nested_messages_are_one_attachment():
    raw = b"Subject: x\n" + b"Content-Type: message/rfc822\n\n" * 3000 + b"bottom"
    (found,) = parse(raw).attachments
    assert found.data is not None
    assert found.data.endswith(b"bottom")


# Resources --------------------------------------------------------------------------------------------------


def of(content_type: str, unit: bytes, *header: str, size: int = SIZE) -> bytes:
    head = "".join(f"{line}\n" for line in ("From: a@b.example", f"Content-Type: {content_type}", *header))
    return head.encode() + b"\n" + filled(unit, size)


def filled(unit: bytes, size: int = SIZE) -> bytes:
    return (unit * (size // len(unit) + 1))[:size]


WIDE = "\U0001f600".encode() + b"a" * 5000
HEADER_UNITS = [
    b"word ", b"\n ", b"\n a", b"\xe9\xff", WIDE, b"=?a?q?", b"=?utf-8?q?a?=", b"=?utf-8?b?YQ?= ", b"=?utf-8?b?a?=", b"?q?==", b"=41", b"\0",
    b"a@b,", b"(", b'"', b"<", b"a ", b'\\"', b":;", b"@ ", b"a@b ", b"a,", b" ", b"(a)", b"<a@b", b"g:", b"=", b", J <>", b"<a@b>", b"< ", b"<<",
    b"1 ", b"a", b"a=b;", b'a="', b"'", b"a*1=x;", b"\\\\", b"*", b';"', b"%41",
]  # fmt: skip
HEADERS = [(field, unit) for unit in HEADER_UNITS for field in (b"Subject: ", b"To: ", b"References: ", b"Message-ID: ", b"Date: ", b"Content-Type: text/plain; a=")]  # fmt: skip
BLOCKS = [
    b"a:\n",
    b"ab:x\n",
    b"garbage\n",
    b"garbage\nx-y:\n",
    b"\0",
    b"\n",
    b"\r",
    b"\r\n",
    b"\xff",
    b" ",
    b"\n\n",
    b":",
]
DELIMITED = [
    b"\n--b\n", b"\n--b\n\n", b"\n--bx", b"\n--b--", b"\n--b--\n--b\n\n", b"\n--b\nContent-Type:a/b\n\n", b"\n--b\n\n\xe9\xff\xff",
    b"\n--b\nContent-Type:message/rfc822\n\nSubject:x\n", b"\n--b\nContent-Type:multipart/mixed;boundary=c\n\n", b"\n--b\nContent-Type:text/html\n\n<p>",
]  # fmt: skip
TEXTS = [
    ("text/plain", b"hello\r\n"), ("text/plain", b"a\r"), ("text/plain", b"begin 644 x\n"), ("text/plain; charset=utf-8", WIDE + b"\r\n"),
    ("text/plain", WIDE + b"\xff\r\n"), ("text/plain; charset=utf-7", b"+2D0-"), ("text/plain; charset=utf-16", b"\0\xd8"),
    ("text/plain; charset=utf-16", b"a\0\r\0\n\0"), ("text/plain; charset=iso-2022-jp", b"\x1b$B"), ("text/plain; charset=gb2312", b"\x84\x31\xa4\x30"),
    ("text/plain; format=flowed", b" \n"), ("text/plain; format=flowed", b"ab \n"), ("text/plain; format=flowed; delsp=yes", b"> a \n>>b \n"),
    ("text/plain; format=flowed; charset=utf-8", WIDE + b" \n"),
]  # fmt: skip
PAGES = [
    b"<i></b>",
    b"<p><b>",
    b"<div>",
    b"<style>",
    b"<style></style>",
    b"<!---->",
    b"<!--",
    b"<",
    b"&",
    b"<table><tr><td>",
    b"\0",
    b"<a href='",
]
ENCODED = [
    ("base64", b"AA=="), ("base64", b"="), ("base64", b"A\n"), ("base64", b"A=A="), ("quoted-printable", b"="), ("quoted-printable", b"=41"),
    ("quoted-printable", b" "), ("quoted-printable", b"a \n"), ("quoted-printable", b"= \n"), ("quoted-printable", b"\t \n"),
    ("x-uuencode", b"!  \n"), ("x-uuencode", b"`\n"), ("x-uuencode", b"M\xff\n"),
]  # fmt: skip
HOSTILE = [
    *(field + filled(unit) for field, unit in HEADERS),
    *(filled(unit) for unit in BLOCKS),
    *(of("multipart/mixed; boundary=b", unit) for unit in DELIMITED),
    *(of(kind, unit) for kind, unit in TEXTS),
    *(of("text/html", unit) for unit in PAGES),
    *(of("application/x", unit, f"Content-Transfer-Encoding: {label}") for label, unit in ENCODED),
    *(of("text/plain", unit, f"Content-Transfer-Encoding: {label}") for label, unit in ENCODED),
    *(of(f"text/plain; charset={label}", Random(1).randbytes(SIZE)) for label in ("utf-8", "gb2312", "iso-2022-jp", "x", "cp1252")),
    b"Subject: " + b"".join(b"=?x%d?q?=ff?= " % at for at in range(SIZE // 16)),
    b"References: " + b" ".join(b"<%d@x>" % at for at in range(SIZE // 9)),
    b"Content-Type: text/plain" + b"".join(b"; a*%d*=x" % at for at in range(SIZE // 12)),
    b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (at, at) for at in range(SIZE // 55)),
    filled(b"Content-Type: multipart/mixed; boundary=b\n\n--b\n"),
]  # fmt: skip


@pytest.mark.parametrize("raw", HOSTILE, ids=lambda raw: repr(raw[:40] + raw[-20:]))
def test_hostile_mail_takes_at_most_ten_times_its_size(raw: bytes):
    parse(raw)  # what is remembered for all messages is not this one's
    tracemalloc.start()
    parsed = parse(raw)
    if parsed.html:
        html_to_text(parsed.html)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10 * len(raw) + SPARE_BYTES
    check(parsed)


def test_nothing_is_remembered_of_hostile_mail():
    letters = [
        b"".join(b"Subject: =?x%d-%d?q?=ff?=\n" % (at, each) for each in range(100)) for at in range(120)
    ]
    for raw in letters[:20]:
        parse(raw)
    tracemalloc.start()
    for raw in letters[20:]:
        parse(raw)
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 100_000
