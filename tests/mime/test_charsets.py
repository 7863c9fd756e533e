"""Bytes to text, whatever the label says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom.mime.charsets import clean, decode, known

GERMAN = "Grüße aus Köln: schöne Äpfel für fünf €"
JAPANESE = "会議のお知らせです。明日は東京で行われます。"
KOREAN = "안녕하세요, 회의는 내일입니다. 똠방각하"
CHINESE = "会议通知：明天上午在北京举行，请大家准时参加。镕"
RUSSIAN = "Привет, как дела? Встреча завтра."


@pytest.mark.parametrize(
    ("text", "codec", "label"),
    [
        (GERMAN, "utf-8", "UTF-8"),
        (GERMAN, "cp1252", "iso-8859-1"),
        (GERMAN, "cp1252", "windows-1252"),
        (GERMAN, "iso8859-15", "iso-8859-15"),
        (GERMAN, "utf-16", "utf-16"),
        (GERMAN, "utf-7", "utf-7"),
        (GERMAN, "utf-7", "unicode-1-1-utf-7"),
        (JAPANESE, "iso2022_jp", "iso-2022-jp"),
        (JAPANESE, "cp932", "Shift_JIS"),
        (JAPANESE, "euc_jp", "euc-jp"),
        (KOREAN, "cp949", "ks_c_5601-1987"),
        (KOREAN, "cp949", "euc-kr"),
        (CHINESE, "gb18030", "GB2312"),
        (CHINESE, "gb18030", '"gbk"'),
        ("會議通知", "big5", "big5"),
        (RUSSIAN, "koi8-r", "koi8-r"),
        (RUSSIAN, "cp1251", "cp-1251"),
        ("şimdi ığüş", "cp1254", "iso-8859-9"),
        ("สวัสดี", "cp874", "windows-874"),
    ],
)
def test_a_right_label_is_right(text: str, codec: str, label: str):
    assert decode(text.encode(codec), label) == (text, None)


def test_japanese_as_windows_writes_it_is_read():
    assert decode(b"\x1b$B-!-j\x1b(B ok", "iso-2022-jp") == ("①㈱ ok", None)


@pytest.mark.parametrize(
    ("text", "codec", "label", "defect"),
    [
        (GERMAN, "utf-8", "iso-8859-1", "charset-wrong"),
        (GERMAN, "utf-8", "us-ascii", "charset-wrong"),
        (GERMAN, "utf-8", "x-unknown", "charset-unknown"),
        (GERMAN, "utf-8", "unknown-8bit", "charset-unknown"),
        (GERMAN, "utf-8", None, "charset-missing"),
        (GERMAN, "cp1252", None, "charset-missing"),
        (GERMAN, "cp1252", "utf-8", "charset-wrong"),
        (RUSSIAN, "koi8-r", "utf-8", "charset-wrong"),
        (JAPANESE, "cp932", "us-ascii", "charset-wrong"),
        (JAPANESE, "iso2022_jp", None, "charset-missing"),
        (CHINESE, "utf-8", "utf-16", "charset-wrong"),
        ("plain", "ascii", "no such", "charset-unknown"),
    ],
)
def test_a_wrong_label_is_seen_through(text: str, codec: str, label: str | None, defect: str):
    assert decode(text.encode(codec), label) == (text, defect)


def test_a_text_cut_in_the_middle_of_a_character_stays_in_its_charset():
    text, defect = decode(GERMAN.encode() + b"\xc3", "utf-8")
    assert (text, defect) == (GERMAN + "\ufffd", "charset-wrong")
    text, _ = decode(JAPANESE.encode("cp932") + b"\x81", "shift_jis")
    assert text.startswith(JAPANESE)


def test_a_byte_order_mark_is_no_text():
    assert decode(b"\xef\xbb\xbfhello", "utf-8") == ("hello", None)


@pytest.mark.parametrize(
    "label",
    [
        "rot13",
        "hex",
        "base64",
        "zlib",
        "idna",
        "unicode_escape",
        "undefined",
        "mbcs",
        "cp037",
        "../../x",
        "x" * 999,
        "",
    ],
)
def test_codecs_that_are_no_charsets_are_not_known(label: str):
    assert known(label) is None


@given(
    st.binary(max_size=80),
    st.sampled_from(
        [
            "utf-7",
            "utf-16",
            "utf-16-le",
            "utf-32",
            "gb18030",
            "hz",
            "iso-2022-jp",
            "iso-2022-kr",
            "big5",
            "utf-8",
            "x",
            None,
        ]
    ),
)
def test_any_bytes_give_text_that_a_database_takes(data: bytes, label: str | None):
    text, _ = decode(data, label)
    text.encode("utf-8")
    assert "\0" not in text


def test_half_a_surrogate_pair_is_marked_and_a_whole_one_is_joined():
    assert clean("a\ud83d\ude00b\ud83dc\0") == "a😀b\ufffdc\ufffd"
