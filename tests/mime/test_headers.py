"""Header fields, encoded words and parameters."""

from __future__ import annotations

import pytest

from postroom.mime.encoded_words import decode_words
from postroom.mime.headers import read_fields, text_of
from postroom.mime.parameters import parameters
from postroom.mime.parse import headers_only, parse


def test_fields_come_in_their_order_unfolded_and_decoded():
    raw = b"Received: one\r\n\ttwo\r\nsubject: =?utf-8?q?gr=C3=BC=C3=9Fe?=\r\nReceived: three\r\n\r\nbody: no\r\n"
    expected = (("Received", "one two"), ("subject", "grüße"), ("Received", "three"))
    assert parse(raw).headers == expected
    assert headers_only(raw) == expected


def test_a_fold_keeps_its_white_space_and_loses_its_line_end():
    assert text_of(b"a\r\n  b\n\tc\r\n") == "a  b c"


def test_a_header_of_very_many_fields_is_cut():
    header, _ = read_fields(b"".join(b"X-%d: y\n" % at for at in range(5000)))
    assert len(header.fields) == 2000
    assert header.fields[-1][0] == "X-1999"


def test_one_field_may_be_as_long_as_it_likes():
    subject = "word " * 14_000
    assert parse(f"Subject: {subject}\r\n\r\n".encode()).subject == subject.strip()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        # RFC 2047 8
        ("(=?ISO-8859-1?Q?a?=)", "(a)"),
        ("=?ISO-8859-1?Q?a?= b", "a b"),
        ("=?ISO-8859-1?Q?a?= =?ISO-8859-1?Q?b?=", "ab"),
        ("=?ISO-8859-1?Q?a?=   =?ISO-8859-1?Q?b?=", "ab"),
        ("=?ISO-8859-1?Q?a_b?=", "a b"),
        ("=?ISO-8859-1?Q?a?= =?ISO-8859-2?Q?_b?=", "a b"),
        ("=?US-ASCII?Q?Keith_Moore?=", "Keith Moore"),
        ("=?ISO-8859-1?B?SWYgeW91IGNhbiByZWFkIHRoaXMgeW8=?= =?ISO-8859-2?B?dSB1bmRlcnN0YW5kIHRoZSBleGFtcGxlLg==?=",
         "If you can read this you understand the example."),
        # RFC 2231 5: a language
        ("=?US-ASCII*EN?Q?Keith_Moore?=", "Keith Moore"),
        # as programs write it
        ("=?utf-8?b?w4Q=?= =?utf-8?b?cmdlcg?=", "Ärger"),
        ("=?utf-8?q?=C3?= =?utf-8?q?=84rger?=", "Ärger"),
        ("=?utf-8?b?ww==?= =?utf-8?b?hHJnZXI=?=", "Ärger"),
        ("=?utf-8?b?w?= =?utf-8?b?4RyZ2Vy?=", "Ärger"[0] + "rger"),
        ("=?UTF-8?Q?a?==?UTF-8?Q?b?=", "ab"),
        ("x=?utf-8?q?=C3=84?=y", "xÄy"),
        ("=?utf-8?Q?two words?=", "two words"),
        ("=?utf-8?Q?why?_because?=", "why? because"),
        ("=?utf-8?Q?50=_off?=", "50= off"),
        ("=?utf-8?b?!!w4Q!!?=", "Ä"),
        ("=?no-such?q?abc?=", "abc"),
        ("=?no-such?q?=C3=84?=", "Ä"),
        ("=?gb2312?b?1tDOxIFA?=", "中文丂"),  # GB 18030 under the label of GB 2312
        ("=?ks_c_5601-1987?B?vsiz58fPvLy/5A==?=", "안녕하세요"),
        ("=?iso-2022-jp?B?GyRCJDMkcxsoQg==?= =?iso-2022-jp?B?GyRCJEskQRsoQg==?=", "こんにち"),
        ("=?utf-8?q?a=0D=0Ab=00?=", "a b\ufffd"),
        # what is none
        ("=?utf-8?q?never ends", "=?utf-8?q?never ends"),
        ("=?utf-8?x?abc?=", "=?utf-8?x?abc?="),
        ("=?utf-8?q?first =?utf-8?q?second?=", "=?utf-8?q?first second"),
        ("a =? b ?= c", "a =? b ?= c"),
    ],
)  # fmt: skip
def test_encoded_words(value: str, expected: str):
    assert decode_words(value) == expected


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("Grüße".encode(), "Grüße"),  # RFC 6532
        ("Grüße aus Köln".encode("latin-1"), "Grüße aus Köln"),
        ("Привет, как дела?".encode("koi8-r"), "Привет, как дела?"),
        ("こんにちは".encode("iso2022_jp"), "こんにちは"),
        ("会議のお知らせ".encode("cp932"), "会議のお知らせ"),
        ("“quoted” – €5".encode("cp1252"), "“quoted” – €5"),
        (b"Gr\xc3\xbc\xc3\x9fe =?utf-8?q?=C3=84?=", "Grüße Ä"),
    ],
)
def test_bytes_without_a_label_are_guessed(raw: bytes, expected: str):
    assert parse(b"Subject: " + raw + b"\n\n").subject == expected


def test_the_charset_of_the_text_is_the_first_guess_for_the_header():
    raw = b"Subject: " + "안녕".encode("euc-kr") + b"\nContent-Type: text/plain; charset=euc-kr\n\n"
    assert parse(raw).subject == "안녕"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("a; x=1; y=2", {"x": "1", "y": "2"}),
        ('a; x="1; 2"; y=3', {"x": "1; 2", "y": "3"}),
        (r'a; x="a \"b\" \\"', {"x": r'a "b" \\'.replace(r"\\", "\\")}),
        ("a; x=my report (1).pdf; y=2", {"x": "my report (1).pdf", "y": "2"}),
        ('a; x="never closed', {"x": "never closed"}),
        ('a; x="1" y="2"', {"x": "1", "y": "2"}),
        ("a; x=1;; ;y=2;", {"x": "1", "y": "2"}),
        ("a; x = 1 ; Y\t=\t2", {"x": "1", "y": "2"}),
        ("a; x=first; x=second", {"x": "first"}),
        ("a; junk; x=1", {"x": "1"}),
        ("x=1", {"x": "1"}),
        # RFC 2231 3, 4
        ("a; x*=us-ascii'en-us'This%20is%20%2A%2A%2Afun%2A%2A%2A", {"x": "This is ***fun***"}),
        ("a; x*0*=us-ascii'en'This%20is%20even%20more%20;x*1*=%2A%2A%2Afun%2A%2A%2A%20;x*2=\"isn't it!\"",
         {"x": "This is even more ***fun*** isn't it!"}),
        ("a; x*1=b; x*0=a; x*10=c; x*2=d", {"x": "abdc"}),
        ("a; x*=utf-8''%C3%84; x=old", {"x": "Ä"}),
        ("a; x*=iso-8859-1''%C4", {"x": "Ä"}),
        ("a; x*=%C3%84", {"x": "Ä"}),
        ("a; x*0*=utf-8''%C3; x*1*=%84", {"x": "Ä"}),
        # RFC 2047 where it may not stand
        ('a; x="=?utf-8?q?=C3=84?="', {"x": "Ä"}),
        ('a; x="=?utf-8?b?w4Q=?= =?utf-8?b?w4Q=?=.pdf"', {"x": "ÄÄ.pdf"}),
    ],
)  # fmt: skip
def test_parameters(value: str, expected: dict[str, str]):
    assert parameters(value)[1] == expected
