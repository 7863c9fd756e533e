"""Dates, as they should be and as they are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom.mime.dates import parse_date
from postroom.mime.parse import parse


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("Fri, 21 Nov 1997 09:55:06 -0600", "1997-11-21T09:55:06-06:00"),
        ("21 Nov 1997 09:55 +0530", "1997-11-21T09:55:00+05:30"),
        ("Fri, 21 Nov 97 09:55:06 GMT", "1997-11-21T09:55:06+00:00"),
        ("Fri, 21 Nov 49 09:55:06 EST", "2049-11-21T09:55:06-05:00"),
        ("Fri, 21 Nov 101 09:55:06 PDT", "2001-11-21T09:55:06-07:00"),
        ("Fri, 21 Nov 1997 09(comment):   55  :  06 -0600", "1997-11-21T09:55:06-06:00"),
        ("Fri, 21 Nov 1997 09:55:06 -0600 (CST)", "1997-11-21T09:55:06-06:00"),
        ("Fri, 21 Nov 1997 09:55:06 (PST)", "1997-11-21T09:55:06-08:00"),
        ("Fri, 21 Nov 1997 09:55:06 -0000", "1997-11-21T09:55:06+00:00"),
        ("Fri, 21 Nov 1997 09:55:06", "1997-11-21T09:55:06+00:00"),
        ("Fri, 21 Nov 1997 09:55:06 GMT+0200", "1997-11-21T09:55:06+02:00"),
        ("Fri, 21 Nov 1997 09:55:06 +02:00", "1997-11-21T09:55:06+02:00"),
        ("Fri, 21 Nov 1997 09:55:06 Q", "1997-11-21T09:55:06+00:00"),
        ("Fri, 21 Nov 1997 09:55:60 +0000", "1997-11-21T09:55:59+00:00"),
        ("Fri, 21 Nov 1997 09:55:06 +9999", "1997-11-21T09:55:06+00:00"),
        ("Fri,21-Nov-1997 09.55.06 +0000", "1997-11-21T09:55:06+00:00"),
        ("Friday, 21 November 1997 9:55:06 PM +0000", "1997-11-21T21:55:06+00:00"),
        ("Fri Nov 21 09:55:06 1997", "1997-11-21T09:55:06+00:00"),
        ("Fri Nov 21 09:55:06 CET 1997", "1997-11-21T09:55:06+01:00"),
        ("Fri Nov  1 09:55:06 +0100 1997", "1997-11-01T09:55:06+01:00"),
        ("Fri Nov 21 09:55:06 1997 +0130", "1997-11-21T09:55:06+01:30"),
        ("November 21, 1997 at 12:05 AM", "1997-11-21T00:05:00+00:00"),
        ("1997-11-21T09:55:06Z", "1997-11-21T09:55:06+00:00"),
        ("1997-11-21 09:55:06.123 +0100", "1997-11-21T09:55:06+01:00"),
        ("21 Nov 1997", "1997-11-21T00:00:00+00:00"),
    ],
)
def test_dates(value: str, expected: str):
    found = parse_date(value)
    assert found is not None
    assert found.isoformat() == expected


@pytest.mark.parametrize(
    "value",
    ["", "Whenever", "Fri, 31 Feb 1997 09:55:06 +0000", "Fri, 21 Nov 1997 25:55:06", "21 Foo 1997", "1 Jan 0001",
     "Fri, 21 Nov 9999 00:00:00", "9" * 300, "11/21/1997"],
)  # fmt: skip
def test_what_is_no_date_is_none(value: str):
    assert parse_date(value) is None


@given(st.text(alphabet="0123456789 :,-+()JanFebGMTpmTZ/.\x00é", max_size=60))
def test_a_date_always_has_milliseconds_that_a_database_takes(value: str):
    found = parse_date(value)
    assert found is None or abs(int(found.timestamp() * 1000)) < 2**63


def test_the_topmost_received_gives_the_time_of_arrival():
    raw = b"Received: from a by b; x;\r\n\tFri, 21 Nov 1997 10:00:00 +0000\r\nReceived: from c; Thu, 20 Nov 1997 10:00:00 +0000\r\n\r\n"
    received_at = parse(raw).received_at
    assert received_at is not None
    assert received_at.isoformat() == "1997-11-21T10:00:00+00:00"


def test_a_wrong_date_is_kept_as_sent_and_said_to_be_wrong():
    parsed = parse(b"Date: Whenever\n\n")
    assert (parsed.date_header, parsed.sent_at) == ("Whenever", None)
    assert "date-invalid: 'Whenever' is not a date" in parsed.defects
