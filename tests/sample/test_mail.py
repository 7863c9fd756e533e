"""Messages as bytes: what is written is what the standard library reads back."""

from __future__ import annotations

import email
import email.policy
from datetime import UTC, datetime, timedelta, timezone
from email.header import decode_header, make_header

import pytest

from postroom.sample import mail

LONG = "Größe und Länge der Fenster im Obergeschoss, geprüft und für gut befunden, mit Grüßen aus München"


@pytest.mark.parametrize(
    ("text", "charset"),
    [
        (LONG, "utf-8"),
        (LONG, "iso-8859-1"),
        ("次回の会議について" * 8, "iso-2022-jp"),
        ("Фонари " * 20, "koi8-r"),
    ],
)
@pytest.mark.parametrize("encoding", ["b", "q"])
def test_encoded_words_are_short_and_say_the_same(text: str, charset: str, encoding: str):
    value = mail.unstructured(text, charset, encoding)
    assert all(len(line) <= 76 for line in value.split("\n"))
    assert str(make_header(decode_header(value))) == text


@pytest.mark.parametrize("encoding", ["8bit", "quoted-printable", "base64"])
@pytest.mark.parametrize("charset", ["utf-8", "windows-1252"])
def test_text_comes_back_from_every_encoding(charset: str, encoding: str):
    raw = mail.message([("Subject", "x")], mail.plain("Grüße,\n\nFrom here\n- a list", charset, encoding))
    message = email.message_from_bytes(raw, policy=email.policy.default)
    assert message.get_content() == "Grüße,\n\nFrom here\n- a list\n"


def test_a_charset_that_is_too_small_gives_way():
    raw = mail.message([], mail.plain("zażółć 会議", "iso-8859-1", "8bit"))
    message = email.message_from_bytes(raw)
    assert message.get_content_charset() == "utf-8"


def test_flowed_lines_end_with_a_blank_and_odd_starts_are_stuffed():
    entity = mail.plain("From the sea " * 12, flowed=True)
    body = entity.split(b"\n\n", 1)[1].split(b"\n")
    assert body[0].startswith(b" From the sea")
    assert all(line.endswith(b" ") for line in body[:-2])


def test_names_with_commas_are_quoted_and_foreign_ones_encoded():
    assert mail.mailbox("Morgan, Alex", "a@x.test") == '"Morgan, Alex" <a@x.test>'
    assert mail.mailbox("田中", "t@x.test").startswith("=?utf-8?B?")
    assert mail.mailbox("", "t@x.test") == "t@x.test"


@pytest.mark.parametrize("style", ["2231", "2047"])
def test_a_foreign_file_name_is_read_back(style: str):
    part = mail.attachment("text/plain", "Süße Grüße.txt", b"x", style=style)
    name = email.message_from_bytes(part).get_filename()
    assert name is not None
    assert str(make_header(decode_header(name))) == "Süße Grüße.txt"


def test_dates_are_written_in_english_with_their_zone():
    zone = timezone(timedelta(hours=-3, minutes=-30))
    assert mail.date(datetime(2026, 3, 3, 14, 20, 11, tzinfo=zone)) == "Tue, 03 Mar 2026 14:20:11 -0330"
    assert mail.date(datetime(2026, 3, 3, 14, 20, 11, tzinfo=UTC)) == "Tue, 03 Mar 2026 14:20:11 +0000"
