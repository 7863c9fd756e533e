"""The grammar of IMAP replies, good and bad."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom.wire.imap_replies import (
    Garbled,
    fetched,
    flags_of,
    literal_size,
    moment,
    searched,
    selected,
    sequence_set,
    sequence_sets,
    status,
    tokens,
    vanished,
)


def test_a_reply_with_literals_becomes_nested_lists():
    reply = [b"* 1 FETCH (UID 7 BODY[] {3}\r\n", b"a)b", b' FLAGS (\\Seen $Junk) X "q\\"\\\\" Y NIL)\r\n']
    assert tokens(reply) == [
        b"*", b"1", b"FETCH",
        [b"UID", b"7", b"BODY[]", b"a)b", b"FLAGS", [b"\\Seen", b"$Junk"], b"X", b'q"\\', b"Y", None],
    ]  # fmt: skip


@pytest.mark.parametrize(
    "line",
    [b"(UID 7", b"UID 7)", b'(UID 7 X "open)', b"(UID)", b"(UID 0)", b"(UID 4294967296)", b"(UID x)", b"7"],
)
def test_a_garbled_fetch_is_not_believed(line: bytes):
    with pytest.raises(Garbled):
        fetched([b"* 1 FETCH " + line + b"\r\n"])


@pytest.mark.parametrize("shift", [-12, -3, -1, 1, 3, 40])
def test_a_shifted_literal_never_passes_for_a_message(shift: int):
    body = b'Subject: x\r\n\r\nhello (world) "quoted"\r\n'
    wire = body + b")\r\n* 2 FETCH (UID 8 BODY[] {3}\r\nabc)\r\nP1 OK done\r\n"
    size = len(body) + shift
    rest = wire[size:]
    line = rest[: rest.index(b"\n") + 1]
    reply = [b"* 1 FETCH (UID 7 BODY[] {%d}\r\n" % size, wire[:size], line]
    if literal_size(line):
        reply += [b"abc", b")\r\n"]
    with pytest.raises(Garbled):
        fetched(reply)


@given(st.binary(max_size=200))
def test_any_bytes_are_parsed_or_called_garbled(noise: bytes):
    for parse in (fetched, flags_of, selected):
        try:
            parse([b"* 1 FETCH " + noise + b"\r\n"])
        except Garbled:
            pass


def test_a_fetch_without_uid_is_somebody_elses_news():
    assert fetched([b"* 3 FETCH (FLAGS (\\Seen))\r\n"]) is None
    assert flags_of([b"* 3 FETCH (FLAGS (\\Seen))\r\n"]) is None


@pytest.mark.parametrize(
    "line",
    [
        b"* 9 FETCH (UID 5 FLAGS (\\seen \\Recent $Work))\r\n",
        b"* 9 FETCH (FLAGS ($Work \\SEEN) UID 5)\r\n",
        b"* 9 FETCH (UID 5 FLAGS (\\Seen $Work) MODSEQ (12))\r\n",
        b"* 9 fetch (uid 5 modseq (12) flags (\\Seen $Work))\r\n",
    ],
)
def test_flags_are_the_same_in_every_spelling(line: bytes):
    assert flags_of([line]) == (5, frozenset({"\\Seen", "$Work"}))


def test_only_a_line_that_ends_so_announces_a_literal():
    assert literal_size(b"* 1 FETCH (BODY[] {12}\r\n") == 12
    assert literal_size(b"* 1 FETCH (BODY[] ~{0}\r\n") == 0
    assert literal_size(b"* OK a text for people {12}\r\n") is None
    assert literal_size(b"* 1 FETCH (X {a}\r\n") is None


def test_a_status_has_word_code_and_text():
    assert status(b"NO [AUTHENTICATIONFAILED] Go away.\r\n") == (b"NO", b"AUTHENTICATIONFAILED", "Go away")
    assert status(b"ok \x1b[31mred\r\n") == (b"OK", b"", "[31mred")


def test_internal_dates_keep_their_zone():
    assert moment(b" 1-Jan-2026 05:04:03 +0500") == datetime(2026, 1, 1, 0, 4, 3, tzinfo=UTC)
    found = moment(b"17-jul-1996 02:44:60 -0730")
    assert found is not None
    assert (found.second, found.utcoffset()) == (59, -timedelta(hours=7, minutes=30))


@pytest.mark.parametrize("raw", [b"", b"31-Feb-2026 00:00:00 +0000", b"01-Foo-2026 00:00:00 +0000"])
def test_what_is_no_date_is_none(raw: bytes):
    assert moment(raw) is None


def test_runs_of_uids_are_written_short():
    assert sequence_set([9, 3, 1, 2, 3, 7]) == b"1:3,7,9"


def test_a_long_set_of_uids_is_split_into_lines_that_servers_take():
    uids = range(1_000_000_001, 1_000_009_001, 3)
    sets = sequence_sets(uids)
    assert all(len(each) <= 8000 for each in sets)
    assert b",".join(sets) == sequence_set(uids)
    assert sequence_sets(range(1, 100_000)) == [b"1:99999"]


def test_a_reply_names_what_the_server_calls_the_message_in_whatever_folder():
    line = b'* 1 FETCH (UID 7 EMAILID (M6d99ac3275bb4e) BODY[HEADER.FIELDS ("MESSAGE-ID" DATE)] {4}\r\n'
    one = fetched([line, b"x: y", b")\r\n"])
    assert one
    assert (one.object_id, one.header) == ("M6d99ac3275bb4e", b"x: y")
    gmail = fetched([b"* 1 FETCH (X-GM-MSGID 1278455344230334865 UID 7 BODY[]<5> NIL)\r\n"])
    assert gmail
    assert (gmail.object_id, gmail.part) == ("gm:1278455344230334865", None)
    assert vanished([b"* VANISHED (EARLIER) 41,43:116,118\r\n"]) == [(41, 41), (43, 116), (118, 118)]
    assert searched([b'* ESEARCH (TAG "P5") UID ALL 4:18,21\r\n']) == [(4, 18), (21, 21)]
    assert searched([b'* ESEARCH (TAG "P5") UID\r\n']) == []
    assert searched([b"* SEARCH 2 5 (MODSEQ 917)\r\n"]) == [(2, 2), (5, 5)]
