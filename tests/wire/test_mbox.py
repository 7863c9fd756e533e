"""mbox as it is in the wild: dialects, wrong From_ lines, missing newlines, flags."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from postroom.model import RawMessage, Unreadable
from postroom.wire.mbox import MboxSource
from tests.support.corpus import corpus

DATED = b"From alice@example.com Thu Jan  4 10:00:00 2024\n"


def source_of(tmp_path: Path, content: bytes) -> MboxSource:
    path = tmp_path / "Work.mbox"
    path.write_bytes(content)
    return MboxSource(path)


def messages_of(tmp_path: Path, content: bytes) -> list[RawMessage]:
    source = source_of(tmp_path, content)
    found = list(source.messages(source.folders()[0]))
    assert source.done_bytes == source.size_bytes == len(content)
    assert all(isinstance(each, RawMessage) for each in found), found
    return [each for each in found if isinstance(each, RawMessage)]


def bodies_of(tmp_path: Path, content: bytes) -> list[bytes]:
    return [bytes(each.body[:]) for each in messages_of(tmp_path, content)]


@pytest.mark.parametrize(
    "line",
    [
        b"From alice@example.com Thu Jan  4 10:00:00 2024",
        b"From - Thu Jan 04 10:00:00 2024",
        b"From MAILER-DAEMON Thu Jan  4 10:00:00 2024",
        b"From MAILER-DAEMON",
        b"From alice",
        b"From alice at example.com  Thu Jan  4 10:00:00 2024",
        b"From alice@example.com Thu Jan  4 10:00:00 CET 2024",
        b"From alice@example.com Thu Jan  4 10:00:00 2024 +0100",
        b"From alice@example.com Thu Jan  4 10:00 2024 remote from beaver",
        b"From alice@example.com Thu, 4 Jan 2024 10:00:00 +0100",
        b"From alice@example.com 2024-01-04 10:00:00",
        b"From 1787654321098765432@xxx Thu Jan 04 10:00:00 +0000 2024",
        b"From  Thu Jan  4 10:00:00 2024",
    ],
)
def test_from_lines_of_every_shape_begin_a_message(tmp_path: Path, line: bytes):
    content = DATED + b"Subject: 1\n\nText\n\n" + line + b"\nSubject: 2\n\nText\n"
    assert bodies_of(tmp_path, content) == [b"Subject: 1\n\nText\n", b"Subject: 2\n\nText\n"]


@pytest.mark.parametrize(
    "line",
    [
        b"From time to time we write.\nSubject matters",
        b"From here on:\nSubject: is what this line is about",
        b"From bob Thu Jan  4 10:00:00 2024\nwas the line that I meant",
        b"From alice\nit came",
        b"From 10:00 to 11:00 we meet\nin the hall",
    ],
)
def test_a_sentence_that_begins_with_from_begins_no_message(tmp_path: Path, line: bytes):
    body = b"Subject: 1\n\nText\n\n" + line + b"\n"
    assert bodies_of(tmp_path, DATED + body + b"\n" + DATED + b"Subject: 2\n\n.\n") == [
        body,
        b"Subject: 2\n\n.\n",
    ]


def test_an_undated_from_line_needs_an_empty_line_before_it_and_a_dated_one_does_not(tmp_path: Path):
    first = b"Subject: 1\n\nText\nFrom alice\nSubject: of a sentence\n"
    assert bodies_of(tmp_path, DATED + first + DATED + b"Subject: 2\n\n.\n") == [first, b"Subject: 2\n\n.\n"]


def test_a_wrong_content_length_is_not_believed(tmp_path: Path):
    content = DATED + b"Content-Length: 900\n\nText\n\n" + DATED + b"Content-Length: 1\n\nMore text\n"
    assert bodies_of(tmp_path, content) == [
        b"Content-Length: 900\n\nText\n",
        b"Content-Length: 1\n\nMore text\n",
    ]


def test_crlf_is_kept_and_only_the_separating_line_is_taken(tmp_path: Path):
    unix = DATED + b"Subject: 1\n\nText\n\n\n" + DATED + b"Subject: 2\n\nText\n\n"
    expected = [b"Subject: 1\r\n\r\nText\r\n\r\n", b"Subject: 2\r\n\r\nText\r\n"]
    assert bodies_of(tmp_path, unix.replace(b"\n", b"\r\n")) == expected


def test_a_last_message_without_a_newline_is_whole(tmp_path: Path):
    assert bodies_of(tmp_path, DATED + b"Subject: 1\n\nText") == [b"Subject: 1\n\nText"]


def test_empty_lines_and_a_byte_order_mark_before_the_first_message_do_no_harm(tmp_path: Path):
    assert bodies_of(tmp_path, b"\xef\xbb\xbf\r\n\n" + DATED + b"Subject: 1\n\n.\n") == [b"Subject: 1\n\n.\n"]


def test_a_from_line_with_nothing_behind_it_is_reported(tmp_path: Path):
    source = source_of(tmp_path, DATED + b"Subject: 1\n\n.\n\n" + DATED)
    first, second = source.messages(source.folders()[0])
    assert isinstance(first, RawMessage)
    assert isinstance(second, Unreadable)
    assert second.body == DATED


def test_mboxrd_loses_exactly_one_level_of_quoting(tmp_path: Path):
    content = DATED + b"Subject: 1\n\n>From one\n>>From two\n>>>From three\n> From none\nx >From none\n"
    assert bodies_of(tmp_path, content) == [
        b"Subject: 1\n\nFrom one\n>From two\n>>From three\n> From none\nx >From none\n"
    ]


def test_nothing_is_unquoted_where_the_writer_left_a_from_line_bare(tmp_path: Path):
    first, second = b"Subject: 1\n\n>From the start\n", b"Subject: 2\n\nFrom here\n"
    assert bodies_of(tmp_path, DATED + first + b"\n" + DATED + second) == [first, second]


@pytest.mark.parametrize("reply", [b">I came\n>From afar\nReally?\n", b">From afar\n>I came\nReally?\n"])
def test_nothing_is_unquoted_where_the_writer_left_a_quoted_reply_as_it_was(tmp_path: Path, reply: bytes):
    first, second = b"Subject: 1\n\n>From the start\n", b"Subject: 2\n\n" + reply
    assert bodies_of(tmp_path, DATED + first + b"\n" + DATED + second) == [first, second]


def test_a_uid_is_the_offset_plus_one_and_finds_its_message_again(tmp_path: Path):
    first = DATED + b"Subject: 1\n\nText\n\n"
    source = source_of(tmp_path, first + DATED + b"Subject: 2\n\nText\n")
    folder = source.folders()[0]
    assert [each.uid for each in source.messages(folder)] == [1, len(first) + 1]
    (found,) = source.messages(folder, [len(first) + 1])
    assert found.body == b"Subject: 2\n\nText\n"


def test_a_uid_where_no_message_begins_is_reported(tmp_path: Path):
    source = source_of(tmp_path, DATED + b"Subject: 1\n\nText\n")
    found = list(source.messages(source.folders()[0], [0, 7, 10_000]))
    assert [type(each) for each in found] == [Unreadable] * 3


@pytest.mark.parametrize(
    ("header", "flags", "keywords"),
    [
        (b"Status: RO", {"\\Seen"}, set()),
        (b"Status: O", set(), set()),
        (b"Status: R\nX-Status: AF", {"\\Seen", "\\Answered", "\\Flagged"}, set()),
        (b"X-Status: TD", {"\\Draft", "\\Deleted"}, set()),
        (b"X-Mozilla-Status: 0007", {"\\Seen", "\\Answered", "\\Flagged"}, set()),
        (b"X-Mozilla-Status: 1009", {"\\Seen", "\\Deleted"}, {"$Forwarded"}),
        (b"X-Mozilla-Status: what", set(), set()),
        (b"X-Mozilla-Keys: $label1 work    ", set(), {"$label1", "work"}),
        (b"X-Keywords: a\n b", set(), {"a", "b"}),
        (b"Subject: Status: RO", set(), set()),
    ],
)
def test_flags_come_from_the_fields_that_mail_programs_write(
    tmp_path: Path, header: bytes, flags: set[str], keywords: set[str]
):
    content = DATED + header + b"\nSubject: 1\n\nStatus: R\nX-Keywords: of the body\n"
    (message,) = messages_of(tmp_path, content.replace(b"\n", b"\r\n"))
    assert (message.flags, message.keywords) == (flags, keywords)
    assert message.body[:].startswith(header.replace(b"\n", b"\r\n"))


def test_the_from_line_dates_the_delivery(tmp_path: Path):
    content = (
        DATED + b"A: 1\n\n\nFrom bob Thu Jan  4 10:00:00 2024 +0130\nA: 2\n\n\nFrom carol\nSubject: 3\n\n"
    )
    assert [each.internal_date for each in messages_of(tmp_path, content)] == [
        datetime(2024, 1, 4, 10, tzinfo=UTC),
        datetime(2024, 1, 4, 8, 30, tzinfo=UTC),
        None,
    ]


def test_a_separator_torn_by_the_edge_of_a_window_is_found(tmp_path: Path):
    edge = 1 << 20
    for shift in range(-12, 12):
        first = b"Subject: 1\n\n" + b"x" * (edge - len(DATED) - 14 + shift) + b"\n"
        content = DATED + first + b"\n" + DATED + b"Subject: 2\n\n.\n"
        assert bodies_of(tmp_path, content) == [first, b"Subject: 2\n\n.\n"]


def test_a_message_without_a_header_is_a_message(tmp_path: Path):
    assert bodies_of(tmp_path, DATED + b"\nOne\n\n" + DATED + b"\nTwo\n") == [b"\nOne\n", b"\nTwo\n"]


def test_every_mbox_of_the_imap_tests_has_as_many_messages_as_from_lines():
    for path in sorted(corpus("imaptest").rglob("*.mbox")):
        source = MboxSource(path)
        found = list(source.messages(source.folders()[0]))
        assert len(found) == path.read_bytes().count(b"From user@domain  "), path
        assert all(isinstance(each, RawMessage) for each in found), path
