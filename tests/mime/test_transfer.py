"""Transfer encodings, whole and in windows."""

from __future__ import annotations

import base64
import binascii
import quopri

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom.mime.transfer import decoded, decoded_windows
from postroom.model import TransferEncoding


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"aGVsbG8=", b"hello"),
        (b"aGVs\r\nbG8=\r\n", b"hello"),
        (b"aGVsbG8", b"hello"),
        (b"aGVsbG8=aGVsbG8=", b"hellohello"),
        (b"aGVsbG8=\r\naGVsbG8=", b"hellohello"),
        (b"a!G V\x00s-b*G8=", b"hello"),
        (b"aGVsbG8=\r\n\r\n", b"hello"),
        (b"aGVsbG8gd29ybGQ", b"hello world"),
        (b"a", b""),
        (b"====", b""),
        (b"", b""),
    ],
)
def test_base64_gives_what_can_be_had(raw: bytes, expected: bytes):
    assert decoded(raw, "base64") == expected


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"=C3=84rger", "Ärger".encode()),
        (b"=c3=84", "Ä".encode()),
        (b"soft=\r\nbreak", b"softbreak"),
        (b"soft= \t\r\nbreak", b"softbreak"),
        (b"trailing  \t \r\nblanks \n", b"trailing\r\nblanks\n"),
        (b"kept=20\r\n", b"kept \r\n"),
        (b"100=% =XY", b"100=% =XY"),
        (b"end=", b"end"),
    ],
)
def test_quoted_printable_gives_what_can_be_had(raw: bytes, expected: bytes):
    assert decoded(raw, "quoted-printable") == expected


def uuencoded(data: bytes, newline: bytes = b"\n") -> bytes:
    lines = [binascii.b2a_uu(data[at : at + 45]).rstrip(b"\n") for at in range(0, len(data), 45)]
    return newline.join([b"begin 644 file name", *lines, b"`", b"end", b""])


@pytest.mark.parametrize("newline", [b"\n", b"\r\n"])
def test_uuencode_gives_the_file_between_begin_and_end(newline: bytes):
    data = bytes(range(256)) * 3
    assert decoded(b"before\n" + uuencoded(data, newline) + b"after\n", "uuencode") == data


def test_uuencoded_lines_that_are_too_long_are_read_as_far_as_they_say():
    assert (
        decoded(b"begin 644 x\n%:&5L;&\\@\n", "uuencode")
        == decoded(b"begin 644 x\n%:&5L;&\\\n", "uuencode")
        == b"hello"
    )


@given(
    st.binary(max_size=2000),
    st.sampled_from(["base64", "quoted-printable", "uuencode", "identity"]),
    st.integers(100, 3000),
)
def test_windows_of_any_size_give_the_same_bytes(data: bytes, encoding: TransferEncoding, size: int):
    encoders = {
        "base64": base64.encodebytes,
        "quoted-printable": quopri.encodestring,
        "uuencode": uuencoded,
        "identity": bytes,
    }
    raw = encoders[encoding](data)
    whole = decoded(raw, encoding)
    assert b"".join(decoded_windows(b"??" + raw + b"??", 2, 2 + len(raw), encoding, size)) == whole
    if encoding != "quoted-printable":  # which writes line ends as they are in a text
        assert whole == data


@given(
    st.binary(max_size=400), st.sampled_from(["base64", "quoted-printable", "uuencode"]), st.integers(1, 90)
)
def test_windows_of_broken_bytes_give_the_same_bytes(raw: bytes, encoding: TransferEncoding, size: int):
    assert b"".join(decoded_windows(raw, 0, len(raw), encoding, size)) == decoded(raw, encoding)
